package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// quantile returns the q-quantile of the values by the nearest rank, so that it
// is one of them. There must be one at least.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// spread shows the median with the first and the third quartile.
func spread(values []float64, decimals int) string {
	return fmt.Sprintf("%.*f [%.*f–%.*f]", decimals, median(values),
		decimals, quantile(values, 0.25), decimals, quantile(values, 0.75))
}

// quantileRow is a row of a table with quantileHead.
func quantileRow(what string, values []float64) []string {
	cells := []string{what}
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
		cells = append(cells, fmt.Sprintf("%.2f", quantile(values, q)))
	}
	return cells
}

var quantileHead = []string{"milliseconds", "least", "p50", "p90", "p99", "greatest"}

// ratios divides each value by the one of the same round.
func ratios(values, by []float64) []float64 {
	divided := make([]float64, len(values))
	for i := range values {
		divided[i] = values[i] / by[i]
	}
	return divided
}

// differences subtracts from each value the one of the same object.
func differences(values, from []float64) []float64 {
	subtracted := make([]float64, len(values))
	for i := range values {
		subtracted[i] = values[i] - from[i]
	}
	return subtracted
}

// lesser returns the smaller of two values for each round.
func lesser(a, b []float64) []float64 {
	least := make([]float64, len(a))
	for i := range a {
		least[i] = min(a[i], b[i])
	}
	return least
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
