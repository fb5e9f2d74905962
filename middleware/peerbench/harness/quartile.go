package harness

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Quartile returns the first, second (the median) or third quartile of values; NaN if there are none.
func Quartile(values []float64, n int) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*n/4, len(sorted)-1)]
}

// Ratio formats the median of values, bold, and their quartiles.
func Ratio(values []float64) string {
	return fmt.Sprintf("**%.3g** (%.3g–%.3g)", Quartile(values, 2), Quartile(values, 1), Quartile(values, 3))
}

// At returns the value below which the given share of sorted lies.
func At[T any](sorted []T, share float64) T {
	return sorted[min(int(float64(len(sorted))*share), len(sorted)-1)]
}

// Seconds formats a number of seconds, to the microsecond.
func Seconds(s float64) string { return time.Duration(s * 1e9).Round(time.Microsecond).String() }

// Median returns the median of one figure of all runs.
func Median[T any](all []T, figure func(T) float64) float64 {
	values := make([]float64, 0, len(all))
	for _, one := range all {
		values = append(values, figure(one))
	}
	return Quartile(values, 2)
}
