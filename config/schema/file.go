package schema

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// MaxFileBytes bounds the files of a configuration, far beyond any real one.
const MaxFileBytes = 1 << 20

// ReadFile returns the content and the mode of a file. A file of more than
// [MaxFileBytes] is an error.
func ReadFile(path string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err == nil && len(data) > MaxFileBytes {
		err = fmt.Errorf("%s is larger than %s", path, FormatSize(MaxFileBytes))
	}
	return data, info.Mode(), err
}
