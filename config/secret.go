package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// secret stands for what is not shown.
const secret = "***"

func hide(string) string { return secret }

// minTokenBytes keeps tokens from being guessed.
const minTokenBytes = 16

// HashToken returns the hash by which a bearer token is known.
func HashToken(plain string) TokenHash { return sha256.Sum256([]byte(plain)) }

// token is a bearer token, or the SHA-256 of one.
func token() kind[TokenHash] {
	return kind[TokenHash]{
		parse: func(text string) (TokenHash, error) {
			if encoded, ok := strings.CutPrefix(text, "sha256:"); ok {
				hash, err := hex.DecodeString(encoded)
				if err != nil || len(hash) != sha256.Size {
					return TokenHash{}, fmt.Errorf("%s must have 64 hexadecimal digits behind its sha256: mark", secret)
				}
				return TokenHash(hash), nil
			}
			if len(text) < minTokenBytes || !isVisible(text) {
				return TokenHash{}, fmt.Errorf("%s must be at least %d visible ASCII characters, or sha256: and the 64 hexadecimal digits of a token's hash", secret, minTokenBytes)
			}
			return HashToken(text), nil
		},
		format: func(TokenHash) string { return secret },
		show:   hide,
		tags:   []string{tagText},
	}
}

// showURL quotes a URL, or what was meant as one, for an error.
func showURL(text string) string { return quote(redactURL(text)) }

// showSecretURL shows nothing of what does not look like a URL: it may be the
// password alone.
func showSecretURL(text string) string {
	if !strings.Contains(text, "://") {
		return secret
	}
	return showURL(text)
}

// redactURL hides passwords before the host and in the query. It goes by the
// text, since a URL with a mistake in it has its password all the same.
func redactURL(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return redactQuery(text)
	}
	scheme, user := "", text[:at]
	if i := strings.Index(user, "://"); i >= 0 {
		scheme, user = user[:i+3], user[i+3:]
	}
	name, _, hasPassword := strings.Cut(user, ":")
	if !hasPassword {
		return scheme + secret + redactQuery(text[at:])
	}
	return scheme + name + ":" + secret + redactQuery(text[at:])
}

func redactQuery(text string) string {
	before, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, isPair := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		switch {
		case !isPair && pair != "": // it may be the rest of a password with & in it
			pairs[i] = secret
		case err != nil || strings.Contains(strings.ToLower(decoded), "pass"):
			pairs[i] = name + "=" + secret
		}
	}
	return before + "?" + strings.Join(pairs, "&")
}
