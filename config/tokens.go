package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"

	"cloudmirror"
)

// readTokensFile reads admin_tokens_file.
func (c *Config) readTokensFile() []error {
	if c.AdminTokensFile == "" {
		return nil
	}
	data, mode, err := readFile(c.AdminTokensFile)
	if err != nil {
		return []error{c.problem("admin_tokens_file", "cannot be read: %w", err)}
	}
	if mode.IsRegular() && mode.Perm()&0o007 != 0 {
		c.warnings = append(c.warnings, fmt.Sprintf("admin_tokens_file: everybody on this machine can use %s (mode %04o)", c.AdminTokensFile, mode.Perm()))
	}
	var problems []error
	c.fileTokens, problems = parseTokens(c.AdminTokensFile, data)
	return problems
}

// ReadTokens returns the tokens of an admin_tokens_file: one a line, empty lines and
// lines that begin with # left out. The file may have 1 MiB. The error has one line
// for each thing that is wrong, and no token in it; there are no tokens then.
func ReadTokens(file string) ([]cloudmirror.Token, error) {
	data, _, err := readFile(file)
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
	lines.Buffer(nil, maxFileBytes+1)
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		t, err := token().parse(text)
		if err != nil {
			problems = append(problems, problem(fmt.Sprintf("%s:%d", file, number), "admin_tokens_file", err))
			continue
		}
		tokens = append(tokens, t)
	}
	return tokens, problems
}
