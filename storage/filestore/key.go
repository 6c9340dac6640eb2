package filestore

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// maxNameBytes bounds the file names of keys, as file systems do elsewhere.
const maxNameBytes = 255

// pathOf returns the file of a key, below the store's directory:
// `copies/<first two digits>/<hash>.<generation>.<digest of name>`. The name
// itself might be too long, and a directory for each object would have to be
// synced as well.
func pathOf(key string) (string, error) {
	hash, generation, name, err := splitKey(key)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s/%s/%s.%s.%x", copiesDir, hash[:2], hash, generation, digest[:8]), nil
}

// splitKey returns the parts of a key, which is `<hash>/<name>` or
// `<hash>/<generation>/<name>`, hash being 64 lower-case hexadecimal digits and
// generation lower-case letters and digits.
func splitKey(key string) (hash, generation, name string, err error) {
	hash, rest, _ := strings.Cut(key, "/")
	generation, name, three := strings.Cut(rest, "/")
	if !three {
		generation, name = "", rest
	}
	if len(hash) != 64 || !only(hash, 'f') || three && (generation == "" || len(generation) > 64 || !only(generation, 'z')) || !validName(name) {
		return "", "", "", fmt.Errorf("the key %.400q is not of the form <hash>/<generation>/<name>", key)
	}
	return hash, generation, name, nil
}

func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxNameBytes && !strings.ContainsAny(name, "/\\\x00")
}

// only reports whether s has digits and the letters from a to last alone.
func only(s string, last byte) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > last) {
			return false
		}
	}
	return true
}

// isCopyKey tells the keys of copies, which clients may fetch, from those of
// markers.
func isCopyKey(key string) bool { return strings.Count(key, "/") == 2 }
