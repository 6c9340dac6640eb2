package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
	"cloudmirror/config"
)

func (c *cli) explainCommand() *cobra.Command {
	var t target
	command := &cobra.Command{
		Use:   "explain URL...",
		Short: "Say what a client gets who asks for an object, and why",
		Long: `Say, for each URL, whether it is let in, what the copy waits for, and what a
client gets who asks for it now. No copy is caused. A URL is that of the origin,
or one by which this mirror was asked (it names service and region, where the
flags do not, and its options count). With - the URLs are the lines of standard
input.

With a bearer token it also says which pattern lets the URL in or nearly does,
which process has the job, and the private cause of errors: that of --token, of
the variable ` + config.TokenVariable + `, or the one in the file admin-token in
the data directory of the configuration, where "cloudmirror serve" keeps its
own.

The exit status says whether the server answered, not what it explains.`,
		Example: `  cloudmirror explain https://example.com/file.tar.gz
  cloudmirror explain --server https://mirror.example.com --service s3 --region eu-west-1 https://example.com/file.tar.gz
  cloudmirror explain --json - < urls.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return c.askEach(command.Context(), &t, args, c.explain)
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	return command
}

func (c *cli) explain(ctx context.Context, server *client.Client, t *target, raw string) error {
	b, err := t.backendOf(raw)
	if err != nil {
		return err
	}
	object, err := t.read(raw)
	sent := object.Target()
	if _, isURL := errors.AsType[*cloudmirror.URLError](err); isURL && len(raw) <= cloudmirror.MaxURLBytes {
		// What is no URL is sent as it is, for the server to say why it is refused.
		sent, err = base64.RawURLEncoding.EncodeToString([]byte(raw)), nil
	}
	if err != nil {
		return err
	}
	if m, ok := cloudmirror.ParseRedirectURL(raw); ok {
		sent += optionQuery(m.Options)
	}
	answer, err := server.Explain(ctx, b, sent)
	if err != nil {
		return err
	}
	if t.json {
		return c.printJSON(answer)
	}
	var e api.Explanation
	if err := json.Unmarshal(answer, &e); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if e.Target.URL == "" {
		e.Target.URL = withoutSecrets(raw)
	}
	return c.println(explanationText(&e))
}

// optionQuery returns the query of a redirect with options.
func optionQuery(options []cloudmirror.Option) string {
	if len(options) == 0 {
		return ""
	}
	query := make(url.Values)
	for _, o := range options {
		query.Set(o.Name, o.Value)
	}
	return "?" + query.Encode()
}

// explanationText returns an explanation for people, in lines of at most outputColumns but for
// URLs and patterns that are longer.
func explanationText(e *api.Explanation) string {
	var l labelled
	t := &e.Target
	l.lines = []string{cloudmirror.Plain(t.URL), "in " + cloudmirror.Plain(t.Service+"/"+t.Region) + ", " + e.At.UTC().Format(time.DateTime) + " UTC"}
	switch {
	case t.Pattern != "":
		l.whole("allowed by", t.Pattern)
	case t.Refused == nil:
		l.add("allowed by", "a pattern, which is shown to holders of a token")
	}
	if t.Direct != "" {
		l.whole("direct by", t.Direct)
	}
	if r := t.Refused; r != nil {
		l.add("refused", string(r.Code)+": "+r.Message)
		l.cause(r.Cause)
	}
	switch n := t.Nearly; {
	case n == nil:
	case n.Pattern == "":
		l.add("nearly by", "a pattern that allows the URL with "+n.Scheme)
	case n.Scheme != "":
		l.whole("nearly by", n.Pattern)
		l.add("", "which allows the URL with "+n.Scheme)
	default:
		l.whole("nearly by", n.Pattern)
		l.whole("as far as", n.Matches)
	}
	for _, p := range append(e.Places, e.Excluded...) {
		if p.State != "" {
			l.add("copy", p.State)
			l.add("", p.Why)
			if p.Error != nil {
				l.cause(p.Error.Cause)
			}
		}
	}
	gets := fmt.Sprintf("status %d", e.Answer.Status)
	if e.Answer.WaitSeconds > 0 {
		gets = fmt.Sprintf("the copy within %g s, or then the status %d", e.Answer.WaitSeconds, e.Answer.Status)
	}
	l.add("client gets", gets)
	if e.Answer.Location != "" {
		l.whole("to", e.Answer.Location)
	}
	l.add("because", e.Answer.Why)
	return strings.Join(l.lines, "\n")
}

// labelWidth is the width of labels, with what is before and behind them.
const labelWidth = 15

// labelled collects lines of text behind labels.
type labelled struct{ lines []string }

// add adds a text of words, in as many lines as it takes.
func (l *labelled) add(label, text string) {
	l.lines = append(l.lines, wrapped(fmt.Sprintf("  %-*s", labelWidth-2, label), cloudmirror.Plain(text), labelWidth))
}

// whole adds a text that must not be broken, for people to copy.
func (l *labelled) whole(label, text string) {
	l.lines = append(l.lines, fmt.Sprintf("  %-*s%s", labelWidth-2, label, cloudmirror.Plain(text)))
}

func (l *labelled) cause(text string) {
	if text != "" {
		l.add("cause", text)
	}
}
