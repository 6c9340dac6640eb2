package cloudmirror

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// An AllowPattern is one entry of a service's allow list: a regular expression
// (RE2) that a canonical origin URL must match, on every hop. Entries of its list
// of direct URLs have the same form. It is immutable.
type AllowPattern struct {
	text       string
	expression *regexp.Regexp
	near       *prefixMatcher // of Reach
}

// ParseAllowPattern compiles a pattern. It must begin with ^https://, ^http://
// or ^https?:// and either end there, or fix the host up to the "/" behind it:
// `^https://good.example.com` would match good.example.com.evil.test as well,
// and an unescaped dot would match the slash itself.
func ParseAllowPattern(text string) (AllowPattern, error) {
	prefix := ""
	for _, p := range []string{"^https://", "^http://", "^https?://"} {
		if strings.HasPrefix(text, p) {
			prefix = p
		}
	}
	if prefix == "" {
		return AllowPattern{}, fmt.Errorf("allow pattern %q must begin with ^https://, ^http:// or ^https?://", text)
	}
	rest := strings.TrimPrefix(text, prefix)
	if rest != "" {
		tree, err := syntax.Parse(rest, syntax.Perl)
		if err != nil {
			return AllowPattern{}, fmt.Errorf("allow pattern %q: %w", text, err)
		}
		if reached, bounded := boundsHost(tree); !reached || !bounded {
			return AllowPattern{}, fmt.Errorf(`allow pattern %q must fix the host up to the "/" behind it, as in ^https://good\.example\.com/ (write \. for a dot and [^/]+ for any name)`, text)
		}
	}
	// The group keeps alternatives of the rest behind the anchor and scheme.
	expression, err := regexp.Compile(prefix + "(?:" + rest + ")")
	if err != nil {
		return AllowPattern{}, fmt.Errorf("allow pattern %q: %w", text, err)
	}
	return AllowPattern{text: text, expression: expression, near: new(prefixMatcher)}, nil
}

// String returns the pattern as it was written.
func (p AllowPattern) String() string { return p.text }

// Match reports whether the pattern allows o.
func (p AllowPattern) Match(o Object) bool { return p.expression.MatchString(o.url) }

// boundsHost walks the part of a pattern behind the scheme from left to right.
// Bounded means that everything before the first literal slash cannot match a
// slash, so that in a canonical URL it matches the whole host and port; reached
// means that every match gets to such a slash.
func boundsHost(re *syntax.Regexp) (reached, bounded bool) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r == '/' {
				return true, true
			}
		}
		return false, true
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if reached, bounded = boundsHost(sub); reached || !bounded {
				return reached, bounded
			}
		}
		return false, true
	case syntax.OpAlternate:
		reached = true
		for _, sub := range re.Sub {
			r, b := boundsHost(sub)
			if !b {
				return false, false
			}
			reached = reached && r
		}
		if !reached {
			return false, !matchesSlash(re)
		}
		return true, true
	case syntax.OpCapture:
		return boundsHost(re.Sub[0])
	default:
		return false, !matchesSlash(re)
	}
}

// matchesSlash reports whether any part of the expression could match a slash,
// or stands for a position that has no meaning inside of a host.
func matchesSlash(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return strings.ContainsRune(string(re.Rune), '/')
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i] <= '/' && '/' <= re.Rune[i+1] {
				return true
			}
		}
		return false
	case syntax.OpEmptyMatch, syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpNoMatch:
		return false
	case syntax.OpConcat, syntax.OpAlternate, syntax.OpCapture, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		for _, sub := range re.Sub {
			if matchesSlash(sub) {
				return true
			}
		}
		return false
	default: // any character; beginnings and ends of lines and text
		return true
	}
}
