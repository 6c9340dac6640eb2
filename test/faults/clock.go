package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

// skew is how far apart the clocks are.
const skew = 5 * time.Minute

// skewVariable tells the skewed binary how many seconds to add to its clock.
const skewVariable = "FAULTS_CLOCK_OFFSET"

func clockScenarios() []scenario {
	return []scenario{{
		name: "clocks-apart", what: "the clocks of front ends and copiers are 5 min apart, and those of the two front ends",
		prepare: func(ctx context.Context, p *play) error { return p.buildSkewed(ctx) },
		fault:   clocksApart,
	}}
}

// clocksApart restarts the copiers with clocks that are fast, and a front end
// with one that is slow.
func clocksApart(ctx context.Context, p *play) error {
	skewed := map[*role]time.Duration{p.copiers[0]: skew, p.copiers[1]: skew, p.frontends[1]: -skew}
	for r, offset := range skewed {
		if err := p.replace(ctx, r, "skewed", fmt.Sprintf("%s=%d", skewVariable, int(offset.Seconds()))); err != nil {
			return err
		}
		if err := p.checkClock(ctx, r, offset); err != nil {
			return err
		}
	}
	if err := lab.Pause(ctx, 10*time.Second); err != nil {
		return err
	}
	for r := range skewed {
		if err := p.replace(ctx, r, "cloudmirror", skewVariable+"=0"); err != nil {
			return err
		}
	}
	return nil
}

// replace restarts a role with another binary.
func (p *play) replace(ctx context.Context, r *role, binary, env string) error {
	r.last = r.last.add(p.resultsOf(ctx, r))
	if err := terminate(r.Process); err != nil {
		return err
	}
	r.Command.Program, r.Command.Env = p.path(binary), append(r.Command.Env, env)
	return r.Restart(ctx)
}

// checkClock proves that the process goes by another time than we.
func (p *play) checkClock(ctx context.Context, r *role, offset time.Duration) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.admin+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := p.plain.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return err
	}
	if off := time.Until(date) - offset; off.Abs() > 5*time.Second {
		return fmt.Errorf("the clock of %s is %v off, not %v", r.Command.Name, time.Until(date), offset)
	}
	return nil
}

// buildSkewed builds the binary with a package time that adds an offset to the
// clock. A static binary cannot be told so from outside.
func (l *laboratory) buildSkewed(ctx context.Context) error {
	output, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	original := filepath.Join(strings.TrimSpace(string(output)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	now := "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), now) != 1 {
		return fmt.Errorf("time.Now of this Go is not as expected: see %s", original)
	}
	changed, err := l.write("time.go.txt", strings.Replace(string(text), now, now+"\tsec += faultsOffset\n", 1)+faultsOffset)
	if err != nil {
		return err
	}
	// The package knows syscall, but this file of it does not import it.
	added, err := l.write("offset.go.txt", "package time\n\nimport \"syscall\"\n\nfunc faultsEnvironment() (string, bool) { return syscall.Getenv(\""+skewVariable+"\") }\n")
	if err != nil {
		return err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		original: changed, filepath.Join(filepath.Dir(original), "faults_offset.go"): added,
	}})
	if err != nil {
		return err
	}
	file, err := l.write("overlay.json", string(overlay))
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := l.build(ctx, "skewed", "-overlay", file); err != nil {
		return err
	}
	logf("built a binary whose clock can be set off in %v", since(begun))
	return nil
}

const faultsOffset = `
var faultsOffset = func() int64 {
	text, _ := faultsEnvironment()
	seconds, err := atoi(text)
	if err != nil {
		return 0
	}
	return int64(seconds)
}()
`
