package entcache

import (
	"errors"
	"fmt"
	"testing"

	"github.com/entcache/entcache/gql"
)

// TestAListThatGoesInCirclesEnds, however many pages a turn has: only one of which more are in it than are remembered goes on.
func TestAListThatGoesInCirclesEnds(t *testing.T) {
	for _, turn := range []int{1, 2, 3, 100, maxCursors} {
		for _, lead := range []int{0, 1, maxCursors - 1, maxCursors + 7} { // pages before it comes to the circle
			n := 0
			var last error
			for _, err := range pages("list things", func(*gql.CursorPaging) ([]int, gql.PageInfo, error) {
				cursor := fmt.Sprint("lead", n)
				if n >= lead {
					cursor = fmt.Sprint("turn", (n-lead)%turn)
				}
				n++
				return []int{n}, gql.PageInfo{HasNextPage: new(true), EndCursor: &cursor}, nil
			}) {
				if last = err; n > lead+3*maxCursors {
					break
				}
			}
			if !errors.Is(last, ErrMalformed) || lead == 0 && n != turn+1 {
				t.Errorf("%d pages, and then in turns of %d: ended after %d with %v", lead, turn, n, last)
			}
		}
	}
}

func TestALongListIsNoCircle(t *testing.T) {
	const long = 3 * maxCursors
	n, yielded := 0, 0
	for _, err := range pages("list things", func(paging *gql.CursorPaging) ([]int, gql.PageInfo, error) {
		n++
		return []int{n}, gql.PageInfo{HasNextPage: new(n < long), EndCursor: new(fmt.Sprint(n))}, nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		yielded++
	}
	if yielded != long {
		t.Errorf("%d of %d", yielded, long)
	}
}
