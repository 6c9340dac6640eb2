package frontend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"cloudmirror/api"
	"cloudmirror/queue"
)

// maxDeadLetterIDBytes bounds the ids that answers and logs repeat. Those of queues
// have 36.
const maxDeadLetterIDBytes = 128

// maxAuditedIDs is how many letters one line of the log names.
const maxAuditedIDs = 100

// A handling does something to letters.
type handling func(queue.DeadLetters, context.Context, queue.Choice) ([]queue.Handled, error)

// redriveDeadLetters answers POST of /v1/dead-letters/:service/:region/redrive.
func (ad *administration) redriveDeadLetters(r *http.Request) answer {
	return ad.handleDeadLetters(r, api.RedriveSuffix, "redrive dead letters", queue.DeadLetters.Redrive)
}

// dropDeadLetters answers POST of /v1/dead-letters/:service/:region/drop.
func (ad *administration) dropDeadLetters(r *http.Request) answer {
	return ad.handleDeadLetters(r, api.DropSuffix, "drop dead letters", queue.DeadLetters.Drop)
}

func (ad *administration) handleDeadLetters(r *http.Request, suffix, did string, do handling) answer {
	who, b, _, refusal := ad.findDeadLetters(r, suffix)
	if refusal != nil {
		return *refusal
	}
	var asked api.DeadLetterChoice
	if refusal = readBody(r, &asked); refusal != nil {
		return *refusal
	}
	if asked.All == (len(asked.IDs) > 0) || len(asked.IDs) > api.MaxDeadLetters {
		return invalidRequest(fmt.Errorf("the body must have either all, or 1 to %d ids", api.MaxDeadLetters))
	}
	if i := slices.IndexFunc(asked.IDs, func(id string) bool { return len(id) > maxDeadLetterIDBytes }); i >= 0 {
		return invalidRequest(fmt.Errorf("ids[%d] has %d bytes, at most %d are allowed", i, len(asked.IDs[i]), maxDeadLetterIDBytes))
	}
	handled, err := do(b.deadLetters, r.Context(), queue.Choice{IDs: asked.IDs, All: asked.All})
	body := ad.sortHandled(b, handled)
	body.Complete = err == nil
	ad.guard.audit(who, did, err, zap.Stringer("backend", b.id), zap.Bool("all", asked.All),
		zap.Int("done", len(body.Done)), zap.Int("refused", len(body.Refused)),
		zap.Strings("letters", body.Done[:min(len(body.Done), maxAuditedIDs)]))
	if err != nil && len(handled) == 0 {
		return unavailable("The dead letters cannot be reached now; try again later.")
	}
	body.Count = b.countDeadLetters(r.Context())
	return okJSON(body)
}

// sortHandled tells apart what was done and what was not.
func (ad *administration) sortHandled(b *backend, handled []queue.Handled) api.HandledDeadLetters {
	body := api.HandledDeadLetters{Service: b.id.Service, Region: b.id.Region, Done: []string{}, Refused: []api.RefusedDeadLetter{}}
	for _, h := range handled {
		refused := api.RefusedDeadLetter{ID: h.Letter.ID}
		switch {
		case h.Err == nil:
			body.Done = append(body.Done, h.Letter.ID)
			continue
		case errors.Is(h.Err, queue.ErrNoDeadLetter):
			refused.Code, refused.Message = api.CodeUnknownDeadLetter, "No such letter was found; perhaps somebody else handles it."
		case errors.Is(h.Err, queue.ErrMalformed):
			refused.Code, refused.Message = api.CodeMalformedDeadLetter, "The letter is no job; it can only be dropped."
		default:
			refused.Code, refused.Message = api.CodeUnavailable, "The queue failed; look again what became of the letter."
			ad.logger.Warn("a dead letter could not be handled", zap.Stringer("backend", b.id), zap.String("letter", h.Letter.ID), zap.Error(h.Err))
		}
		body.Refused = append(body.Refused, refused)
	}
	return body
}
