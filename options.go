package cloudmirror

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// An Option is addressed to cloudmirror by the query of a request whose target is
// an encoded URL.
type Option struct {
	Name  string // a reserved one
	Value string // percent-decoded once; may be empty
}

// optionName returns the reserved name that a raw one of a query percent-decodes to,
// and "" if it is none. Names are reserved in every region and at every path that
// takes a target, whether the option means something there or not: what a request
// says must not depend on where it is sent. It allocates only for an error.
func optionName(raw string) (string, error) {
	var decoded [len("fallback") + 1]byte // the longest one, and a byte too many
	n := 0
	for raw != "" {
		if raw[0] == '%' && (len(raw) < 3 || !isHex(raw[1]) || !isHex(raw[2])) {
			return "", optionErrorf("has a name with a %% that two hexadecimal digits do not follow")
		}
		c, width := decodeByte(raw)
		n += copy(decoded[n:], []byte{c})
		raw = raw[width:]
	}
	for _, name := range [...]string{"wait", "fallback", "country", "avoid", "explain", "ip", "ipv"} {
		if string(decoded[:n]) == name {
			return name, nil
		}
	}
	return "", nil
}

// splitQuery reads the raw query behind an encoded URL. It is all options, in
// their order, or it belongs to the URL: then it is returned as own. An empty
// query is neither. An error is an [*OptionError]: the query mixes the two, an
// option is repeated, or something is not percent-encoded right.
//
// Only & separates (WHATWG URL standard, application/x-www-form-urlencoded): a
// semicolon is a part of a name or value. An empty parameter is no option.
func splitQuery(query string) (options []Option, own string, err error) {
	if query == "" {
		return nil, "", nil
	}
	if len(query) > MaxURLBytes {
		return nil, "", optionErrorf("is %d bytes long, at most %d are allowed", len(query), MaxURLBytes)
	}
	isFirst, isOwn := true, false
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name, err = optionName(name); err != nil {
			return nil, "", err
		}
		isOption := name != ""
		switch {
		case isFirst:
			isFirst, isOwn = false, !isOption
		case isOption == isOwn:
			return nil, "", optionErrorf("mixes options of this server with parameters of the origin URL; percent-encode these as a part of the URL")
		}
		if !isOption {
			continue
		}
		if slices.ContainsFunc(options, func(o Option) bool { return o.Name == name }) {
			return nil, "", optionErrorf("has the option %s more than once", name)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, "", optionErrorf("has a value of the option %s with a %% that two hexadecimal digits do not follow", name)
		}
		options = append(options, Option{Name: name, Value: value})
	}
	if isOwn {
		return nil, query, nil
	}
	return options, "", nil
}

// An OptionError says why the query behind an encoded URL is refused. Its text
// repeats nothing of the query but names of options.
type OptionError struct {
	Reason string // completes "the query …"
}

// Error implements error.
func (e *OptionError) Error() string { return "the query " + e.Reason }

func optionErrorf(format string, args ...any) *OptionError {
	return &OptionError{Reason: fmt.Sprintf(format, args...)}
}
