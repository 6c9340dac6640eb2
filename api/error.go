package api

import "cloudmirror"

// An Error is the body of every answer with a status of 400 or more.
type Error struct {
	Code      cloudmirror.Code `json:"code"`
	Message   string           `json:"message"` // one sentence
	RequestID string           `json:"request_id"`
}

// Codes of errors, beside those of a copy's failures, which [cloudmirror.Code] lists.
const (
	CodeNotFound            cloudmirror.Code = "NotFound"
	CodeMethodNotAllowed    cloudmirror.Code = "MethodNotAllowed"
	CodeUnknownBackend      cloudmirror.Code = "UnknownBackend"
	CodeInvalidOption       cloudmirror.Code = "InvalidOption"
	CodeInvalidRequest      cloudmirror.Code = "InvalidRequest"
	CodeRequestTooLarge     cloudmirror.Code = "RequestTooLarge"
	CodeLoopDetected        cloudmirror.Code = "LoopDetected"
	CodeUnauthorized        cloudmirror.Code = "Unauthorized"
	CodeAdministrationOff   cloudmirror.Code = "AdministrationOff"
	CodeUnknownJob          cloudmirror.Code = "UnknownJob"
	CodeUnknownDeadLetter   cloudmirror.Code = "UnknownLetter"
	CodeMalformedDeadLetter cloudmirror.Code = "MalformedLetter"
	CodeTooManyJobs         cloudmirror.Code = "TooManyJobs"
	CodeWaitTimeout         cloudmirror.Code = "WaitTimeout"
	CodeRedirectNow         cloudmirror.Code = "RedirectNow"
	CodeTooManyWaiters      cloudmirror.Code = "TooManyWaiters"
	CodeTooManyRequests     cloudmirror.Code = "TooManyRequests"
	CodeDraining            cloudmirror.Code = "Draining"
	CodeUnavailable         cloudmirror.Code = "Unavailable" // also of a copy that a job gave up on
	CodeRegionUnreachable   cloudmirror.Code = "RegionUnreachable"
	CodePurgeFailed         cloudmirror.Code = "PurgeFailed"
)
