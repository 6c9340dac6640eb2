package cloudmirror_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"cloudmirror"
)

func TestClauseOfPlainErrors(t *testing.T) {
	failure := &cloudmirror.Failure{
		Code: cloudmirror.CodeOriginStatus, Message: "the origin answered 404 Not Found",
		Err: errors.New("get https://example.com/a: 404 Not Found"),
	}
	broken := &cloudmirror.Failure{Code: cloudmirror.CodeStorageFailed, Message: "The copy could not be stored.", Err: fmt.Errorf("filestore: put k: %w", fs.ErrPermission)}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"an error of our own", errors.New("queue: full"), "queue: full"},
		{"a deadline", fmt.Errorf("sqsqueue: count x: %w", context.DeadlineExceeded), "no answer in time"},
		{"a cancellation", fmt.Errorf("wait: %w", context.Canceled), "canceled"},
		{"a file", fmt.Errorf("filestore: put k: %w", &fs.PathError{Op: "open", Path: "/data/x", Err: fs.ErrPermission}), "open /data/x: permission denied"},
		{"a failure that the cause repeats", failure, "the origin answered 404 Not Found"},
		{"a failure with a cause", fmt.Errorf("job: %w", broken), "The copy could not be stored: filestore: put k: permission denied"},
		{"joined errors", errors.Join(failure, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF), "the origin answered 404 Not Found; unexpected EOF"},
		{"two causes of one sentence", fmt.Errorf("%w: %w", errors.New("mirror: unavailable"), context.DeadlineExceeded), "no answer in time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cloudmirror.Clause(tt.err); got != tt.want {
				t.Errorf("the clause is %q, want %q", got, tt.want)
			}
		})
	}
}

// hostile is an answer of a server that is called through an SDK.
type hostile struct{ code, message string }

func (h hostile) Error() string        { return h.code + h.message }
func (h hostile) ErrorCode() string    { return h.code }
func (h hostile) ErrorMessage() string { return h.message }

func TestClauseOfHostileText(t *testing.T) {
	long := strings.Repeat("é", 1<<19)
	tests := []struct{ name, text, want string }{
		{"lines", "a\nb\r\n\tc", "a b c"},
		{"control characters", "a\x00\x1b[31mb\u202ec\u200b", "a [31mb c"},
		{"invalid UTF-8", "a\xff\xfeb", "a b"},
		{"a query", `Get "https://example.com/a?X-Amz-Signature=secret&b=c": refused`, `Get "https://example.com/a?…": refused`},
		{"a query without a host", `GET /a?token=secret, refused`, `GET /a?…, refused`},
		{"a question", "is it there? no", "is it there? no"},
		{"a user", "redis://me:secret@host:1/0 refused", "redis://host:1/0 refused"},
		{"a password with a slash", "redis://:se/cret@host:1 refused", "redis://host:1 refused"},
		{"a user of the web", "http://me:secret@host/@scope/a", "http://host/@scope/a"},
		{"two URLs in a word", "a=http://h/,http://me:secret@i/", "a=http://h/,http://i/"},
		{"a megabyte", long, strings.Repeat("é", 118) + "…"},
		{"a megabyte of secrets", "https://h/?a=" + strings.Repeat("secret", 1<<18), "https://h/?…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, err := range []error{errors.New(tt.text), hostile{code: tt.text}} {
				if got := cloudmirror.Clause(err); got != tt.want {
					t.Errorf("%T: the clause is %q, want %q", err, got, tt.want)
				}
			}
		})
	}
}

func TestClausesAreShortAndPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")) + rapid.String().Draw(t, "more")
		for _, err := range []error{errors.New(text), hostile{text, text}, errors.Join(errors.New(text), errors.New(text+"x"))} {
			got := cloudmirror.Clause(err)
			if len(got) > cloudmirror.MaxClauseBytes || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("the clause is %q", got)
			}
		}
	})
}

func TestBriefKeepsWhatWasDone(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7002}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	sent := &url.Error{Op: "Get", URL: "http://127.0.0.1:7002/a?secret=1", Err: refused}
	failure := &cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable, Message: "the origin cannot be reached", Err: fmt.Errorf("get http://h/a?…: %w", sent)}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("queue:\nfull"), "queue: full"},
		{fmt.Errorf("s3store: list b: %w", sent), "s3store: list b: connection refused (127.0.0.1:7002)"},
		{fmt.Errorf("%w: %w", errors.New("unavailable"), sent), "unavailable: connection refused (127.0.0.1:7002)"},
		{fmt.Errorf("bury: %w", failure), "bury: OriginUnreachable: the origin cannot be reached: get http://h/a?…: connection refused (127.0.0.1:7002)"},
		{errors.Join(failure.Err, sent), "get http://h/a?…: connection refused (127.0.0.1:7002); connection refused (127.0.0.1:7002)"},
	} {
		if got := cloudmirror.Brief(tt.err); got != tt.want {
			t.Errorf("in brief %q, want %q", got, tt.want)
		}
	}
	if got := cloudmirror.Brief(errors.New(strings.Repeat("a", 1<<20))); len(got) != cloudmirror.MaxBriefBytes {
		t.Errorf("in brief %d bytes", len(got))
	}
}
