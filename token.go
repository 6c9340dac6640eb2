package cloudmirror

import (
	"crypto/sha256"
	"encoding/hex"
)

// A Token lets its bearer change state. The bearer's own text is not kept.
type Token struct {
	Name string // for the audit; several tokens may have one name; "": it has none
	Hash TokenHash
}

// A TokenHash is the SHA-256 of a bearer token.
type TokenHash [sha256.Size]byte

// HashToken returns the hash by which a bearer token is known.
func HashToken(plain string) TokenHash { return sha256.Sum256([]byte(plain)) }

// Fingerprint names the token in logs: the first 8 hexadecimal digits of its hash.
func (t Token) Fingerprint() string { return hex.EncodeToString(t.Hash[:4]) }
