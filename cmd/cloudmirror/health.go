package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
	"cloudmirror/config"
)

// healthTimeout bounds the request. A supervisor that runs health checks has a limit of
// its own, and learns nothing from a check that it had to end.
const healthTimeout = 3 * time.Second

func (c *cli) healthCommand() *cobra.Command {
	var address string
	var asJSON bool
	command := &cobra.Command{
		Use:   "health",
		Short: "Ask the server of this configuration whether it is ready",
		Long: `Ask the server of this configuration, on this machine, for /readyz: at admin_listen,
or at listen if that is not set. Print the answer, which has a line for each part that
the server needs. A part that is down does not make it unready: clients are then sent
to their origins.

It is made for health checks of containers, and needs no shell:

  HEALTHCHECK CMD ["/cloudmirror", "health"]

Exit status: 0 ready, 1 not: starting, draining, or no answer within 3 s; 2 the
command line or the configuration is wrong.`,
		Example: `  cloudmirror health --config cloudmirror.yaml
  CLOUDMIRROR_ADMIN_LISTEN=:9090 cloudmirror health
  cloudmirror health --url http://127.0.0.1:9090/healthz`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if address == "" {
				loaded, err := c.load(config.Overrides{})
				if err != nil {
					return err
				}
				address = readyURL(loaded)
			}
			return c.health(command.Context(), address, asJSON)
		},
	}
	command.Flags().StringVar(&address, "url", "", "ask `URL` instead; 200 is well")
	addJSONFlag(command, &asJSON)
	return command
}

// readyURL returns where a server of the configuration says whether it is ready.
func readyURL(loaded *config.Config) string {
	listen := loaded.AdminListen
	if listen == "" {
		listen = loaded.Listen
	}
	host, port, _ := net.SplitHostPort(listen) // it was checked when it was loaded
	if address, err := netip.ParseAddr(host); host == "" || err == nil && address.IsUnspecified() {
		host = "127.0.0.1"
		if address.Is6() {
			host = "::1" // which answers, too, where only IPv6 is bound
		}
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: api.ReadyPath}).String()
}

func (c *cli) health(ctx context.Context, address string, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return usagef("--url: %w", err)
	}
	asker := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // no proxy: it is this machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := asker.Do(request)
	if err != nil {
		return err // it names the URL
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, client.MaxAnswerBytes))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	answer := api.ParseReadiness(string(body))
	answer.Ready = response.StatusCode == http.StatusOK
	if asJSON {
		err = c.printJSON(answer)
	} else {
		err = c.printAnswer(string(body))
	}
	if err != nil {
		return err
	}
	if !answer.Ready {
		return errors.New("not ready: " + response.Status)
	}
	return nil
}

// printAnswer prints the lines of an answer of /readyz.
func (c *cli) printAnswer(text string) error {
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if line == "" {
			continue
		}
		if err := c.println(wrapped("", cloudmirror.Plain(line), 2)); err != nil {
			return err
		}
	}
	return nil
}
