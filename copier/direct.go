package copier

import (
	"context"

	"cloudmirror"
	"cloudmirror/engine"
)

// refuseDirect ends an attempt at an object that is never copied. Its job was sent
// before the URL was made direct, or by a front end whose configuration is older.
func (t *task) refuseDirect(ctx context.Context, attempt *engine.Attempt) (result, error) {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	return t.failAttempt(ctx, closing, attempt, &cloudmirror.Failure{
		Code: cloudmirror.CodeURLDirect, Permanent: true,
		Message: "this service answers the URL with its origin, and never copies it",
	})
}
