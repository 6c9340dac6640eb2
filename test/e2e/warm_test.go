package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"cloudmirror/origin/origintest"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

// newBalanced starts two front ends behind HAProxy, and a copier. SQS is the stand-in
// of this project: moto takes 40 messages a second.
func newBalanced(t *testing.T) (d *deployment, frontends [2]*servers.Process, balancer string) {
	t.Helper()
	_, endpoint := sqstest.Start(t, sqstest.Options{})
	p := parts{redis: servers.StartRedis(t), moto: &servers.Moto{Endpoint: endpoint}, s3: servers.StartVersityGW(t, region)}
	d = newDeployment(t, p, "redis", "sqs", "s3", "wait: 20s")
	d.start("copier")
	for i := range frontends {
		frontends[i] = d.start("frontend")
	}
	d.awaitCopies()
	return d, frontends, servers.StartHAProxy(t, [2]string{strings.TrimPrefix(d.frontends[0], "http://"), strings.TrimPrefix(d.frontends[1], "http://")})
}

// A warming is a run of `cloudmirror warm`.
type warming struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

func (d *deployment) warm(balancer string, args ...string) *warming {
	d.t.Helper()
	w := &warming{Cmd: exec.CommandContext(d.t.Context(), binary, append([]string{"warm", "--server", balancer, "--token", token, "--service", "e2e", "--region", region}, args...)...)}
	w.Env = append(os.Environ(), d.env...)
	w.Stdout, w.Stderr = &w.stdout, &w.stderr
	if err := w.Start(); err != nil {
		d.t.Fatal(err)
	}
	return w
}

// end waits for the command and returns its exit status and the summary of --json.
func (w *warming) end(t *testing.T) (status int, summary struct{ URLs, Present, Failed, NotDone, Bytes int }) {
	t.Helper()
	_ = w.Wait() // the status says it
	lines := strings.Split(strings.TrimSpace(w.stdout.String()), "\n")
	text := strings.ReplaceAll(lines[len(lines)-1], "not_done", "notdone")
	if err := json.Unmarshal([]byte(text), &summary); err != nil {
		t.Errorf("the last line is %q: %v", text, err)
	}
	return w.ProcessState.ExitCode(), summary
}

// list writes a list of the URLs of objects and returns their paths.
func (d *deployment) list(file string, n int) []string {
	d.t.Helper()
	var text strings.Builder
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("/warm/%d", i)
		text.WriteString(d.origin.URL + all[i] + "?size=20\r\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return all
}

func (d *deployment) copied(paths []string) (n int) {
	for _, path := range paths {
		if d.origin.Count(http.MethodGet, path) > 0 {
			n++
		}
	}
	return n
}

// A list is interrupted in the middle, and what is missing is the next list. make faults
// has it long.
func TestWarmIsInterruptedAndResumed(t *testing.T) {
	urls := 1_000
	if os.Getenv("CLOUDMIRROR_LONG") == "1" {
		urls = 10_000
	}
	d, _, balancer := newBalanced(t)
	dir := t.TempDir()
	input, rest := filepath.Join(dir, "urls.txt"), filepath.Join(dir, "rest.txt")
	paths := d.list(input, urls)

	first := d.warm(balancer, "--json", "--failed", rest, input)
	d.eventually("a third is copied", func() bool { return d.copied(paths) > urls/3 })
	if err := first.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status, got := first.end(t)
	left, err := os.ReadFile(rest)
	lines := strings.Count(string(left), "\n")
	if err != nil || status != 1 || got.NotDone == 0 || got.NotDone != lines || got.Present+got.NotDone != urls || !strings.Contains(first.stderr.String(), "interrupted") {
		t.Fatalf("status %d, %+v, %d URLs left (error %v), said:\n%s", status, got, lines, err, first.stderr.String())
	}

	second := d.warm(balancer, "--json", "--failed", rest, rest)
	if status, got = second.end(t); status != 0 || got.URLs != lines || got.Present != lines {
		t.Fatalf("status %d, %+v, want %d present; said:\n%s", status, got, lines, second.stderr.String())
	}
	if left, err := os.ReadFile(rest); err != nil || len(left) > 0 {
		t.Errorf("in the end %q is left, error %v", left, err)
	}
	for _, path := range paths {
		if n := d.origin.Count(http.MethodGet, path); n != 1 {
			t.Errorf("the origin got %d GETs for %s, want 1", n, path)
		}
	}
}

var jobOfAudit = regexp.MustCompile(`"job":"([a-z0-9]+)"`)

// The front end that runs the job of a list dies without a word.
func TestWarmSurvivesTheDeathOfAFrontEnd(t *testing.T) {
	d, frontends, balancer := newBalanced(t)
	input := filepath.Join(t.TempDir(), "urls.txt")
	paths := d.list(input, 100)
	d.origin.Set(paths[50], origintest.Behaviour{SizeBytes: 20})
	open := d.origin.Gate(paths[50])
	defer open()

	w := d.warm(balancer, "--json", input)
	var id string
	runs := 0
	d.eventually("a front end runs the job", func() bool {
		for i, f := range frontends {
			if found := jobOfAudit.FindStringSubmatch(f.Output()); found != nil {
				runs, id = i, found[1]
			}
		}
		return id != ""
	})
	state := func() string { return d.must(http.MethodGet, d.frontends[1-runs]+"/v1/jobs/"+id, nil).body }
	d.eventually("the other front end tells how far it is", func() bool {
		return strings.Contains(state(), `"present":99,`) && strings.Contains(state(), `"state":"running"`) && strings.Contains(state(), `"pending_urls":[50]`)
	})
	frontends[runs].Kill()
	d.eventually("the job is lost", func() bool { return strings.Contains(state(), `"state":"lost"`) })
	d.eventually("the command asks again", func() bool { return jobOfAudit.MatchString(frontends[1-runs].Output()) })
	open()
	if status, got := w.end(t); status != 0 || got.Present != len(paths) {
		t.Errorf("status %d, %+v; said:\n%s", status, got, w.stderr.String())
	}
	for _, path := range paths {
		if n := d.origin.Count(http.MethodGet, path); n != 1 {
			t.Errorf("the origin got %d GETs for %s, want 1", n, path)
		}
	}
}
