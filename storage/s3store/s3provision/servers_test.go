package s3provision_test

import (
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"

	"cloudmirror/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const region = "eu-west-1"

// startMinIO skips the test unless CI's step for minio asks for it: its build
// takes minutes.
func startMinIO(t *testing.T) *servers.S3 {
	t.Helper()
	if os.Getenv("CLOUDMIRROR_MINIO") != "1" {
		t.Skip("runs on minio only if CLOUDMIRROR_MINIO=1, as in CI's step of its own; versitygw stands in for S3 otherwise")
	}
	return servers.StartMinIO(t, region)
}

// stranger returns a client without credentials.
func stranger(t testing.TB) *http.Client {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
