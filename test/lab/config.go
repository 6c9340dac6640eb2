package lab

import (
	"fmt"
	"regexp"
	"strings"
)

// A Config is the YAML of a deployment on servers of the loopback address, which
// copies from there as well.
type Config struct {
	Lines    []string // of the top level, such as RedisCache returns
	Services []Service
}

// A Service is one of a Config's.
type Service struct {
	Name     string
	Allow    string      // a regular expression, as AllowOrigin returns
	Lines    []string    // more of its keys
	Backends [][2]string // region and storage, as S3.Storage returns
}

// String returns the YAML.
func (c Config) String() string {
	var b strings.Builder
	for _, line := range c.Lines {
		fmt.Fprintln(&b, line)
	}
	b.WriteString("services:\n")
	for _, s := range c.Services {
		fmt.Fprintf(&b, "  %s:\n    allow: ['%s']\n    allow_addresses: ['127.0.0.0/8']\n    ports: []\n", s.Name, s.Allow)
		for _, line := range s.Lines {
			fmt.Fprintln(&b, "    "+line)
		}
		b.WriteString("    backends:\n")
		for _, backend := range s.Backends {
			fmt.Fprintf(&b, "      %s: {storage: %s}\n", backend[0], backend[1])
		}
	}
	return b.String()
}

// AllowOrigin returns the regular expression that lets the objects below an origin's
// base URL through.
func AllowOrigin(url string) string { return "^" + regexp.QuoteMeta(url) + "/" }

// RedisCache returns the line that puts the cache into a Redis, with more of its
// keys, as in "prefix: 'x:'".
func RedisCache(address string, keys ...string) string {
	return "cache: {type: redis, redis: " + flow("url: 'redis://"+address+"/0'", keys) + "}"
}

// SQSQueue returns the line that puts the queue into an SQS, with more of its keys.
func SQSQueue(endpoint string, keys ...string) string {
	return "queue: {type: sqs, sqs: " + flow("endpoint: '"+endpoint+"'", keys) + "}"
}

// Storage returns the storage in a bucket of the server, with more of its keys.
func (s S3) Storage(bucket string, keys ...string) string {
	return flow(fmt.Sprintf("type: s3, bucket: '%s', region: %s, endpoint: '%s', path_style: true", bucket, s.Region, s.Endpoint), keys)
}

func flow(first string, more []string) string {
	return "{" + strings.Join(append([]string{first}, more...), ", ") + "}"
}
