// Package report is what becomes of samples: the medians and their spread, the ratios within a run, the verdicts on targets, the table, and
// the file that is kept. It measures nothing, and its values are not safe for concurrent use.
package report
