package main

import (
	"context"
	"fmt"
	"strings"
)

// A section is one part of the document, and what is measured for it.
type section struct {
	title   string
	measure func(context.Context, *lab) (result, error)
}

// A result is what a section found.
type result struct {
	goals []goal
	text  string // Markdown
}

// A goal is a promise and whether it was kept.
type goal struct {
	what, want, measured string
	verdict              string
}

// judge returns the verdict on a goal.
func judge(met bool) string {
	if met {
		return "met"
	}
	return "**not met**"
}

// A document is put together from the results.
type document struct {
	title   string
	machine string
	note    string

	goals    [][]string
	sections strings.Builder
}

func (d *document) add(s section, r result, commands []string) {
	for _, g := range r.goals {
		d.goals = append(d.goals, []string{g.what, g.want, g.measured, g.verdict})
	}
	fmt.Fprintf(&d.sections, "\n## %s\n\n%s\nStarted for it (`ADDRESS` and `PORT` are free ones of 127.0.0.1, `DIR` is an empty directory of its own, `CONFIG` a file with the lines below the command):\n\n```\n%s\n```\n",
		s.title, r.text, strings.Join(commands, "\n"))
}

// String returns the document as Markdown.
func (d *document) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nWritten by `make bench`, not by hand. Numbers of another run or machine differ; ratios within one run differ least.\n\n", d.title)
	b.WriteString(table([]string{"goal", "wanted", "measured", ""}, d.goals))
	fmt.Fprintf(&b, "\n## Where and how\n\n%s", d.machine)
	if d.note != "" {
		fmt.Fprintf(&b, "\n%s\n", d.note)
	}
	b.WriteString(d.sections.String())
	return b.String()
}

// table returns a table in Markdown.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(strings.Split(strings.TrimSuffix(strings.Repeat("--- ", len(head)), " "), " "))
	for _, row := range rows {
		line(row)
	}
	return b.String()
}
