package frontend

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"cloudmirror"
)

// A guard tells requests with a valid admin token from others, and logs what operators
// do and which tokens are wrong. It is safe for concurrent use.
type guard struct {
	tokens   atomic.Pointer[[]cloudmirror.Token] // never nil
	metrics  *metrics
	proxies  proxies
	auditLog *zap.Logger

	warnings    rate.Sometimes // about wrong tokens
	wrongTokens atomic.Int64   // not logged yet
}

// bearer returns the token that a request carries, alone or with its name and a
// colon before it, as it is configured. Nothing about a wrong one can be learnt from
// how long it takes.
func (g *guard) bearer(r *http.Request) (t cloudmirror.Token, valid bool) {
	given := r.Header["Authorization"]
	if len(given) != 1 {
		return t, false
	}
	scheme, credentials, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return t, false
	}
	tokens, credentials := *g.tokens.Load(), strings.Trim(credentials, " ")
	if t, valid = findToken(tokens, credentials); valid {
		return t, true
	}
	name, rest, _ := strings.Cut(credentials, ":")
	t, valid = findToken(tokens, rest)
	return t, valid && name != "" && t.Name == name
}

// findToken returns the token whose bearer sends credentials. It compares with each.
func findToken(tokens []cloudmirror.Token, credentials string) (t cloudmirror.Token, valid bool) {
	hash, found := sha256.Sum256([]byte(credentials)), -1
	for i := range tokens {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], tokens[i].Hash[:]), i, found)
	}
	if found < 0 {
		return t, false
	}
	return tokens[found], true
}

// An operator is the sender of a request with a valid token.
type operator struct {
	address string
	token   cloudmirror.Token
}

// authorize lets requests with a valid token pass.
func (g *guard) authorize(r *http.Request) (op operator, refusal *answer) {
	if len(*g.tokens.Load()) == 0 {
		return op, refuse(administrationOff())
	}
	token, valid := g.bearer(r)
	if !valid {
		g.noteUnauthorized(r)
		return op, refuse(unauthorized(r.Header["Authorization"] != nil))
	}
	return operator{address: g.proxies.client(r).String(), token: token}, nil
}

// isOperator reports whether a request has a valid token, where one is not required. It
// counts wrong ones: the answer tells which tokens are right.
func (g *guard) isOperator(r *http.Request) (valid bool) {
	if r.Header["Authorization"] == nil {
		return false
	}
	if _, valid = g.bearer(r); !valid {
		g.noteUnauthorized(r)
	}
	return valid
}

// noteUnauthorized counts a request without a valid token and, at most once in
// logEvery, logs the wrong ones: how many came since the last line, and
// the address of the latest. The tokens themselves are nowhere.
func (g *guard) noteUnauthorized(r *http.Request) {
	if r.Header["Authorization"] == nil {
		g.metrics.tokenMissing.Inc()
		return
	}
	g.metrics.tokenWrong.Inc()
	g.wrongTokens.Add(1)
	g.warnings.Do(func() {
		g.auditLog.Warn("requests with wrong admin tokens",
			zap.Int64("count", g.wrongTokens.Swap(0)), zap.Stringer("latest", g.proxies.client(r)))
	})
}

// audit logs what an operator did, and the error if it did not succeed.
func (g *guard) audit(op operator, did string, err error, fields ...zap.Field) {
	fields = append(fields, zap.String("operator", op.address), zap.String("token", op.token.Fingerprint()))
	if op.token.Name != "" {
		fields = append(fields, zap.String("token_name", op.token.Name))
	}
	g.auditLog.Info(did, append(fields, zap.Error(err))...)
}
