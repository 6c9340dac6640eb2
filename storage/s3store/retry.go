package s3store

import (
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// maxConnectDelay bounds the wait before a connection that failed is tried again.
const maxConnectDelay = 200 * time.Millisecond

// A connectRetryer retries as the SDK does, but for connections that cannot be made:
// these cost the server nothing, and callers with a deadline of seconds learn why they
// failed, and not just that time was up.
type connectRetryer struct{ aws.Retryer }

// RetryDelay implements aws.Retryer.
func (r connectRetryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	delay, delayErr := r.Retryer.RetryDelay(attempt, err)
	dial, isNet := errors.AsType[*net.OpError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	if isCertificate || isNet && dial.Op == "dial" {
		delay = min(delay, maxConnectDelay)
	}
	return delay, delayErr
}
