package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Counters are values by name.
type counters map[string]float64

func (c counters) add(other counters) counters {
	sum := maps.Clone(c)
	for name, value := range other {
		sum[name] += value
	}
	return sum
}

func (c counters) minus(other counters) counters {
	difference := make(counters)
	for name, value := range c {
		if value -= other[name]; value != 0 {
			difference[name] = value
		}
	}
	return difference
}

func (c counters) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %.0f", name, c[name]))
	}
	return strings.Join(parts, ", ")
}

// copyResults returns how the jobs of all copiers ended so far, by result, those
// of their earlier lives included.
func (d *deployment) copyResults(ctx context.Context) counters {
	sum := make(counters)
	for _, c := range d.copiers {
		sum = sum.add(c.last).add(d.resultsOf(ctx, c))
	}
	return sum
}

// resultsOf returns what a copier counted in this life; nothing if it is not
// there.
func (d *deployment) resultsOf(ctx context.Context, c *role) counters {
	return byLabel(d.metrics(ctx, c), "cloudmirror_copies_total", "result")
}

// A sample is one value of /metrics.
type sample struct {
	name   string
	labels string
	value  float64
}

func (d *deployment) metrics(ctx context.Context, r *role) []sample {
	text, err := d.text(ctx, "http://"+r.admin+"/metrics")
	if err != nil {
		return nil // it is down, which others notice
	}
	var samples []sample
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if i := strings.LastIndex(line, "} "); i >= 0 {
			name, value, found = line[:i+1], strings.TrimSpace(line[i+2:]), true
		}
		if strings.HasPrefix(line, "#") || !found {
			continue
		}
		s := sample{}
		s.name, s.labels, _ = strings.Cut(name, "{")
		if s.value, err = strconv.ParseFloat(value, 64); err == nil {
			samples = append(samples, s)
		}
	}
	return samples
}

// byLabel sums a metric for each value of a label.
func byLabel(samples []sample, name, label string) counters {
	sum := make(counters)
	for _, s := range samples {
		if s.name != name {
			continue
		}
		_, value, _ := strings.Cut(s.labels, label+`="`)
		value, _, _ = strings.Cut(value, `"`)
		sum[value] += s.value
	}
	return sum
}

// value returns the sum of a metric, over all labels.
func value(samples []sample, name string) (sum float64) {
	for _, s := range samples {
		if s.name == name {
			sum += s.value
		}
	}
	return sum
}

// killRole ends a role at once, and keeps what it counted.
func (d *deployment) killRole(ctx context.Context, r *role) {
	r.last = r.last.add(d.resultsOf(ctx, r))
	r.Kill()
}
