package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cloudmirror/test/lab"
)

// A section is one part of the document, and what is measured for it.
type section struct {
	name    string // for -run, and in notes.md
	title   string
	measure func(context.Context, *laboratory) (result, error)
}

// A result is what a section found.
type result struct {
	goals []goal
	text  string // Markdown
	chart []bar  // for the README
}

// failed is the result of a section that could not be measured.
func failed(s section, err error) result {
	return result{
		goals: []goal{{what: strings.ToLower(s.title[:1]) + s.title[1:], want: "–", measured: "–", unmeasured: true}},
		text:  fmt.Sprintf("Not measured:\n\n```\n%v\n```\n", err),
	}
}

// A document is put together from the results.
type document struct {
	machine string
	note    string
	notes   map[string]string // by section: what is to be said where a goal is not met

	goals    [][]string
	sections strings.Builder
	chart    []bar
}

func (d *document) add(s section, r result, commands []string) {
	unmet := false
	for _, g := range r.goals {
		d.goals = append(d.goals, []string{g.what, g.want, g.measured, g.verdict()})
		unmet = unmet || !g.met
	}
	if r.chart != nil {
		d.chart = r.chart
	}
	fmt.Fprintf(&d.sections, "\n## %s\n\n%s\n", s.title, strings.TrimSpace(r.text))
	if note := d.notes[s.name]; note != "" && unmet {
		fmt.Fprintf(&d.sections, "\n**What is not met.** %s\n", note)
	}
	if len(commands) > 0 {
		fmt.Fprintf(&d.sections, "\n<details><summary>Commands</summary>\n\n```\n%s\n```\n\n</details>\n", strings.Join(commands, "\n"))
	}
}

// String returns the document as Markdown.
func (d *document) String() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `make bench`, not by hand. Numbers of another run or machine differ; ratios within one run differ least. What is compared takes turns in one run; numbers are medians with [quartiles], ratios are taken within each round.\n\n")
	b.WriteString(lab.Table([]string{"goal", "wanted", "measured", ""}, d.goals))
	fmt.Fprintf(&b, "\n## Where and how\n\n%s", d.machine)
	if d.note != "" {
		fmt.Fprintf(&b, "\n%s\n", d.note)
	}
	b.WriteString("\nCPU seconds are those of the named process alone, in user mode and in the kernel, from /proc/PID/stat (of programs that end: from wait4). Resident at most is VmHWM of /proc/PID/status. Clients and origins run on the same processors. In the commands, `ADDRESS` and `PORT` are free ones of 127.0.0.1, `DIR` is an empty directory of the server's own, `CONFIG` a file with the lines below the command.\n")
	b.WriteString(d.sections.String())
	return b.String()
}

// write writes the document to a file and the chart beside it, or prints the
// document if the file is "-".
func (d *document) write(file string) error {
	if file == "-" {
		_, err := os.Stdout.WriteString(d.String())
		return err
	}
	if d.chart != nil {
		name := strings.TrimSuffix(file, filepath.Ext(file)) + ".svg"
		if err := os.WriteFile(name, []byte(drawChart(d.chart)), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(file, []byte(d.String()), 0o644)
}

// readNotes reads texts that people wrote, by the heading that names the section.
// What comes before the first heading is for those people.
func readNotes(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseNotes(string(text)), nil
}

func parseNotes(text string) map[string]string {
	notes := make(map[string]string)
	for _, part := range strings.Split("\n"+text, "\n## ")[1:] {
		name, note, _ := strings.Cut(part, "\n")
		notes[strings.TrimSpace(name)] = strings.TrimSpace(note)
	}
	return notes
}
