package frontend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/queue"
)

// countTimeout bounds counting the dead letters of a backend.
const countTimeout = 2 * time.Second

// deadLetters answers GET of /v1/dead-letters/:service/:region. Query strings of
// URLs may be secrets: they are only shown to operators that ask for letters in full,
// which the log says.
func (ad *administration) deadLetters(r *http.Request) answer {
	who, b, query, refusal := ad.findDeadLetters(r, "")
	if refusal != nil {
		return *refusal
	}
	limit, full, err := deadLetterOptions(query)
	if err != nil {
		return invalidOption(err)
	}
	choice := queue.Choice{All: true, Limit: limit}
	if id := query.Get("id"); id != "" {
		choice = queue.Choice{IDs: []string{id}}
	}
	letters, err := b.deadLetters.Letters(r.Context(), choice)
	ad.guard.audit(who, "read dead letters", err, zap.Stringer("backend", b.id), zap.Int("letters", len(letters)), zap.Bool("full", full))
	if err != nil {
		return unavailable("The dead letters cannot be read now; try again later.")
	}
	slices.SortStableFunc(letters, func(x, y queue.Letter) int { return x.BuriedAt.Compare(y.BuriedAt) })
	body := api.DeadLetterList{
		Service: b.id.Service, Region: b.id.Region,
		DeadLetters: make([]api.DeadLetter, 0, len(letters)), Count: b.countDeadLetters(r.Context()),
	}
	for _, l := range letters {
		body.DeadLetters = append(body.DeadLetters, describeDeadLetter(l, full))
	}
	return okJSON(body)
}

func deadLetterOptions(query url.Values) (limit int, full bool, err error) {
	limit = api.DefaultDeadLetters
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > api.MaxDeadLetters {
			return 0, false, fmt.Errorf("limit must be 1 to %d", api.MaxDeadLetters)
		}
	}
	if text := query.Get("full"); text != "" {
		if full, err = strconv.ParseBool(text); err != nil {
			return 0, false, errors.New("full must be true or false")
		}
	}
	return limit, full, nil
}

func describeDeadLetter(l queue.Letter, full bool) api.DeadLetter {
	body := api.DeadLetter{ID: l.ID, Reason: l.Reason, BuriedAt: timestamp(l.BuriedAt), Receives: l.Receives, BodyBytes: len(l.Body)}
	if full {
		body.Body = l.Body
	}
	if l.Malformed != nil {
		body.Malformed = cut(l.Malformed.Error(), maxMessageBytes)
		return body
	}
	body.Job = &api.DeadLetterJob{
		ID: l.Job.ID, URL: l.Job.Object.WithoutQuery(), Hash: l.Job.Object.Hash(), Generation: l.Job.Generation,
		Tries: l.Job.Tries, Redriven: l.Job.Redriven, SentAt: timestamp(l.Job.SentAt),
	}
	if full {
		body.Job.URL = l.Job.Object.URL()
	}
	return body
}

// findDeadLetters reads the target `/v1/dead-letters/:service/:region<suffix>`. The
// names are looked up as they are, undecoded. The refusal says who may not, and
// what names nothing.
func (ad *administration) findDeadLetters(r *http.Request, suffix string) (who operator, b *backend, query url.Values, refusal *answer) {
	if who, refusal = ad.guard.authorize(r); refusal != nil {
		return who, nil, nil, refusal
	}
	path, raw, _ := strings.Cut(strings.TrimPrefix(requestTarget(r), api.DeadLettersPrefix), "?")
	service, region, _ := strings.Cut(strings.TrimSuffix(path, suffix), "/")
	b = ad.backend(cloudmirror.BackendID{Service: service, Region: region})
	if b == nil || b.deadLetters == nil {
		return who, nil, nil, refuse(unknownBackend())
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return who, nil, nil, refuse(invalidOption(errors.New("the query cannot be read")))
	}
	return who, b, query, nil
}

// countDeadLetters returns how many dead letters there are, about; nil: not known.
func (b *backend) countDeadLetters(ctx context.Context) *int {
	if b.queue == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	counts, err := b.queue.Count(ctx)
	if err != nil {
		return nil
	}
	return &counts.Dead
}
