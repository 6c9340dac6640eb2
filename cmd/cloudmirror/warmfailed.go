package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkWritable returns why writeList could not write a file. It leaves no new file
// behind: an empty one says that all went well.
func checkWritable(name string) error {
	_, err := os.Stat(name)
	isNew := os.IsNotExist(err)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_ = file.Close() // nothing was written
	if isNew {
		return os.Remove(name)
	}
	return nil
}

// writeList writes a list of URLs. The file is for its owner alone: URLs may have
// secrets. If the disk is full, what was in the file stays: it may be the list itself.
func writeList(name string, urls []string) error {
	var text strings.Builder
	for _, u := range urls {
		text.WriteString(u + "\n")
	}
	if err := replaceFile(name, []byte(text.String())); err != nil {
		return fmt.Errorf("write the URLs that are not present: %w", err)
	}
	return nil
}

// replaceFile replaces a file by a new one with the same name. It writes into the file
// that is there if that is a device or a pipe, or if its directory takes no other.
func replaceFile(name string, text []byte) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, text, 0o600)
	}
	next, err := os.CreateTemp(filepath.Dir(name), ".cloudmirror-*") // for its owner alone
	if err != nil {
		return os.WriteFile(name, text, 0o600)
	}
	defer os.Remove(next.Name()) // which fails after the rename
	_, err = next.Write(text)
	if closing := next.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if os.Rename(next.Name(), name) != nil { // name is a mount, say
		return os.WriteFile(name, text, 0o600)
	}
	return nil
}
