package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
)

// overviewTimeout bounds the two requests for the state of a deployment. The server
// gives its queues 2 s.
const overviewTimeout = 10 * time.Second

// An overview is what a server says of its deployment.
type overview struct {
	raw       json.RawMessage // the answer of /v1/backends
	Version   string          `json:"version"`
	Backends  []backendState  `json:"backends"`
	Processes []processState  `json:"processes"` // nil: no token, or an older server
	Presence  string          `json:"presence"`  // "ok", or why other processes are not known; "": an older server

	ready readiness
}

// A backendState is what a server says of a backend.
type backendState struct {
	Service string `json:"service"`
	Region  string `json:"region"`
	Health  string `json:"health"`
	Cause   string `json:"cause"`   // "": there is none, or no token was sent
	Copiers *int   `json:"copiers"` // nil: not known
	Queue   *struct {
		Ready    int `json:"ready"`
		Delayed  int `json:"delayed"`
		InFlight int `json:"in_flight"`
		Dead     int `json:"dead_letters"`
	} `json:"queue"` // nil: not known
	LastHour map[string]uint64 `json:"last_hour"` // by outcome; nil: an older server
	Copies   *struct {
		Running int `json:"running"`
		Waiting int `json:"waiting"`
	} `json:"copies"` // nil: an older server
}

func (b *backendState) id() string { return plain(b.Service + "/" + b.Region) }

// A processState is what a server says of a process of its deployment.
type processState struct {
	Role     string      `json:"role"`
	Name     string      `json:"name"`
	Version  string      `json:"version"`
	Started  time.Time   `json:"started"`
	CopiesTo []string    `json:"copies_to"`
	Down     []downState `json:"down"`
}

// A downState is a dependency that is down.
type downState struct {
	Name  string `json:"name"`
	Cause string `json:"cause"`
}

// isOlder reports whether the server's release does not tell of copiers, of the last
// hour and of processes.
func (o *overview) isOlder() bool { return o.Presence == "" }

// overview asks the server for the state of its deployment.
func (c *client) overview(ctx context.Context) (*overview, error) {
	ctx, cancel := context.WithTimeout(ctx, overviewTimeout)
	defer cancel()
	body, err := c.do(ctx, http.MethodGet, "/v1/backends", http.StatusOK)
	if err != nil {
		return nil, err
	}
	o := &overview{raw: body}
	if err := json.Unmarshal(body, o); err != nil || o.Backends == nil {
		return nil, errors.New("the server's answer is not understood: is it a cloudmirror?")
	}
	o.ready = c.readiness(ctx)
	return o, nil
}

// A readiness is what /readyz says.
type readiness struct {
	Ready        bool         `json:"ready"`
	State        string       `json:"state"` // ready, or starting or draining
	Dependencies []dependency `json:"dependencies"`

	err error // why it is not known
}

// A dependency is a line of /readyz.
type dependency struct {
	Name  string `json:"name"`
	State string `json:"state"` // ok, not checked yet, or what is wrong
}

// isDown reports whether something is wrong with the dependency.
func (d dependency) isDown() bool {
	return d.State != "ok" && d.State != "not checked yet" && !strings.HasPrefix(d.State, "not known")
}

func (c *client) readiness(ctx context.Context) readiness {
	status, body, err := c.exchange(ctx, http.MethodGet, "/readyz", nil)
	if err == nil && status != http.StatusOK && status != http.StatusServiceUnavailable {
		err = fmt.Errorf("HTTP %d", status)
	}
	if err != nil {
		return readiness{err: err}
	}
	r := readReadiness(string(body))
	r.Ready = status == http.StatusOK
	return r
}

// readReadiness reads the text of /readyz; Ready is left to the status.
func readReadiness(text string) readiness {
	state, rest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\n")
	r := readiness{State: state, Dependencies: []dependency{}}
	for line := range strings.SplitSeq(rest, "\n") {
		if name, state, found := strings.Cut(line, ": "); found {
			r.Dependencies = append(r.Dependencies, dependency{Name: name, State: state})
		}
	}
	return r
}

// runOverview runs status without a URL.
func (c *cli) runOverview(command *cobra.Command, t *target, every time.Duration) error {
	isWatch := command.Flags().Changed("watch")
	if isWatch {
		if err := checkWatch(every); err != nil {
			return err
		}
	}
	if err := t.completeForOverview(c); err != nil {
		return err
	}
	client := newClient(t)
	defer client.close()
	if isWatch {
		return c.watch(command.Context(), client, t, every)
	}
	return c.showOverview(command.Context(), client, t)
}

// showOverview prints the state of the deployment, once.
func (c *cli) showOverview(ctx context.Context, client *client, t *target) error {
	o, err := client.overview(ctx)
	if err != nil {
		return err
	}
	if t.json {
		return c.printJSON(o.raw)
	}
	return c.println(c.report(o, t).String())
}

// report returns what is printed of an overview.
func (c *cli) report(o *overview, t *target) *report {
	return &report{overview: o, server: t.server, hasToken: t.token != "", flags: c.sameServer(t), config: c.configFile}
}

// sameServer returns the flags of a command that asks the same server, with a space
// behind them, or "".
func (c *cli) sameServer(t *target) string {
	var flags string
	if t.givenServer != "" {
		flags = "--server " + quoted(t.givenServer) + " "
	}
	if c.configFile != "" {
		flags += "--config " + quoted(c.configFile) + " "
	}
	return flags
}

// completeForOverview fills in what asking for the state of a deployment needs.
func (t *target) completeForOverview(c *cli) error {
	if t.backend != (cloudmirror.BackendID{}) {
		return usagef("--service and --region need a URL: without one, status shows all backends")
	}
	if err := t.completeServer(c); err != nil {
		return err
	}
	return t.completeToken(c)
}
