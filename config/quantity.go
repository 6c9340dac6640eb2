package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func duration(least, most time.Duration) kind[time.Duration] {
	return kind[time.Duration]{
		parse: func(text string) (time.Duration, error) {
			d, err := time.ParseDuration(text)
			if err != nil || d < least || d > most {
				return 0, fmt.Errorf("%s must be a duration such as 28s or 1m30s, from %s to %s",
					quote(text), formatDuration(least), formatDuration(most))
			}
			return d, nil
		},
		format: formatDuration,
		tags:   []string{tagText, tagInteger}, // 0 needs no unit
	}
}

func wholeSeconds(least, most time.Duration) kind[time.Duration] {
	k := duration(least, most)
	parse := k.parse
	k.parse = func(text string) (time.Duration, error) {
		d, err := parse(text)
		if err == nil && d%time.Second != 0 {
			return 0, fmt.Errorf("%s must be whole seconds", quote(text))
		}
		return d, err
	}
	return k
}

// formatDuration writes 24h and not 24h0m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// units are those of sizes, the greatest first.
func units() []unit {
	return []unit{{"TiB", tebibyte}, {"GiB", gibibyte}, {"MiB", mebibyte}, {"KiB", kibibyte}, {"B", 1}, {"", 1}}
}

type unit struct {
	name  string
	bytes int64
}

// size is a number of bytes.
func size(least, most int64) kind[int64] {
	return kind[int64]{
		parse: func(text string) (int64, error) {
			n, ok := parseSize(text)
			if !ok || n < least || n > most {
				return 0, fmt.Errorf("%s must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from %s to %s",
					quote(text), formatSize(least), formatSize(most))
			}
			return n, nil
		},
		format: formatSize,
		tags:   []string{tagText, tagInteger}, // plain bytes need no unit
	}
}

func parseSize(text string) (bytes int64, ok bool) {
	for _, u := range units() {
		number, found := strings.CutSuffix(text, u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 63)
		if err != nil || int64(n) > (1<<63-1)/u.bytes { //nolint:gosec // 63 bits fit
			return 0, false
		}
		return int64(n) * u.bytes, true //nolint:gosec // 63 bits fit
	}
	return 0, false
}

// formatSize writes the greatest unit of which n is a whole number.
func formatSize(n int64) string {
	for _, u := range units() {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0B"
}
