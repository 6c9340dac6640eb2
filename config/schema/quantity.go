package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The units of sizes, in bytes.
const (
	KiB int64 = 1 << 10
	MiB int64 = 1 << 20
	GiB int64 = 1 << 30
	TiB int64 = 1 << 40
)

// Duration is a time from least to most.
func Duration(least, most time.Duration) Kind[time.Duration] {
	return Kind[time.Duration]{
		Parse: func(text string) (time.Duration, error) {
			d, err := time.ParseDuration(text)
			if err != nil || d < least || d > most {
				return 0, fmt.Errorf("%s must be a duration such as 28s or 1m30s, from %s to %s",
					Quote(text), FormatDuration(least), FormatDuration(most))
			}
			return d, nil
		},
		Format: FormatDuration,
		tags:   []string{tagText, tagInteger}, // 0 needs no unit
	}
}

// WholeSeconds is a [Duration] without a fraction of a second.
func WholeSeconds(least, most time.Duration) Kind[time.Duration] {
	k := Duration(least, most)
	parse := k.Parse
	k.Parse = func(text string) (time.Duration, error) {
		d, err := parse(text)
		if err == nil && d%time.Second != 0 {
			return 0, fmt.Errorf("%s must be whole seconds", Quote(text))
		}
		return d, err
	}
	return k
}

// FormatDuration writes a time as people do: 24h and not 24h0m0s.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// units are the units of sizes as they are written, the greatest first.
func units() []unit {
	return []unit{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}, {"", 1}}
}

type unit struct {
	name  string
	bytes int64
}

// Size is a number of bytes from least to most, perhaps with a unit.
func Size(least, most int64) Kind[int64] {
	return Kind[int64]{
		Parse: func(text string) (int64, error) {
			n, ok := parseSize(text)
			if !ok || n < least || n > most {
				return 0, fmt.Errorf("%s must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from %s to %s",
					Quote(text), FormatSize(least), FormatSize(most))
			}
			return n, nil
		},
		Format: FormatSize,
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

// FormatSize writes n bytes in the greatest unit of which they are a whole number.
func FormatSize(n int64) string {
	for _, u := range units() {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0B"
}
