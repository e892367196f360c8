package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/entcache/entcache/bench/internal/measure"
)

// benchmarkName is what package testing puts before the numbers; behind it stands the number of processors.
var benchmarkName = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?$`)

// readBenchmarks reads what package testing prints of benchmarks.
func readBenchmarks(r io.Reader, step string) ([]measure.Sample, error) {
	var list []measure.Sample
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				return nil, err
			}
			break
		}
		words := strings.Fields(lines.Text())
		if len(words) < 4 || len(words)%2 != 0 {
			continue // goos, PASS, …
		}
		name := benchmarkName.FindStringSubmatch(words[0])
		if name == nil {
			continue
		}
		s := measure.Sample{Subject: step, Shape: strings.ReplaceAll(name[1], "/", ","), Values: measure.Values{}}
		for i := 2; i < len(words); i += 2 {
			v, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			s.Values[words[i+1]] = v
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no benchmark ran: its name has changed, or it failed", step)
	}
	return list, nil
}
