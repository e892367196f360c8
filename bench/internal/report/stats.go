package report

import "slices"

// Stats are what is said of a list of samples.
type Stats struct {
	N                int
	Median, Min, Max float64
}

// StatsOf takes the median; of an even number, what lies between the two in the middle.
func StatsOf(values []float64) Stats {
	if len(values) == 0 {
		return Stats{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Stats{len(sorted), median(sorted), sorted[0], sorted[len(sorted)-1]}
}

func median(sorted []float64) float64 { return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2 }
