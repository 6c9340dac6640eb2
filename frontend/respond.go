package frontend

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// This file holds every answer that the front end gives, and with it every
// status code. Redirects, errors and JSON are no-store without exception (see
// the package comment); only a document has a Cache-Control of its own.

// retryAfter is when a client may ask again, if nothing else says so.
const retryAfter = 5 * time.Second

// An answer is all that a client is told. At most one of redirect, code, json
// and document is set and says what the body is.
type answer struct {
	status  int
	cache   cacheStatus
	outcome outcome // of redirect requests

	redirect *redirect
	code     cloudmirror.Code // of an error
	message  string           // of an error, one sentence
	location string           // with json: where what was made is
	json     any
	report   *api.PurgeReport // with code: of a purge that failed
	document *document

	retryAfter time.Duration // 0: not said
	challenge  string        // WWW-Authenticate
}

// A document is a page or a file: a body that is not encoded from a value.
type document struct {
	contentType  string
	cacheControl string
	security     string // Content-Security-Policy; "": none
	body         string
}

// toCopy redirects to a present copy.
func toCopy(to *redirect, v engine.View) answer {
	a := answer{status: http.StatusFound, redirect: to}
	ttl := v.Entry.Until.Sub(v.Now)
	switch v.Source {
	case engine.FromCache:
		a.outcome, a.cache = outcomeHit, cacheStatus{hit: true, ttl: ttl}
	case engine.FromStorage:
		a.outcome, a.cache = outcomeBackfill, cacheStatus{hit: true, ttl: ttl, detail: "backfill"}
	case engine.FromCopy:
		a.outcome, a.cache = outcomeMiss, cacheStatus{miss: true, stored: true}
	}
	return a
}

// toOriginDirectly redirects to the origin of an object that is never copied. The
// client's fallback does not matter: no copy is missing.
func toOriginDirectly(to *redirect) answer {
	return answer{status: http.StatusFound, redirect: to, outcome: outcomeDirect, cache: cacheStatus{bypass: true, detail: "direct"}}
}

// fallBack answers a client that cannot have the copy now: with a redirect to
// the origin or, if the route excludes it, with an error.
func fallBack(rt *route, status int, code cloudmirror.Code, message string, retry time.Duration) answer {
	a := answer{cache: cacheStatus{miss: true, detail: kebab(code)}}
	if rt.leadsToOrigin() {
		a.status, a.outcome = http.StatusFound, outcomeFallback
		a.redirect = newRedirect(originOf(rt.target.object))
		return a
	}
	a.status, a.outcome, a.code, a.message, a.retryAfter = status, outcomeError, code, message, retry
	return a
}

// notYet answers a client for which there is no copy yet; why says what ended its wait.
func notYet(rt *route, why cloudmirror.Code) answer {
	switch why {
	case api.CodeTooManyWaiters:
		return fallBack(rt, http.StatusServiceUnavailable, why, "Too many requests wait for copies; try again later.", retryAfter)
	case api.CodeTooManyRequests:
		return fallBack(rt, http.StatusTooManyRequests, why, "Too many requests of this client wait for copies; try again later.", retryAfter)
	case api.CodeDraining:
		return fallBack(rt, http.StatusServiceUnavailable, why, "This server is about to stop; try again.", time.Second)
	case api.CodeRedirectNow:
		return fallBack(rt, http.StatusGatewayTimeout, why, "The copy is made in the background; this service does not wait for it.", retryAfter)
	default:
		return fallBack(rt, http.StatusGatewayTimeout, api.CodeWaitTimeout, "The copy was not ready in time; it is made in the background.", retryAfter)
	}
}

// unavailableCopy answers a client while the cache, the queue or the storage is down.
func unavailableCopy(rt *route) answer {
	return fallBack(rt, http.StatusServiceUnavailable, api.CodeUnavailable, "The cache, the queue or the storage of this region is unavailable; try again later.", retryAfter)
}

// unreachable answers a client of a region whose copies cannot be fetched now. None
// is looked up or made on its behalf: it could not be fetched either.
func unreachable(rt *route) answer {
	return fallBack(rt, http.StatusServiceUnavailable, api.CodeRegionUnreachable, "The copies of this region cannot be fetched now; try again later.", retryAfter)
}

// failed answers a client whose copy failed. Final is what the origin said of the
// object itself, and a forbidden address. Any other failure may be the copier's
// alone: the client may still get the object from the URL that it asked for, and
// never from where that redirects.
func failed(rt *route, v engine.View) answer {
	failure := v.Entry.Failure
	if status, outcome := finalStatus(failure); status != 0 {
		if rt.leadsToOrigin() {
			a := fallBack(rt, 0, failure.Code, "", 0)
			a.cache.fwdStatus = failure.Status
			return a
		}
		return remembered(answer{status: status, code: failure.Code, message: sentence(failure.Message), outcome: outcome}, v)
	}
	retry := retryAfter
	if !failure.Permanent {
		retry = min(max(failure.RetryAt.Sub(v.Now), time.Second), time.Minute)
	}
	return fallBack(rt, http.StatusBadGateway, failure.Code, sentence(failure.Message), retry)
}

// remembered says where an error comes from: the cache, or a try just now.
func remembered(a answer, v engine.View) answer {
	a.cache = cacheStatus{detail: kebab(a.code)}
	if v.Source == engine.FromCopy {
		a.cache.miss, a.cache.fwdStatus = true, v.Entry.Failure.Status
	} else {
		a.cache.hit, a.cache.ttl = true, v.Entry.Until.Sub(v.Now)
	}
	return a
}

