package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// fitHelp makes the help of a command, and of those below it, fit helpColumns.
func fitHelp(command *cobra.Command) {
	command.Long, command.Example = reflowed(command.Long), fittedExample(command.Example)
	for _, child := range command.Commands() {
		fitHelp(child)
	}
}

// usageTemplate returns cobra's template with lines that fit.
func usageTemplate(command *cobra.Command) string {
	return strings.NewReplacer(
		".FlagUsages |", ".FlagUsagesWrapped 78 |",
		" for more information about a command.", " for its help.",
	).Replace(command.UsageTemplate())
}

// reflowed breaks the lines of paragraphs anew. Lines that are indented stay as they
// are, and those that follow "- " are indented.
func reflowed(text string) string {
	var lines, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			indent := 0
			if strings.HasPrefix(paragraph[0], "- ") {
				indent = 2
			}
			lines = append(lines, wrap("", strings.Join(paragraph, " "), indent, helpColumns))
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		isIndented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		if line == "" || isIndented || strings.HasPrefix(line, "- ") {
			flush()
		}
		if line == "" || isIndented {
			lines = append(lines, line)
		} else {
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return strings.Join(lines, "\n")
}

// fittedExample breaks command lines that are too long, so that they can still be
// copied.
func fittedExample(example string) string {
	lines := strings.Split(example, "\n")
	for i, line := range lines {
		command := strings.TrimLeft(line, " ")
		if columns(line) > helpColumns {
			lines[i] = wrappedCommand(line[:len(line)-len(command)], command, helpColumns)
		}
	}
	return strings.Join(lines, "\n")
}
