package frontend

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// What a client is told of each failure that stays, with fallback origin and with
// none. A client that may get the object itself is never told that it cannot.
func TestAnswersToPermanentFailures(t *testing.T) {
	const isFallback = 302
	tests := map[cloudmirror.Code]struct {
		origin, none int
		outcome      outcome // with none
	}{
		cloudmirror.CodeURLNotAllowed:      {403, 403, outcomeDenied}, // a forbidden address, on any hop
		cloudmirror.CodeRedirectNotAllowed: {isFallback, 403, outcomeDenied},
		cloudmirror.CodeURLDirect:          {isFallback, 502, outcomeError}, // of copiers whose configuration is newer
		cloudmirror.CodeInvalidURL:         {isFallback, 502, outcomeError}, // of older copiers: a redirect to no URL
		cloudmirror.CodeObjectTooLarge:     {isFallback, 502, outcomeError},
		cloudmirror.CodeTooManyRedirects:   {isFallback, 502, outcomeError},
		cloudmirror.CodeOriginUnreachable:  {isFallback, 502, outcomeError}, // such as a certificate that copiers do not trust
		cloudmirror.CodeOriginTimeout:      {isFallback, 502, outcomeError},
		cloudmirror.CodeOriginTruncated:    {isFallback, 502, outcomeError}, // neither length nor digest
		cloudmirror.CodeDigestMismatch:     {isFallback, 502, outcomeError},
		cloudmirror.CodeObjectChanged:      {isFallback, 502, outcomeError},
		cloudmirror.CodeOriginPaused:       {isFallback, 502, outcomeError},
		cloudmirror.CodeCopierLost:         {isFallback, 502, outcomeError},
		cloudmirror.CodeStorageFailed:      {isFallback, 502, outcomeError},
		cloudmirror.CodeInternal:           {isFallback, 502, outcomeError},
		"OriginMalformed":                  {isFallback, 502, outcomeError},
		"OfANewerCopier":                   {isFallback, 502, outcomeError},
	}
	for _, code := range append(codes(t), "OfANewerCopier") {
		if code == cloudmirror.CodeOriginStatus {
			continue // see below
		}
		want, found := tests[code]
		if !found {
			t.Errorf("%s: decide what clients are told", code)
			continue
		}
		failure := &cache.FailedTry{Code: code, Message: "it failed", Permanent: true}
		checkFailure(t, failure, cloudmirror.FallbackOrigin, want.origin, map[bool]outcome{true: outcomeFallback, false: want.outcome}[want.origin == isFallback])
		checkFailure(t, failure, cloudmirror.FallbackNone, want.none, want.outcome)
	}
}

// The statuses of an origin: which are about the object, which about the copier
// that asked, and which are no answer at all.
func TestAnswersToPermanentStatuses(t *testing.T) {
	dependent := []int{401, 403, 405, 406, 407, 421, 426, 451}
	momentary := []int{408, 425, 429} // tried again until the copier gave up
	for status := 100; status < 600; status++ {
		failure := &cache.FailedTry{Code: cloudmirror.CodeOriginStatus, Message: "it failed", Status: status, Permanent: true}
		isOfClient := status >= 400 && status < 500 && !slices.Contains(momentary, status)
		switch {
		case slices.Contains(dependent, status):
			checkFailure(t, failure, cloudmirror.FallbackOrigin, 302, outcomeFallback)
			checkFailure(t, failure, cloudmirror.FallbackNone, status, outcomeError)
		case isOfClient:
			checkFailure(t, failure, cloudmirror.FallbackOrigin, status, outcomeError)
			checkFailure(t, failure, cloudmirror.FallbackNone, status, outcomeError)
		default:
			checkFailure(t, failure, cloudmirror.FallbackOrigin, 302, outcomeFallback)
			checkFailure(t, failure, cloudmirror.FallbackNone, 502, outcomeError)
		}
	}
}

// checkFailure compares the answer to a client whose copy failed just now, and a
// while ago.
func checkFailure(t *testing.T, failure *cache.FailedTry, fallback cloudmirror.Fallback, status int, o outcome) {
	t.Helper()
	object, err := cloudmirror.ParseObject("https://origin.test/a?b")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	for _, source := range []engine.Source{engine.FromCopy, engine.FromCache} {
		view := engine.View{Entry: cache.Entry{State: cache.Failed, Until: now.Add(time.Minute), Failure: failure}, Now: now, Source: source}
		rt := asAsked{}.route(client{}, &redirectTarget{target: target{object: object, backend: new(backend)}, redirectOptions: redirectOptions{fallback: fallback}})
		rt.passOn(view.Entry)
		a := failed(&rt, view)
		name := fmt.Sprintf("%s %d, fallback %s, source %v", failure.Code, failure.Status, fallback, source)
		if a.status != status || a.outcome != o {
			t.Errorf("%s: answered %d, counted as %s; want %d, %s", name, a.status, a.outcome, status, o)
		}
		switch {
		case status == 302 && (a.redirect == nil || a.redirect.location[0] != object.URL()):
			t.Errorf("%s: redirected to %v, want the URL asked for", name, a.redirect)
		case status != 302 && (a.redirect != nil || a.code != failure.Code || a.message != "It failed."):
			t.Errorf("%s: the error is %s %q", name, a.code, a.message)
		}
		if a.cache.detail != kebab(failure.Code) {
			t.Errorf("%s: the reason is %q", name, a.cache.detail)
		}
	}
}

// codes returns every code in failure.go.
func codes(t *testing.T) (all []cloudmirror.Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../failure.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cloudmirror.Code(code))
		return true
	})
	if !slices.Contains(all, cloudmirror.CodeURLNotAllowed) {
		t.Fatalf("failure.go has the codes %v", all)
	}
	return all
}
