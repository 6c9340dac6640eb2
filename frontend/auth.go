package frontend

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

// A Token is the SHA-256 of a bearer token. The token itself is not kept.
type Token [sha256.Size]byte

// ParseToken reads a token as it is configured: `sha256:` and 64 hexadecimal
// digits, or the token itself. The error does not repeat it.
func ParseToken(text string) (Token, error) {
	digits, hashed := strings.CutPrefix(text, "sha256:")
	if !hashed {
		if text == "" {
			return Token{}, errors.New("frontend: a token is empty")
		}
		return sha256.Sum256([]byte(text)), nil
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != sha256.Size {
		return Token{}, fmt.Errorf("frontend: sha256: must be followed by %d hexadecimal digits", 2*sha256.Size)
	}
	return Token(sum), nil
}

// fingerprint names a token in logs.
func (t Token) fingerprint() string { return hex.EncodeToString(t[:4]) }

// bearer returns the token that a request carries. Nothing about a wrong one can
// be learnt from how long it takes.
func (f *Frontend) bearer(r *http.Request) (t Token, valid bool) {
	given := r.Header["Authorization"]
	if len(given) != 1 {
		return t, false
	}
	scheme, credentials, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return t, false
	}
	t = sha256.Sum256([]byte(strings.Trim(credentials, " ")))
	matches := 0
	for _, known := range f.tokens {
		matches |= subtle.ConstantTimeCompare(t[:], known[:])
	}
	return t, matches == 1
}

// An operator is who sent a request with a valid token.
type operator struct {
	address     string
	fingerprint string
}

// authorize lets requests with a valid token pass.
func (f *Frontend) authorize(r *http.Request) (who operator, refusal *answer) {
	if len(f.tokens) == 0 {
		return who, refuse(administrationOff())
	}
	token, valid := f.bearer(r)
	if !valid {
		f.noteUnauthorized(r)
		return who, refuse(unauthorized(r.Header["Authorization"] != nil))
	}
	return operator{address: f.proxies.client(r).String(), fingerprint: token.fingerprint()}, nil
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
	f.auditLog.Info(did, append(fields,
		zap.String("operator", who.address), zap.String("token", who.fingerprint), zap.Error(err))...)
}
