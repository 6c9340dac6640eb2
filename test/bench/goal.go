package main

import "fmt"

// A goal is a promise and whether it was kept.
type goal struct {
	what, want, measured string
	met, unmeasured      bool
}

// A unit is how numbers of one kind are shown.
type unit struct {
	decimals int
	name     string // with the space before it
}

var (
	asRatio        = unit{2, ""}
	asMilliseconds = unit{2, " ms"}
	asSeconds      = unit{2, " s"}
	asMiB          = unit{0, " MiB"}
	asKiB          = unit{1, " KiB"}
	asCount        = unit{2, ""}
)

func (u unit) show(value float64) string { return fmt.Sprintf("%.*f%s", u.decimals, value, u.name) }

// showAll returns the median with its quartiles, where there is more than one
// value.
func (u unit) showAll(values []float64) string {
	if len(values) == 1 {
		return u.show(values[0])
	}
	return spread(values, u.decimals) + u.name
}

// atLeast is the goal that the median is not below a limit.
func atLeast(what string, u unit, limit float64, values ...float64) goal {
	return goal{what: what, want: "≥ " + u.show(limit), measured: u.showAll(values), met: median(values) >= limit}
}

// atMost is the goal that the median is not above a limit.
func atMost(what string, u unit, limit float64, values ...float64) goal {
	return goal{what: what, want: "≤ " + u.show(limit), measured: u.showAll(values), met: median(values) <= limit}
}

func (g goal) verdict() string {
	switch {
	case g.unmeasured:
		return "**not measured**"
	case g.met:
		return "met"
	}
	return "**not met**"
}
