package servers

import (
	"context"
	"slices"
	"syscall"
	"testing"

	"cloudmirror"
	"cloudmirror/test/lab"
)

// An S3 is a running S3 server of one region.
type S3 struct {
	lab.S3
	*Process
	command lab.Command
}

// StartVersityGW starts versitygw: see lab.S3.VersityGWCommand.
func StartVersityGW(t testing.TB, region string) *S3 {
	t.Helper()
	s, dir := newS3(t, region), t.TempDir() // absolute, as versitygw wants it
	var flags []string
	if !hasXattrs(dir) {
		// Metadata in files of its own: readers may see it with another
		// version's bytes, which S3 rules out.
		flags = []string{"--sidecar", t.TempDir()}
		t.Logf("no user xattrs in %s: versitygw is not atomic there, set TMPDIR to another file system", dir)
	}
	c, err := s.VersityGWCommand(dir, flags...)
	s.Process, s.command = start(t, c, err), c
	return s
}

// hasXattrs reports whether files below dir can have extended attributes of users.
func hasXattrs(dir string) bool {
	const name = "user.cloudmirror.probe"
	if err := syscall.Setxattr(dir, name, []byte{1}, 0); err != nil {
		return false
	}
	_ = syscall.Removexattr(dir, name)
	return true
}

// StartMinIO starts minio, which has lifecycle rules and x-amz-expiration as
// well. `make test` does without it; CI has a step of its own for it.
func StartMinIO(t testing.TB, region string) *S3 {
	t.Helper()
	s := newS3(t, region)
	c, err := s.MinIOCommand(t.TempDir())
	s.Process, s.command = start(t, c, err), c
	return s
}

func newS3(t testing.TB, region string) *S3 {
	t.Helper()
	s := &S3{S3: lab.NewS3("127.0.0.1:"+FreePort(t), region)}
	t.Cleanup(s.HTTPClient.CloseIdleConnections)
	return s
}

// Restart starts the server again at its address, after a Kill, with all that it
// had on disk, and with further flags. With --readonly versitygw refuses all changes.
func (s *S3) Restart(flags ...string) {
	s.t.Helper()
	s.Command.Args = slices.Concat(flags, s.command.Args)
	if err := s.Process.Restart(context.WithoutCancel(s.t.Context())); err != nil {
		s.t.Fatal(err)
	}
}

// CreateBucket creates a bucket with a name of its own and the policy of a bucket of
// copies, and returns its name: see lab.S3.CreateBucket.
func (s *S3) CreateBucket(t testing.TB, prefix string) string {
	t.Helper()
	bucket := "copies-" + cloudmirror.NewID()
	if err := s.S3.CreateBucket(t.Context(), bucket, prefix); err != nil {
		t.Fatal(err)
	}
	return bucket
}
