package config_test

import (
	"os"
	"strings"
	"testing"

	"cloudmirror/config"
)

// minimal is the least that a file must say.
const minimal = `services:
  s3:
    allow: ["^https://"]
    backends:
      us-east-1:
        storage: {type: file}
`

// shared is a configuration of several processes.
const shared = `cache: {type: redis}
queue: {type: sqs}
services:
  s3:
    allow: ["^https://"]
    backends:
      us-east-1:
        storage: {type: s3, bucket: mirror-us}
`

// write stores a file as cloudmirror.yaml in a directory that becomes the
// working directory of the test.
func write(t *testing.T, content string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("cloudmirror.yaml", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "cloudmirror.yaml"
}

func load(t *testing.T, content string, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load(write(t, content), environ, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func printed(t *testing.T, c *config.Config) string {
	t.Helper()
	var text strings.Builder
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// service returns a file whose one service has the given lines more, in line 5
// and following.
func service(lines ...string) string {
	return "services:\n  s3:\n    allow: [\"^https://\"]\n    backends: {us-east-1: {storage: {type: file}}}\n    " +
		strings.Join(lines, "\n    ") + "\n"
}

// storages returns a file whose one service has the given storages, in line 5
// and following.
func storages(s3 ...string) string {
	text := "services:\n  s3:\n    allow: [\"^https://\"]\n    backends:\n"
	for i, storage := range s3 {
		text += "      region-" + string(rune('a'+i)) + ": {storage: {" + storage + "}}\n"
	}
	return text
}
