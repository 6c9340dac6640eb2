package cloudmirror_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"cloudmirror"
)

// refusal is an answer of Redis.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) RedisError()     {}

func TestClauseOfPlacedErrors(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 6379}, Err: syscall.ECONNREFUSED}
	origins := &cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Message: "the origin is too slow"}
	tests := []struct {
		name, address string
		err           error
		want          string
	}{
		{"a deadline", "10.0.0.1:6379", context.DeadlineExceeded, "no answer in time (10.0.0.1:6379)"},
		{"a connection that ends", "10.0.0.1:6379", io.EOF, "the connection was closed (10.0.0.1:6379)"},
		{"an answer that ends", "10.0.0.1:6379", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "the connection was closed (10.0.0.1:6379)"},
		{"an answer of Redis", "10.0.0.1:6379", refusal("NOAUTH Authentication required."), "NOAUTH Authentication required (10.0.0.1:6379)"},
		{"a URL", "https://user:secret@s3.example.com:9000/x?token=secret", context.DeadlineExceeded, "no answer in time (s3.example.com:9000)"},
		{"words of the driver", "10.0.0.1:6379", errors.New("the object was replaced"), "the object was replaced (10.0.0.1:6379)"},
		{"words that have the address", "10.0.0.1:6379", errors.New("10.0.0.1:6379 is a Sentinel"), "10.0.0.1:6379 is a Sentinel"},
		{"no address", "", errors.New("the object was replaced"), "the object was replaced"},
		{"an address of its own", "10.0.0.1:6379", refused, "connection refused (10.0.0.9:6379)"},
		{"the failure of an origin", "10.0.0.1:9000", fmt.Errorf("read the body: %w", origins), "the origin is too slow"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := fmt.Errorf("s3store: put 0123456789abcdef: %w", cloudmirror.At(tt.address, tt.err))
			if got := cloudmirror.Clause(err); got != tt.want {
				t.Errorf("the clause is %q, want %q", got, tt.want)
			}
			if got, want := cloudmirror.Brief(err), "s3store: put 0123456789abcdef: "+tt.want; got != want {
				t.Errorf("the brief is %q, want %q", got, want)
			}
			if !errors.Is(err, tt.err) {
				t.Error("the error is not in the chain")
			}
		})
	}
	if err := cloudmirror.At("10.0.0.1:6379", nil); err != nil {
		t.Errorf("of nil: %v", err)
	}
}
