// Package runbook_test runs the commands with which docs/operations.md begins, in
// their order, against a real deployment in which the test has made the fault.
package runbook_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"cloudmirror/test/servers"
)

// binary is the path of the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(servers.RunWithProgram(m, &binary)) }

const page = "../../docs/operations.md"

// A symptom is a heading of the page's first part, and the blocks below it.
type symptom struct {
	title  string
	blocks []block
}

// A block is commands, and what they print: nil if the page does not say.
type block struct {
	commands string
	prints   []string // lines, in which … stands for anything
	later    bool     // the page says that it is for some seconds later, or it only looks: until it prints that, it is run again
}

// isLook finds commands that change nothing, and of which the page says that they may
// be some seconds behind.
func isLook(commands string) bool {
	return regexp.MustCompile(`^(cloudmirror (status|explain|dlq ls)\b.*\n)+$`).MatchString(commands)
}

// readPage returns the first part of the page: its text, the block that every other
// one begins with, and the symptoms.
func readPage(t *testing.T) (text, first string, symptoms []symptom) {
	t.Helper()
	all, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`(?m)^## `).Split(string(all), 3)
	if len(parts) < 3 || !strings.HasPrefix(parts[1], "What you see\n") {
		t.Fatalf("%s does not begin with the symptoms", page)
	}
	rest := parts[1]
	pattern := regexp.MustCompile("(?ms)^(?:### ([^\n]*)|```([a-z]+)\n(.*?)```)$")
	for found := pattern.FindStringSubmatch(rest); found != nil; found = pattern.FindStringSubmatch(rest) {
		var before string
		before, rest, _ = strings.Cut(rest, found[0])
		title, language, content := found[1], found[2], found[3]
		last := len(symptoms) - 1
		switch {
		case title != "":
			symptoms = append(symptoms, symptom{title: title})
		case last < 0 && first == "":
			first = content
		case last >= 0 && language == "sh":
			symptoms[last].blocks = append(symptoms[last].blocks, block{commands: content, later: isLook(content) || strings.HasSuffix(before, "Some seconds later:\n\n")})
		case last >= 0 && language == "text" && len(symptoms[last].blocks) > 0:
			blocks := symptoms[last].blocks
			blocks[len(blocks)-1].prints = strings.Split(strings.TrimSpace(content), "\n")
		default:
			t.Fatalf("a block that is neither commands nor their output:\n%s", content)
		}
	}
	return parts[1], first, symptoms
}

// Each symptom has a line in the table at the beginning, which leads to it.
func TestTableLeadsToEachSymptom(t *testing.T) {
	text, _, symptoms := readPage(t)
	for _, s := range symptoms {
		anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(s.title), "")
		link := "[" + s.title + "](#" + strings.ReplaceAll(anchor, " ", "-") + ")"
		if !strings.Contains(text, link) {
			t.Errorf("the table has no line with %s", link)
		}
		if len(s.blocks) == 0 {
			t.Errorf("%q has no commands", s.title)
		}
	}
	if links := strings.Count(text, "](#"); links < len(symptoms) {
		t.Errorf("%d links for %d symptoms", links, len(symptoms))
	}
}

// The codes and details that the page explains are ones that clients may meet.
func TestCodesOfThePageExist(t *testing.T) {
	text, _, _ := readPage(t)
	var sources string
	for _, file := range []string{"../../failure.go", "../../api/error.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources += string(source)
	}
	explained := 0
	for _, table := range regexp.MustCompile(`(?m)^\| (?:code|detail) .*\n(?:\|.*\n)+`).FindAllString(text, -1) {
		for _, row := range strings.Split(table, "\n")[2:] {
			cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			for _, word := range regexp.MustCompile("`([A-Za-z-]+)`").FindAllStringSubmatch(cell, -1) {
				explained++
				if !regexp.MustCompile(`(?i)= "`+strings.ReplaceAll(word[1], "-", "")+`"`).MatchString(sources) && word[1] != "direct" {
					t.Errorf("no answer says %s", word[1])
				}
			}
		}
	}
	if explained < 10 {
		t.Errorf("only %d codes were found", explained)
	}
}

