package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// A bar of the chart: redirects per CPU second.
type bar struct {
	name    string
	value   float64
	product bool // ours
}

const (
	chartWidth  = 760
	chartLabels = 300 // pixels left of the bars
	chartValues = 130 // right of the longest
	barStep     = 36
	chartTop    = 48
)

// drawChart returns an SVG image with a bar for each value. Its text is readable
// on light and on dark pages.
func drawChart(bars []bar) string {
	longest := slices.MaxFunc(bars, func(a, b bar) int { return int(a.value - b.value) }).value
	height := chartTop + barStep*len(bars) + 8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="Redirects per second of CPU time">
<style>
text { font: 14px system-ui, "DejaVu Sans", sans-serif; fill: #59636e }
.title { font-weight: bold }
.peer { fill: #8c959f }
.product { fill: #2188ff }
@media (prefers-color-scheme: dark) { text { fill: #b1bac4 } .peer { fill: #6e7681 } }
</style>
<text class="title" x="0" y="24">Redirects per second of CPU time: more is better</text>
`, chartWidth, height, chartWidth, height)
	for i, each := range bars {
		class, y := "peer", chartTop+barStep*i
		if each.product {
			class = "product"
		}
		width := each.value / longest * (chartWidth - chartLabels - chartValues)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, chartLabels-10, y+18, html.EscapeString(each.name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="26" rx="3"/>`, class, chartLabels, y, width)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%.0f k (%.2f)</text>`+"\n", chartLabels+width+8, y+18, each.value/1000, each.value/longest)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
