package app_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/app"
	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/test/servers"
)

// benchConfig is a front end that reaches nothing but Redis, which is all that a
// hit needs.
const benchConfig = `
listen: 127.0.0.1:0
cache: {type: redis, redis: {url: '%s', near: {memory: %s}}}
queue: {type: sqs, sqs: {endpoint: 'http://127.0.0.1:9'}}
health: {interval: 0s}
services:
  s3:
    allow: ['^https://']
    backends:
      us-east-1: {storage: {type: s3, bucket: copies, endpoint: 'http://127.0.0.1:9', path_style: true}}
`

// BenchmarkRedirect asks a whole front end on Redis for present copies, by 64
// clients in this process. What it spends its time with is what `make pgo` tells
// the compiler.
func BenchmarkRedirect(b *testing.B) {
	b.Setenv("AWS_ACCESS_KEY_ID", "key")
	b.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	url := "redis://" + servers.StartRedis(b).Addr() + "/0"
	object, err := cloudmirror.ParseObject("https://origin.test/releases/2026/tool-1.2.3-linux-amd64.tar.gz")
	if err != nil {
		b.Fatal(err)
	}
	backend := cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}
	makePresent(b, url, cache.KeyOf(object, backend))
	for _, kind := range []struct{ name, near string }{{"near cache", "64MiB"}, {"Redis", "0"}} {
		b.Run(kind.name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "cloudmirror.yaml")
			if err := os.WriteFile(file, fmt.Appendf(nil, benchConfig, url, kind.near), 0o600); err != nil {
				b.Fatal(err)
			}
			c, err := config.Load(file, nil, config.Overrides{})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			a, err := app.New(ctx, app.Options{Config: c, Role: config.RoleFrontend, Logger: zap.NewNop(), Version: "test"})
			if err != nil {
				b.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			redirects(b, a.Addresses()[0].String(), object.RedirectURL("", backend))
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}

// makePresent has Redis hold the entry of a copy.
func makePresent(b *testing.B, url string, key cache.Key) {
	b.Helper()
	store, err := rediscache.New(rediscache.Options{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	empty, err := store.Get(b.Context(), key)
	if err != nil {
		b.Fatal(err)
	}
	_, swapped, err := store.Swap(b.Context(), key, empty, cache.Entry{
		State: cache.Present, Generation: cloudmirror.FirstGeneration, Until: empty.Now().Add(24 * time.Hour),
		Copy: cache.Copy{SizeBytes: 1 << 20, SHA256: strings.Repeat("ab", 32), StoredAt: empty.Now()},
	})
	if err != nil || !swapped {
		b.Fatalf("swapped: %v, error %v", swapped, err)
	}
}

// redirects asks for a path again and again, on connections that are kept.
func redirects(b *testing.B, address, path string) {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: mirror.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", address)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		for reader := bufio.NewReader(conn); pb.Next(); {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			if err := readRedirect(reader); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// readRedirect reads one answer with little effort.
func readRedirect(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err == nil && !bytes.HasPrefix(status, []byte("HTTP/1.1 302 ")) {
		err = fmt.Errorf("answered %q", status)
	}
	length := 0
	for err == nil {
		var line []byte
		if line, err = r.ReadSlice('\n'); len(line) == len("\r\n") {
			_, err = r.Discard(length)
			return err
		}
		if digits, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			length, err = strconv.Atoi(string(bytes.TrimSpace(digits)))
		}
	}
	return err
}