func TestSymptoms(t *testing.T) {
	if testing.Short() {
		t.Skip("the commands take half a minute; the race detector sees nothing of the processes that they ask")
	}
	_, first, symptoms := readPage(t)
	all := faults()
	for _, symptom := range symptoms {
		if _, known := all[symptom.title]; !known {
			t.Errorf("no fault is known for %q: its commands are not tested", symptom.title)
		}
	}
	if len(symptoms) != len(all) || t.Failed() {
		t.Fatalf("the page has %d symptoms, and %d faults are known", len(symptoms), len(all))
	}
	// Each of the sites has its part of the symptoms, in the page's order, as most of
	// the time is spent on waiting.
	const sites = 3
	queues := startQueues(t)
	for i := range sites {
		t.Run(fmt.Sprintf("site %d", i), func(t *testing.T) {
			t.Parallel()
			s := startSite(t, queues)
			for j := i; j < len(symptoms); j += sites {
				try(t, s, first, symptoms[j])
			}
		})
	}
}

// try makes the fault of a symptom, and runs the commands that mend it.
func try(t *testing.T, s *site, first string, symptom symptom) {
	t.Helper()
	fault := faults()[symptom.title]
	mended := t.Run(symptom.title, func(t *testing.T) {
		url := s.origin.url + "/" + strings.ReplaceAll(symptom.title, " ", "-") + ".tar.gz" // an object of its own
		r := &run{site: s, t: t, url: url, replace: []string{"https://releases.example.com/tool-1.0.tar.gz", url}}
		fault.make(r)
		for _, b := range symptom.blocks {
			r.run(first, b)
		}
		fault.isMended(r)
	})
	if !mended {
		t.Fatal("the other symptoms of this site are not tried, as this fault may still be there")
	}
}

// A run is that of the commands of one symptom.
type run struct {
	*site
	t       *testing.T
	url     string   // of the object that the commands are about
	replace []string // old and new parts of the commands, in turn
}

// fill replaces the addresses and folders of the page by those of the site.
func (r *run) fill(text string) string {
	return strings.NewReplacer(append(r.replace,
		"https://mirror.example.com", r.front, "https://releases.example.com", r.origin.url, "redis://redis.internal:6379", "redis://"+r.redis.Addr(),
		"A-TOKEN", token, "/etc/", r.dir+"/etc/",
	)...).Replace(text)
}

// run runs a block, and checks that it prints what the page says; without output on
// the page it has to end with 0.
func (r *run) run(first string, b block) {
	r.t.Helper()
	var output string
	var wrong error
	run := func() bool {
		output, wrong = r.shell(r.fill(first + b.commands))
		if b.prints != nil {
			wrong = r.check(b.prints, output)
		}
		return wrong == nil
	}
	if !run() && b.later {
		soon(waitLimit, run)
	}
	r.t.Logf("$ %s%s", b.commands, output)
	if wrong != nil {
		r.t.Fatalf("%v, in\n%s", wrong, output)
	}
}

// shell runs a script, answers what it asks of systemd, and returns what it prints.
func (r *run) shell(script string) (string, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), waitLimit)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-u", "-c", script)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it started ends with it
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.Dir = r.t.TempDir()
	c.Env = append(os.Environ(), "HOME="+c.Dir, "no_proxy=*", "NO_PROXY=*", "PATH="+filepath.Join(r.dir, "bin")+":"+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	type result struct {
		output []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		output, err := c.CombinedOutput()
		done <- result{output, err}
	}()
	for {
		select {
		case call := <-r.calls:
			r.answer(call)
		case got := <-done:
			return strings.ReplaceAll(string(got.output), "\r\n", "\n"), got.err
		}
	}
}

// check checks that the output has the page's lines, in their order.
func (r *run) check(lines []string, output string) error {
	rest := output
	for _, line := range lines {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(r.fill(line)), "…", ".*")
		found := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringIndex(rest)
		if found == nil {
			return fmt.Errorf("the page says that this line is printed, and it is not (there, or at all):\n%s\nas %s", line, pattern)
		}
		rest = rest[found[1]:]
	}
	return nil
}

// location returns the status and the address that a client of the region gets for the
// object.
func (r *run) location(region string) (status int, location string) {
	r.t.Helper()
	return r.ask(r.front + "/v1/redirect/s3/" + region + "/" + r.url)
}

// ask returns the status of an answer, and where it redirects.
func (r *run) ask(url string) (status int, location string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, response.Header.Get("Location")
}

// isCopied reports whether a client is sent to the copy of its region.
func (r *run) isCopied(region string) bool {
	_, location := r.location(region)
	return strings.HasPrefix(location, r.s3[region].Endpoint)
}

// copyTo has the object copied to a region, and returns the address of the copy.
func (r *run) copyTo(region string) string {
	r.t.Helper()
	var location string
	eventually(r.t, "the object is copied to "+region, func() bool {
		_, location = r.location(region)
		return strings.HasPrefix(location, r.s3[region].Endpoint)
	})
	return location
}
