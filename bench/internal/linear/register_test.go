package linear

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// operation is a change to state n, or a check that shows it.
type operation struct {
	write bool
	n     int
}

// register takes on every state in its turn, and shows the last.
var register = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, _ any) (bool, any) {
		op := input.(operation)
		if op.write {
			return op.n == state.(int)+1, op.n
		}
		return op.n == state.(int), state
	},
	DescribeOperation: func(input, _ any) string {
		op := input.(operation)
		return fmt.Sprintf("%s %d", map[bool]string{true: "write", false: "read"}[op.write], op.n)
	},
}

// never is the end of a change that may take effect at any time.
const never = math.MaxInt64

func write(n int, began, returned int64) porcupine.Operation {
	return porcupine.Operation{Input: operation{true, n}, Call: began, Return: returned}
}

func read(n int, began, returned int64) porcupine.Operation {
	return porcupine.Operation{Input: operation{false, n}, Call: began, Return: returned}
}

// judge returns whether there is an order that explains the history.
func judge(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(register, history, 10*time.Second)
}

// TestRegisterBites feeds the judge histories of which it is known whether they may be.
func TestRegisterBites(t *testing.T) {
	for _, row := range []struct {
		name    string
		history []porcupine.Operation
		want    porcupine.CheckResult
	}{
		{"a change is seen late", []porcupine.Operation{write(1, 0, never), read(0, 5, 6), read(1, 7, 8)}, porcupine.Ok},
		{"a change is never seen", []porcupine.Operation{write(1, 0, never), read(0, 5, 6)}, porcupine.Ok},
		{"a change is passed over", []porcupine.Operation{write(1, 0, never), write(2, 1, never), read(0, 5, 6), read(2, 7, 8)}, porcupine.Ok},
		{"two checks at a time see either", []porcupine.Operation{write(1, 0, never), read(1, 2, 9), read(0, 3, 8)}, porcupine.Ok},
		{"a check goes back", []porcupine.Operation{write(1, 0, never), read(1, 2, 3), read(0, 4, 5)}, porcupine.Illegal},
		{"a check goes back over two", []porcupine.Operation{write(1, 0, never), write(2, 0, never), read(2, 2, 3), read(1, 4, 5)}, porcupine.Illegal},
		{"a check foresees", []porcupine.Operation{read(1, 0, 1), write(1, 2, never)}, porcupine.Illegal},
		{"a check invents", []porcupine.Operation{write(1, 0, never), read(2, 2, 3)}, porcupine.Illegal},
		{"the own write is seen", []porcupine.Operation{write(1, 0, 4), read(1, 2, 3), read(1, 5, 6)}, porcupine.Ok},
		{"the own write is not seen", []porcupine.Operation{write(1, 0, 4), read(0, 5, 6)}, porcupine.Illegal},
		{"the own write is not seen yet", []porcupine.Operation{write(1, 0, 4), read(0, 3, 6)}, porcupine.Ok},
		{"what came before the own write is not seen", []porcupine.Operation{write(1, 0, never), write(2, 1, 4), read(1, 5, 6)}, porcupine.Illegal},
	} {
		if got := judge(row.history); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
