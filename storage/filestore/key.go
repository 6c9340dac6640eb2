package filestore

import (
	"fmt"
	"strings"
)

// maxNameBytes is what file systems allow for one name.
const maxNameBytes = 255

// pathOf returns the file of a key, below the store's directory. Keys are
// `<hash>/<name>` or `<hash>/<generation>/<name>`, hash being 64 lower-case
// hexadecimal digits and generation lower-case letters and digits.
func pathOf(key string) (string, error) {
	hash, rest, _ := strings.Cut(key, "/")
	generation, name, three := strings.Cut(rest, "/")
	if !three {
		generation, name = "", rest
	}
	if len(hash) != 64 || !only(hash, "0123456789abcdef") ||
		three && (generation == "" || len(generation) > 64 || !only(generation, "0123456789abcdefghijklmnopqrstuvwxyz")) ||
		!validName(name) {
		return "", fmt.Errorf("the key %q is not of the form <hash>/<generation>/<name>", key)
	}
	return copiesDir + "/" + hash[:2] + "/" + key, nil
}

func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxNameBytes && !strings.ContainsAny(name, "/\\\x00")
}

func only(s, characters string) bool {
	return strings.Trim(s, characters) == ""
}

// isCopyKey tells the keys of copies, which clients may fetch, from those of
// markers.
func isCopyKey(key string) bool { return strings.Count(key, "/") == 2 }
