package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// metric reads one metric of a process of cloudmirror, by its name with labels.
func (l *laboratory) metric(ctx context.Context, p *process, name string) (float64, error) {
	_, text, err := l.read(ctx, "http://"+p.address+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", p.address, name)
}

// echoCount reads one of the numbers that bare Echo counts.
func (l *laboratory) echoCount(ctx context.Context, echo *process, name string) (float64, error) {
	_, text, err := l.read(ctx, "http://"+echo.address+"/count")
	if err != nil {
		return 0, err
	}
	var counts map[string]float64
	err = json.Unmarshal(text, &counts)
	return counts[name], err
}
