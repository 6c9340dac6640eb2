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
	"cloudmirror/config"
)

func (c *cli) explainCommand() *cobra.Command {
	var t target
	command := &cobra.Command{
		Use:   "explain URL...",
		Short: "Say what a client gets who asks for an object, and why",
		Long: `Say, for each URL, which pattern lets it in or nearly does, what the copy waits
for, and what a client gets who asks for it now. No copy is caused. A URL is
that of the origin, or one by which this mirror was asked (it names service and
region, where the flags do not, and its options count). With - the URLs are the lines of standard
input.

With a bearer token it also says which process has the job, the private cause
of errors, and patterns of other hosts that are nearly matched: that of
--token, of the variable ` + config.TokenVariable + `, or the one in the file
admin-token in the data directory of the configuration, where "cloudmirror
serve" keeps its own.

The exit status says whether the server answered, not what it explains.`,
		Example: `  cloudmirror explain https://example.com/file.tar.gz
  cloudmirror explain --server https://mirror.example.com --service s3 --region eu-west-1 https://example.com/file.tar.gz
  cloudmirror explain --json - < urls.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := t.completeFor(c, args); err != nil {
				return err
			}
			if t.backend.Region == everyRegion {
				return usagef("--region must name one region")
			}
			if err := t.completeToken(c); err != nil {
				return err
			}
			client := newClient(&t)
			defer client.close()
			return c.eachURL(command.Context(), args, t.json, func(raw string) error {
				return c.explain(command.Context(), client, &t, raw)
			})
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	return command
}

func (c *cli) explain(ctx context.Context, client *client, t *target, raw string) error {
	b, err := t.backendOf(raw)
	if err != nil {
		return err
	}
	object, err := t.read(raw)
	sent := object.Target() + optionsOf(raw)
	if _, isURL := errors.AsType[*cloudmirror.URLError](err); isURL && len(raw) <= cloudmirror.MaxURLBytes {
		// What is no URL is sent as it is, for the server to say why it is refused.
		sent, err = base64.RawURLEncoding.EncodeToString([]byte(raw)), nil
	}
	if err != nil {
		return err
	}
	answer, err := client.explain(ctx, b, sent)
	if err != nil {
		return err
	}
	if t.json {
		return c.printJSON(answer)
	}
	var e explanation
	if err := json.Unmarshal(answer, &e); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if e.Target.URL == "" {
		e.Target.URL = withoutSecrets(raw)
	}
	return c.println(e.text())
}

// optionsOf returns the query of the options that a redirect's URL has, with its
// question mark; "" if there are none.
func optionsOf(raw string) string {
	asked, _ := cloudmirror.ParseMirrorURL(raw)
	query := make(url.Values)
	for _, o := range asked.Options {
		query.Set(o.Name, o.Value)
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// An explanation is what a server says about the answer to a client.
type explanation struct {
	At     time.Time `json:"at"`
	Target struct {
		URL     string `json:"url"`
		Service string `json:"service"`
		Region  string `json:"region"`
		Pattern string `json:"pattern"`
		Direct  string `json:"direct"`
		Nearly  *struct {
			Pattern string `json:"pattern"`
			Matches string `json:"matches"`
			Scheme  string `json:"scheme"`
		} `json:"nearly"`
		Refused *struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Cause   string `json:"cause"`
		} `json:"refused"`
	} `json:"target"`
	Places   []place `json:"places"`
	Excluded []place `json:"excluded"`
	Answer   struct {
		Status      int     `json:"status"`
		Location    string  `json:"location"`
		WaitSeconds float64 `json:"wait_seconds"`
		Why         string  `json:"why"`
	} `json:"answer"`
}

// A place is a region, with the state of the copy in it, or the origin.
type place struct {
	Region string `json:"region"`
	State  string `json:"state"`
	Why    string `json:"why"`
	Error  struct {
		Cause string `json:"cause"`
	} `json:"error"`
}

// text returns the explanation for people, in lines of at most textWidth columns but
// for words that are longer.
func (e *explanation) text() string {
	var l labelled
	t := &e.Target
	l.lines = []string{plain(t.URL), "in " + plain(t.Service+"/"+t.Region) + ", " + e.At.UTC().Format(time.DateTime) + " UTC"}
	if t.Pattern != "" {
		l.whole("allowed by", t.Pattern)
	}
	if t.Direct != "" {
		l.whole("direct by", t.Direct)
	}
	if r := t.Refused; r != nil {
		l.add("refused", r.Code+": "+r.Message)
		l.cause(r.Cause)
	}
	if n := t.Nearly; n != nil {
		l.whole("nearly by", n.Pattern)
		if n.Scheme != "" {
			l.add("", "which allows the URL with "+n.Scheme)
		} else {
			l.whole("as far as", n.Matches)
		}
	}
	for _, p := range append(e.Places, e.Excluded...) {
		if p.State != "" {
			l.add("copy", p.State)
			l.add("", p.Why)
			l.cause(p.Error.Cause)
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

// textWidth is the width of a terminal.
const textWidth = 80

// labelWidth is the width of labels, with what is before and behind them.
const labelWidth = 15

// labelled collects lines of text behind labels.
type labelled struct{ lines []string }

// add adds a text of words, in as many lines as it takes.
func (l *labelled) add(label, text string) {
	line := ""
	for _, word := range strings.Fields(plain(text)) {
		if line != "" && labelWidth+len(line)+1+len(word) > textWidth {
			l.whole(label, line)
			label, line = "", ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	l.whole(label, line)
}

// whole adds a text that must not be broken, for people to copy.
func (l *labelled) whole(label, text string) {
	l.lines = append(l.lines, fmt.Sprintf("  %-*s%s", labelWidth-2, label, plain(text)))
}

func (l *labelled) cause(text string) {
	if text != "" {
		l.add("cause", text)
	}
}
