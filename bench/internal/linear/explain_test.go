package linear

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// contradictions names, for who has to find out why the judge refused a history, the pairs of operations that no order explains.
// It judges nothing: the judge does.
func contradictions(history []porcupine.Operation) string {
	const most = 10
	asked := make(map[int]porcupine.Operation) // by the number of the state
	var reads, ended []porcupine.Operation
	for _, op := range history {
		what := op.Input.(operation)
		if what.write {
			asked[what.n] = op
		} else {
			reads = append(reads, op)
		}
		if op.Return != never {
			ended = append(ended, op)
		}
	}
	number := func(op porcupine.Operation) int { return op.Input.(operation).n }
	slices.SortFunc(reads, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	slices.SortFunc(ended, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	var out strings.Builder
	found := 0
	note := func(format string, args ...any) {
		if found++; found <= most {
			fmt.Fprintf(&out, "\n\t"+format, args...)
		}
	}
	var newest porcupine.Operation
	for _, r := range reads {
		for len(ended) > 0 && ended[0].Return < r.Call {
			if newest.Input == nil || number(ended[0]) > number(newest) {
				newest = ended[0]
			}
			ended = ended[1:]
		}
		if newest.Input != nil && number(r) < number(newest) {
			note("%v began after %v had returned", describe(r), describe(newest))
		}
		if w, ok := asked[number(r)]; number(r) > 0 && (!ok || w.Call > r.Return) {
			note("%v showed what nobody had asked for: %v", describe(r), describe(w))
		}
	}
	return fmt.Sprintf("%d contradictions%s", found, out.String())
}

func describe(op porcupine.Operation) string {
	if op.Input == nil {
		return "nothing"
	}
	until := fmt.Sprint(op.Return)
	if op.Return == never {
		until = "ever"
	}
	return fmt.Sprintf("%s by %d (%d to %s)", register.DescribeOperation(op.Input, nil), op.ClientId, op.Call, until)
}
