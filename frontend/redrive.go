package frontend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/queue"
)

const (
	redriveSuffix = "/redrive"
	dropSuffix    = "/drop"
)

// maxLetterIDBytes bounds the ids that answers and logs repeat. Those of queues
// have 36.
const maxLetterIDBytes = 128

// maxAuditedIDs is how many letters one line of the log names.
const maxAuditedIDs = 100

type handleBody struct {
	IDs []string `json:"ids"`
	All bool     `json:"all"` // so many as one request handles
}

// handledBody says what came of a request to redrive or drop.
type handledBody struct {
	Service  string          `json:"service"`
	Region   string          `json:"region"`
	Done     []string        `json:"done"` // ids
	Refused  []refusedLetter `json:"refused"`
	Complete bool            `json:"complete"` // false: the queue failed before the rest
	Count    *int            `json:"count"`    // of the letters that are left, about; null: not known
}

type refusedLetter struct {
	ID      string           `json:"id"`
	Code    cloudmirror.Code `json:"code"`
	Message string           `json:"message"`
}

// A handling does something to letters.
type handling func(queue.DeadLetters, context.Context, queue.Choice) ([]queue.Handled, error)

// redriveLetters answers POST of /v1/dead-letters/:service/:region/redrive.
func (ad *administration) redriveLetters(r *http.Request) answer {
	return ad.handleLetters(r, redriveSuffix, "redrive dead letters", queue.DeadLetters.Redrive)
}

// dropLetters answers POST of /v1/dead-letters/:service/:region/drop.
func (ad *administration) dropLetters(r *http.Request) answer {
	return ad.handleLetters(r, dropSuffix, "drop dead letters", queue.DeadLetters.Drop)
}

func (ad *administration) handleLetters(r *http.Request, suffix, did string, do handling) answer {
	who, b, _, refusal := ad.findLetters(r, suffix)
	if refusal != nil {
		return *refusal
	}
	var asked handleBody
	if err := readJSON(r, &asked); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return requestTooLarge()
		}
		return invalidRequest(err)
	}
	if asked.All == (len(asked.IDs) > 0) || len(asked.IDs) > queue.MaxLetters {
		return invalidRequest(fmt.Errorf("the body must have either all, or 1 to %d ids", queue.MaxLetters))
	}
	if i := slices.IndexFunc(asked.IDs, func(id string) bool { return len(id) > maxLetterIDBytes }); i >= 0 {
		return invalidRequest(fmt.Errorf("ids[%d] has %d bytes, at most %d are allowed", i, len(asked.IDs[i]), maxLetterIDBytes))
	}
	handled, err := do(b.letters, r.Context(), queue.Choice{IDs: asked.IDs, All: asked.All})
	body := ad.sortHandled(b, handled)
	body.Complete = err == nil
	ad.guard.audit(who, did, err, zap.Stringer("backend", b.id), zap.Bool("all", asked.All),
		zap.Int("done", len(body.Done)), zap.Int("refused", len(body.Refused)),
		zap.Strings("letters", body.Done[:min(len(body.Done), maxAuditedIDs)]))
	if err != nil && len(handled) == 0 {
		return unavailable("The dead letters cannot be reached now; try again later.")
	}
	body.Count = b.countLetters(r.Context())
	return okJSON(body)
}

// sortHandled tells apart what was done and what was not.
func (ad *administration) sortHandled(b *backend, handled []queue.Handled) handledBody {
	body := handledBody{Service: b.id.Service, Region: b.id.Region, Done: []string{}, Refused: []refusedLetter{}}
	for _, h := range handled {
		refused := refusedLetter{ID: h.Letter.ID}
		switch {
		case h.Err == nil:
			body.Done = append(body.Done, h.Letter.ID)
			continue
		case errors.Is(h.Err, queue.ErrNoLetter):
			refused.Code, refused.Message = codeUnknownLetter, "No such letter was found; perhaps somebody else handles it."
		case errors.Is(h.Err, queue.ErrMalformed):
			refused.Code, refused.Message = codeMalformedLetter, "The letter is no job; it can only be dropped."
		default:
			refused.Code, refused.Message = codeUnavailable, "The queue failed; look again what became of the letter."
			ad.logger.Warn("a dead letter could not be handled", zap.Stringer("backend", b.id), zap.String("letter", h.Letter.ID), zap.Error(h.Err))
		}
		body.Refused = append(body.Refused, refused)
	}
	return body
}
