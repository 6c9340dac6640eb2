package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"cloudmirror"
)

// secret stands for what is not shown.
const secret = "***"

func hide(string) string { return secret }

// minTokenBytes keeps tokens from being guessed.
const minTokenBytes = 16

// maxTokenNameBytes keeps the names of tokens short enough for a line of a log.
const maxTokenNameBytes = 64

// hashMark stands before the SHA-256 of a token, where that is configured.
const hashMark = "sha256:"

// token is a bearer token, or the SHA-256 of one, perhaps with a name and a colon
// before it. Tokens may have colons themselves, from before there were names: what
// stands before the first colon is a name only if a whole token follows.
func token() kind[cloudmirror.Token] {
	return kind[cloudmirror.Token]{
		parse: func(text string) (t cloudmirror.Token, err error) {
			name, rest, found := strings.Cut(text, ":")
			isName := name != "" && len(name) <= maxTokenNameBytes && isVisible(name) && name+":" != hashMark
			if found && isName && (strings.HasPrefix(rest, hashMark) || len(rest) >= minTokenBytes) {
				t.Name, text = name, rest
			}
			t.Hash, err = parseTokenHash(text)
			return t, err
		},
		format: func(cloudmirror.Token) string { return secret },
		show:   hide,
		tags:   []string{tagText},
	}
}

// parseTokenHash reads a token without a name.
func parseTokenHash(text string) (cloudmirror.TokenHash, error) {
	if encoded, ok := strings.CutPrefix(text, hashMark); ok {
		hash, err := hex.DecodeString(encoded)
		if err != nil || len(hash) != sha256.Size {
			return cloudmirror.TokenHash{}, fmt.Errorf("%s must have 64 hexadecimal digits behind its sha256: mark", secret)
		}
		return cloudmirror.TokenHash(hash), nil
	}
	if len(text) < minTokenBytes || !isVisible(text) {
		return cloudmirror.TokenHash{}, fmt.Errorf("%s must be at least %d visible ASCII characters, or sha256: and the 64 hexadecimal digits of a token's hash; a name of at most %d visible ASCII characters and a colon may stand before it", secret, minTokenBytes, maxTokenNameBytes)
	}
	return cloudmirror.HashToken(text), nil
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