// problem is an error that has nothing to do with what the cache knows.
func problem(status int, o outcome, code cloudmirror.Code, message string) answer {
	return answer{status: status, outcome: o, code: code, message: message, cache: cacheStatus{detail: kebab(code)}}
}

func unknownRoute() answer {
	return problem(http.StatusNotFound, outcomeDenied, api.CodeNotFound, "There is nothing at this path; /openapi.json describes what there is.")
}

func methodNotAllowed() answer {
	return problem(http.StatusMethodNotAllowed, outcomeDenied, api.CodeMethodNotAllowed, "The method is not allowed here; the Allow header names those that are.")
}

func unknownBackend() answer {
	return problem(http.StatusNotFound, outcomeDenied, api.CodeUnknownBackend, "There is no such service or region; /v1/backends lists them.")
}

func invalidURL(err error) answer {
	return problem(http.StatusBadRequest, outcomeDenied, cloudmirror.CodeInvalidURL, sentence(err.Error()))
}

func notAllowed() answer {
	return problem(http.StatusForbidden, outcomeDenied, cloudmirror.CodeURLNotAllowed, "The URL is not allowed for this service.")
}

// neverCopied refuses to make a copy of a direct URL, which an element of the
// request names.
func neverCopied(element string) answer {
	return problem(http.StatusBadRequest, outcomeDenied, cloudmirror.CodeURLDirect, "The URL of "+element+" is direct: this service answers it with its origin, and never copies it.")
}

// invalidTarget refuses what ParseTarget does.
func invalidTarget(err error) answer {
	if _, isOption := errors.AsType[*cloudmirror.OptionError](err); isOption {
		return invalidOption(err)
	}
	return invalidURL(err)
}

func invalidOption(err error) answer {
	return problem(http.StatusBadRequest, outcomeDenied, api.CodeInvalidOption, sentence(err.Error()))
}

func invalidRequest(err error) answer {
	return problem(http.StatusBadRequest, outcomeDenied, api.CodeInvalidRequest, sentence(err.Error()))
}

func requestTooLarge() answer {
	return problem(http.StatusRequestEntityTooLarge, outcomeDenied, api.CodeRequestTooLarge, "The request's body is too large.")
}

func loopDetected() answer {
	return problem(http.StatusLoopDetected, outcomeDenied, api.CodeLoopDetected, "The request came from a copier of this deployment: the origin URL leads back to it.")
}

func administrationOff() answer {
	return problem(http.StatusForbidden, outcomeDenied, api.CodeAdministrationOff, "This server has no admin tokens configured, so nothing can be changed through it.")
}

func unauthorized(tried bool) answer {
	a := problem(http.StatusUnauthorized, outcomeDenied, api.CodeUnauthorized, "This request needs the header Authorization: Bearer <admin token>.")
	a.challenge = `Bearer realm="cloudmirror"`
	if tried {
		a.message = "The admin token is not valid."
		a.challenge += `, error="invalid_token"`
	}
	return a
}

func unavailable(message string) answer {
	a := problem(http.StatusServiceUnavailable, outcomeError, api.CodeUnavailable, message)
	a.retryAfter = retryAfter
	return a
}

func draining() answer {
	a := problem(http.StatusServiceUnavailable, outcomeError, api.CodeDraining, "This server is about to stop; try again.")
	a.retryAfter = time.Second
	return a
}

func unknownJob() answer {
	return problem(http.StatusNotFound, outcomeDenied, api.CodeUnknownJob, "There is no such job, or not any more: jobs are known for a day after they end.")
}

func tooManyJobs() answer {
	a := problem(http.StatusTooManyRequests, outcomeDenied, api.CodeTooManyJobs, "Too many jobs are running; try again later.")
	a.retryAfter = time.Minute
	return a
}

func internalError() answer {
	return problem(http.StatusInternalServerError, outcomeError, cloudmirror.CodeInternal, "An internal error; the server's log has it under the request_id.")
}

// gone is for a client that left. One that only closed its sending side, which
// looks alike, still reads the answer.
func gone(a answer) answer {
	a.outcome = outcomeGone
	return a
}

// notPurged answers a purge that failed in at least one region.
func notPurged(report api.PurgeReport) answer {
	a := problem(http.StatusBadGateway, outcomeError, api.CodePurgeFailed,
		sentence("the object may still be in "+strings.Join(failedRegions(report), ", ")+"; purge it again"))
	a.report, a.retryAfter = &report, retryAfter
	return a
}

// foreignAddress refuses the URL of another mirror where a URL of this one may stand.
func foreignAddress(server string) answer {
	return invalidURL(fmt.Errorf("the URL is one of another mirror, %s: ask that one, or give the origin's URL, which `cloudmirror rewrite --decode` prints", cut(server, 128)))
}

// unreadableAddress refuses a URL of this server that leads to no copy.
func unreadableAddress() answer {
	return invalidURL(errors.New("the URL is one of this server, and neither a redirect's nor a copy's: give it whole, or the origin's"))
}

func purged() answer { return answer{status: http.StatusNoContent} }

func accepted(location string, body any) answer {
	return answer{status: http.StatusAccepted, location: location, json: body}
}

func okJSON(body any) answer { return answer{status: http.StatusOK, json: body} }

func okDocument(d document) answer { return answer{status: http.StatusOK, document: &d} }

// publicState is a state as clients see it.
func publicState(s cache.State) string {
	switch s {
	case cache.Present:
		return api.StatePresent
	case cache.Reserved, cache.Queued, cache.Copying:
		return api.StatePending
	case cache.Failed:
		return api.StateError
	case cache.Absent, cache.Tombstone, cache.Fenced, cache.Evicting:
	}
	return api.StateAbsent
}
