package cloudmirror

import (
	"regexp/syntax"
	"sync"
	"unicode/utf8"
)

// maxNearBytes bounds how much of a URL Reach compares. Patterns fix hosts and the
// first segments of paths; what is behind that seldom tells two patterns apart.
const maxNearBytes = 1 << 10

// A prefixMatcher runs a pattern's program over the beginning of a text. The first call
// of Reach compiles the program: only an explanation of a refused URL needs it.
type prefixMatcher struct {
	once    sync.Once
	program *syntax.Prog
}

// Reach returns how many bytes at the beginning of a URL could be those of a URL that
// the pattern allows: with ^https://example\.com/pub/, of https://example.com/private
// those up to the first letter of the path, "https://example.com/p". Of a URL longer
// than 1,024 bytes it compares no more than those. The character before a place where
// the pattern wants the URL to end, and it does not, is not counted.
func (p AllowPattern) Reach(o Object) int {
	p.near.once.Do(func() { p.near.program = compilePrefix(p.expression.String()) })
	return reach(p.near.program, o.url[:min(len(o.url), maxNearBytes)])
}

// compilePrefix compiles an expression that regexp has compiled already.
func compilePrefix(expression string) *syntax.Prog {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err == nil {
		var program *syntax.Prog
		if program, err = syntax.Compile(tree.Simplify()); err == nil {
			return program
		}
	}
	panic("cloudmirror: " + err.Error())
}

// reach runs all threads of a program over a text at once, as RE2 does, and returns
// where the last one ends. Its time is bounded by the product of both lengths.
func reach(program *syntax.Prog, text string) int {
	t := threads{program: program, seen: make([]int, len(program.Inst)), step: 1}
	next, width := firstRune(text)
	isOver := t.add(uint32(program.Start), syntax.EmptyOpContext(-1, next)) //nolint:gosec // an index of the program
	at := 0
	for width > 0 && !isOver && len(t.alive) > 0 {
		current, end := next, at+width
		next, width = firstRune(text[end:])
		alive := t.alive
		t.alive, t.spare, t.step = t.spare[:0], alive, t.step+1
		for _, pc := range alive {
			if in := &program.Inst[pc]; in.MatchRune(current) {
				isOver = t.add(in.Out, syntax.EmptyOpContext(current, next)) || isOver
			}
		}
		if len(t.alive) > 0 || isOver {
			at = end
		}
	}
	return at
}

// threads are the places in a program that a text has led to.
type threads struct {
	program      *syntax.Prog
	alive, spare []uint32 // instructions that want a rune
	seen         []int    // by instruction: the last step that came to it
	step         int
}

// add follows a program from an instruction to those that want a rune. It reports
// whether the pattern has matched.
func (t *threads) add(pc uint32, context syntax.EmptyOp) (isOver bool) {
	if t.seen[pc] == t.step {
		return false
	}
	t.seen[pc] = t.step
	switch in := &t.program.Inst[pc]; in.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		isOver = t.add(in.Out, context)
		return t.add(in.Arg, context) || isOver
	case syntax.InstEmptyWidth:
		return syntax.EmptyOp(in.Arg)&^context == 0 && t.add(in.Out, context) //nolint:gosec // a set of at most 8 bits
	case syntax.InstCapture, syntax.InstNop:
		return t.add(in.Out, context)
	case syntax.InstMatch:
		return true
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		t.alive = append(t.alive, pc)
	case syntax.InstFail:
	}
	return false
}

func firstRune(text string) (r rune, width int) {
	if text == "" {
		return -1, 0
	}
	return utf8.DecodeRuneInString(text)
}
