package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

// connections is how many clients ask at once, each of which sends a request when
// it has the answer to the one before.
const connections = 64

// wrk asks a server for paths, one after the other, on all connections for d, and
// returns how many redirects came. Any other answer is an error.
func (l *laboratory) wrk(ctx context.Context, p *process, paths []string, d time.Duration) (redirects int64, err error) {
	program, err := lab.Find("wrk", "apt-get install wrk")
	if err != nil {
		return 0, err
	}
	// wrk takes 2xx for good as well: the first answer shows what the others are.
	first, err := l.get(ctx, "http://"+p.address+paths[0])
	if err != nil {
		return 0, err
	}
	first.Body.Close()
	if first.StatusCode/100 != 3 {
		return 0, fmt.Errorf("GET %s: %s", paths[0], first.Status)
	}
	args := []string{"-t", "1", "-c", strconv.Itoa(connections), "-d", fmt.Sprintf("%.0fs", d.Seconds())}
	shown := commandLine("wrk", args) + " http://ADDRESS/v1/redirect/…"
	if len(paths) > 1 {
		script := l.path("paths.lua")
		if err := os.WriteFile(script, []byte(pathsScript(paths)), 0o600); err != nil {
			return 0, err
		}
		args = append(args, "-s", script)
		shown += fmt.Sprintf(" -s SCRIPT # %d paths in turn", len(paths))
	}
	l.note(shown)
	output, err := exec.CommandContext(ctx, program, append(args, "http://"+p.address+paths[0])...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, output)
	}
	return parseWrk(string(output))
}

// parseWrk reads how many requests wrk had answered, all with redirects.
func parseWrk(output string) (int64, error) {
	if strings.Contains(output, "Non-2xx or 3xx") || strings.Contains(output, "Socket errors") {
		return 0, fmt.Errorf("wrk met errors:\n%s", output)
	}
	found := regexp.MustCompile(`(?m)^\s*(\d+) requests in `).FindStringSubmatch(output)
	if found == nil {
		return 0, fmt.Errorf("wrk says no number of requests:\n%s", output)
	}
	return strconv.ParseInt(found[1], 10, 64)
}

// pathsScript returns what makes wrk ask for the paths in turn.
func pathsScript(paths []string) string {
	var b strings.Builder
	b.WriteString("local paths = {\n")
	for _, path := range paths {
		fmt.Fprintf(&b, "  %q,\n", path)
	}
	b.WriteString(`}
local requests, next = {}, 0
init = function()
  for i, path in ipairs(paths) do requests[i] = wrk.format("GET", path) end
end
request = function()
  next = next % #requests + 1
  return requests[next]
end
`)
	return b.String()
}

// A candidate answers redirects, and is measured in turns with others.
type candidate struct {
	name    string
	process *process
	rates   []float64 // redirects per CPU second, by round
	speeds  []float64 // redirects per second, by round
}

// takeTurns loads one candidate after the other, round by round, each round with
// another one first. A first round only warms them up.
func (l *laboratory) takeTurns(ctx context.Context, rounds int, candidates []*candidate, paths []string) error {
	for round := range rounds + 1 {
		for i := range candidates {
			c := candidates[(i+round)%len(candidates)]
			before, err := lab.CPU(c.process.Pid())
			if err != nil {
				return err
			}
			redirects, err := l.wrk(ctx, c.process, paths, l.round)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			after, err := lab.CPU(c.process.Pid())
			if err != nil {
				return err
			}
			if round > 0 {
				c.rates = append(c.rates, float64(redirects)/(after-before).Seconds())
				c.speeds = append(c.speeds, float64(redirects)/l.round.Seconds())
			}
		}
	}
	return nil
}
