package config

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"cloudmirror"
	"cloudmirror/config/schema"
)

// readTokensFile reads admin_tokens_file.
func (c *Config) readTokensFile() []error {
	if c.AdminTokensFile == "" {
		return nil
	}
	data, mode, err := schema.ReadFile(c.AdminTokensFile)
	if err != nil {
		return []error{c.sources.Problem("admin_tokens_file", "cannot be read: %w", err)}
	}
	if mode.IsRegular() && mode.Perm()&0o007 != 0 {
		c.warnings = append(c.warnings, fmt.Sprintf("admin_tokens_file: everybody on this machine can use %s (mode %04o)", c.AdminTokensFile, mode.Perm()))
	}
	var problems []error
	c.fileTokens, problems = parseTokens(c.AdminTokensFile, data)
	return problems
}

// ReadTokens returns the tokens of an admin_tokens_file: one a line, without empty
// lines and lines that begin with #. The file may have 1 MiB. The error has one line
// for each problem, and no token in it; then ReadTokens returns no tokens.
func ReadTokens(file string) ([]cloudmirror.Token, error) {
	data, _, err := schema.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("admin_tokens_file: cannot be read: %w", err)
	}
	tokens, problems := parseTokens(file, data)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return tokens, nil
}

func parseTokens(file string, data []byte) (tokens []cloudmirror.Token, problems []error) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, schema.MaxFileBytes+1)
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		t, err := token().Parse(text)
		if err != nil {
			problems = append(problems, schema.Problem(fmt.Sprintf("%s:%d", file, number), "admin_tokens_file", err))
			continue
		}
		tokens = append(tokens, t)
	}
	return tokens, problems
}

// minTokenBytes makes tokens hard to guess.
const minTokenBytes = 16

// maxTokenNameBytes keeps the names of tokens short enough for a line of a log.
const maxTokenNameBytes = 64

// hashMark begins a token that is configured as its SHA-256.
const hashMark = "sha256:"

// token is a bearer token, or the SHA-256 of one, perhaps with a name and a colon
// before it. A token may contain colons itself: the text before the first colon is
// a name only if a whole token follows.
func token() schema.Kind[cloudmirror.Token] {
	return schema.Kind[cloudmirror.Token]{
		Parse: func(text string) (t cloudmirror.Token, err error) {
			name, rest, found := strings.Cut(text, ":")
			isName := name != "" && len(name) <= maxTokenNameBytes && schema.IsVisible(name) && name+":" != hashMark
			if found && isName && (strings.HasPrefix(rest, hashMark) || len(rest) >= minTokenBytes) {
				t.Name, text = name, rest
			}
			t.Hash, err = parseTokenHash(text)
			return t, err
		},
		Format: func(cloudmirror.Token) string { return schema.Secret },
		Show:   schema.Hide,
	}
}

// parseTokenHash reads a token without a name.
func parseTokenHash(text string) (cloudmirror.TokenHash, error) {
	if encoded, ok := strings.CutPrefix(text, hashMark); ok {
		hash, err := hex.DecodeString(encoded)
		if err != nil || len(hash) != sha256.Size {
			return cloudmirror.TokenHash{}, fmt.Errorf("%s must have 64 hexadecimal digits behind its sha256: mark", schema.Secret)
		}
		return cloudmirror.TokenHash(hash), nil
	}
	if len(text) < minTokenBytes || !schema.IsVisible(text) {
		return cloudmirror.TokenHash{}, fmt.Errorf("%s must be at least %d visible ASCII characters, or sha256: and the 64 hexadecimal digits of a token's hash; a name of at most %d visible ASCII characters and a colon may stand before it", schema.Secret, minTokenBytes, maxTokenNameBytes)
	}
	return cloudmirror.HashToken(text), nil
}
