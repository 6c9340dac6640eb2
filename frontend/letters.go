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
	"cloudmirror/queue"
)

const lettersPrefix = "/v1/dead-letters/"

const (
	defaultLetters = 100 // that one request lists
	countTimeout   = 2 * time.Second
)

// lettersBody is a list of dead letters as operators see it.
type lettersBody struct {
	Service string       `json:"service"`
	Region  string       `json:"region"`
	Letters []letterBody `json:"dead_letters"`
	Count   *int         `json:"count"` // of all letters, about; null: not known
}

type letterBody struct {
	ID        string     `json:"id"`
	Reason    string     `json:"reason,omitempty"` // none: the queue moved it by itself
	BuriedAt  *time.Time `json:"buried_at,omitempty"`
	Receives  int        `json:"receives,omitempty"` // 0: not known
	Job       *letterJob `json:"job,omitempty"`
	Malformed string     `json:"malformed,omitempty"` // why there is no job
	BodyBytes int        `json:"body_bytes"`
	Body      string     `json:"body,omitempty"` // only if it was asked for in full
}

type letterJob struct {
	ID         string                 `json:"id"`
	URL        string                 `json:"url"` // without its query, unless it was asked for in full
	Hash       string                 `json:"hash"`
	Generation cloudmirror.Generation `json:"generation"`
	Tries      int                    `json:"tries"`
	Redriven   bool                   `json:"redriven,omitempty"`
	SentAt     *time.Time             `json:"sent_at,omitempty"`
}

// letters answers GET of /v1/dead-letters/:service/:region. Query strings of
// URLs may be secrets: they are only shown to who asks for letters in full, which
// the log says.
func (ad *administration) letters(r *http.Request) answer {
	who, b, query, refusal := ad.findLetters(r, "")
	if refusal != nil {
		return *refusal
	}
	limit, full, err := letterOptions(query)
	if err != nil {
		return invalidOption(err)
	}
	choice := queue.Choice{All: true, Limit: limit}
	if id := query.Get("id"); id != "" {
		choice = queue.Choice{IDs: []string{id}}
	}
	letters, err := b.letters.Letters(r.Context(), choice)
	ad.guard.audit(who, "read dead letters", err, zap.Stringer("backend", b.id), zap.Int("letters", len(letters)), zap.Bool("full", full))
	if err != nil {
		return unavailable("The dead letters cannot be read now; try again later.")
	}
	slices.SortStableFunc(letters, func(x, y queue.Letter) int { return x.BuriedAt.Compare(y.BuriedAt) })
	body := lettersBody{
		Service: b.id.Service, Region: b.id.Region,
		Letters: make([]letterBody, 0, len(letters)), Count: b.countLetters(r.Context()),
	}
	for _, l := range letters {
		body.Letters = append(body.Letters, describeLetter(l, full))
	}
	return okJSON(body)
}

func letterOptions(query url.Values) (limit int, full bool, err error) {
	limit = defaultLetters
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > queue.MaxLetters {
			return 0, false, fmt.Errorf("limit must be 1 to %d", queue.MaxLetters)
		}
	}
	if text := query.Get("full"); text != "" {
		if full, err = strconv.ParseBool(text); err != nil {
			return 0, false, errors.New("full must be true or false")
		}
	}
	return limit, full, nil
}

func describeLetter(l queue.Letter, full bool) letterBody {
	body := letterBody{ID: l.ID, Reason: l.Reason, BuriedAt: timestamp(l.BuriedAt), Receives: l.Receives, BodyBytes: len(l.Body)}
	if full {
		body.Body = l.Body
	}
	if l.Malformed != nil {
		body.Malformed = cut(l.Malformed.Error(), maxMessageBytes)
		return body
	}
	body.Job = &letterJob{
		ID: l.Job.ID, URL: l.Job.Object.WithoutQuery(), Hash: l.Job.Object.Hash(), Generation: l.Job.Generation,
		Tries: l.Job.Tries, Redriven: l.Job.Redriven, SentAt: timestamp(l.Job.SentAt),
	}
	if full {
		body.Job.URL = l.Job.Object.URL()
	}
	return body
}

// findLetters reads the target `/v1/dead-letters/:service/:region<suffix>`. The
// names are looked up as they are, undecoded. The refusal says who may not, and
// what names nothing.
func (ad *administration) findLetters(r *http.Request, suffix string) (who operator, b *backend, query url.Values, refusal *answer) {
	if who, refusal = ad.guard.authorize(r); refusal != nil {
		return who, nil, nil, refusal
	}
	path, raw, _ := strings.Cut(strings.TrimPrefix(requestTarget(r), lettersPrefix), "?")
	service, region, _ := strings.Cut(strings.TrimSuffix(path, suffix), "/")
	b = ad.backend(cloudmirror.BackendID{Service: service, Region: region})
	if b == nil || b.letters == nil {
		return who, nil, nil, refuse(unknownBackend())
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return who, nil, nil, refuse(invalidOption(errors.New("the query cannot be read")))
	}
	return who, b, query, nil
}

// countLetters returns how many letters there are, about; nil if nobody knows.
func (b *backend) countLetters(ctx context.Context) *int {
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
