package frontend

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"cloudmirror"
	"cloudmirror/api"
)

// maxBodyBytes bounds the body of a request. The largest is one to warm.
const maxBodyBytes = api.MaxWarmURLs * cloudmirror.MaxURLBytes

// readBody reads a body that is one JSON value with known members. The refusal says what
// is wrong with another one.
func readBody(r *http.Request, into any) (refusal *answer) {
	decoder := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBodyBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		if _, isTooLarge := errors.AsType[*http.MaxBytesError](err); isTooLarge {
			return refuse(requestTooLarge())
		}
		return refuse(invalidRequest(fmt.Errorf("the body is not the JSON that is wanted here: %w", withoutGoTypes(err))))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return refuse(invalidRequest(errors.New("the body is more than one JSON value")))
	}
	return nil
}

// withoutGoTypes returns an error of encoding/json as clients can read it.
func withoutGoTypes(err error) error {
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	wanted := map[reflect.Kind]string{reflect.Struct: "object", reflect.Slice: "array"}[e.Type.Kind()]
	return fmt.Errorf("%s has a JSON %s where a JSON %s is wanted", cmp.Or(e.Field, "it"), e.Value, cmp.Or(wanted, e.Type.Kind().String()))
}
