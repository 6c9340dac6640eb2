package frontend

import (
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"
)

// answerPanic answers a request whose handler panicked with a 500 in the one shape
// of errors, and logs where it panicked. If the answer has begun, the connection is broken instead: its
// client must not take what it got for the whole.
func (f *Frontend) answerPanic(w http.ResponseWriter, r *http.Request, cause any) {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	f.core.logger.Error("a request panicked", zap.String("method", r.Method), zap.String("panic", cut(fmt.Sprint(cause), maxMessageBytes)), zap.Stack("stack"))
	if len(w.Header()) > 1 { // more than X-Request-Id
		panic(http.ErrAbortHandler)
	}
	f.core.write(w, r, internalError())
}
