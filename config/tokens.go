package config

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
)

// readTokensFile reads admin_tokens_file: one token a line, empty lines and
// lines that begin with # left out.
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
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFileBytes+1)
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		hash, err := token().parse(text)
		if err != nil {
			problems = append(problems, problem(fmt.Sprintf("%s:%d", c.AdminTokensFile, number), "admin_tokens_file", err))
			continue
		}
		c.fileTokens = append(c.fileTokens, hash)
	}
	return problems
}
