package sqsqueue

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A receipt is the handle of SQS behind the time at which its receive began, in
// milliseconds since 1970. By it Extend knows the end of SQS's 12 hours.
func receiptOf(handle *string, receivedAt time.Time) string {
	return strconv.FormatInt(receivedAt.UnixMilli(), 10) + ":" + aws.ToString(handle)
}

func parseReceipt(receipt string) (handle string, receivedAt time.Time, err error) {
	milliseconds, handle, found := strings.Cut(receipt, ":")
	since1970, err := strconv.ParseInt(milliseconds, 10, 64)
	if !found || err != nil {
		return "", time.Time{}, errors.New("the delivery has no receipt of this queue")
	}
	return handle, time.UnixMilli(since1970), nil
}
