package frontend

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"cloudmirror"
)

// SetTokens replaces the tokens that are valid: a request that is being answered
// counts by either, each later one by these alone. It may be called at any time;
// the caller does not change the slice any more.
func (f *Frontend) SetTokens(tokens []cloudmirror.Token) { f.tokens.Store(&tokens) }

// bearer returns the token that a request carries, alone or with its name and a
// colon before it, as it is configured. Nothing about a wrong one can be learnt from
// how long it takes.
func (f *Frontend) bearer(r *http.Request) (t cloudmirror.Token, valid bool) {
	given := r.Header["Authorization"]
	if len(given) != 1 {
		return t, false
	}
	scheme, credentials, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return t, false
	}
	tokens, credentials := *f.tokens.Load(), strings.Trim(credentials, " ")
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
func (f *Frontend) authorize(r *http.Request) (who operator, refusal *answer) {
	if len(*f.tokens.Load()) == 0 {
		return who, refuse(administrationOff())
	}
	token, valid := f.bearer(r)
	if !valid {
		f.noteUnauthorized(r)
		return who, refuse(unauthorized(r.Header["Authorization"] != nil))
	}
	return operator{address: f.proxies.client(r).String(), token: token}, nil
}

// isOperator reports whether a request has a valid token, where one is not required. It
// counts wrong ones: the answer tells which tokens are right.
func (f *Frontend) isOperator(r *http.Request) (valid bool) {
	if r.Header["Authorization"] == nil {
		return false
	}
	if _, valid = f.bearer(r); !valid {
		f.noteUnauthorized(r)
	}
	return valid
}

// noteUnauthorized counts a request without a valid token and, at most once in
// logEvery, logs the wrong ones: how many came since the last line, and
// the address of the latest. The tokens themselves are nowhere.
func (f *Frontend) noteUnauthorized(r *http.Request) {
	if r.Header["Authorization"] == nil {
		f.metrics.tokenMissing.Inc()
		return
	}
	f.metrics.tokenWrong.Inc()
	f.wrongTokens.Add(1)
	f.suspicions.Do(func() {
		f.auditLog.Warn("requests with wrong admin tokens",
			zap.Int64("count", f.wrongTokens.Swap(0)), zap.Stringer("latest", f.proxies.client(r)))
	})
}

// audit logs what an operator did, and the error if it did not succeed.
func (f *Frontend) audit(who operator, did string, err error, fields ...zap.Field) {
	fields = append(fields, zap.String("operator", who.address), zap.String("token", who.token.Fingerprint()))
	if who.token.Name != "" {
		fields = append(fields, zap.String("token_name", who.token.Name))
	}
	f.auditLog.Info(did, append(fields, zap.Error(err))...)
}
