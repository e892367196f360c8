package entcache

import (
	"hash/maphash"
	"iter"

	"github.com/entcache/entcache/gql"
)

// pageSize is how many a list asks for at once. It is what the official clients ask for, and so what Stigg certainly grants.
const pageSize = 25

// maxCursors bounds how many cursors of a list are remembered, 8 bytes and a map's own each: 100,000 things. A list that comes back to
// one from before that is found out when it comes back once more.
const maxCursors = 4096

var cursorSeed = maphash.MakeSeed()

// pages yields what a list has, page after page, as fetch answers them: it asks for a page when the loop comes to it. An error is
// yielded once, and is the last. The result may be ranged over more than once, and by several goroutines, if fetch allows it.
func pages[T any](call string, fetch func(*gql.CursorPaging) ([]T, gql.PageInfo, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[uint64]bool{} // hashes: how long a cursor is, Stigg says
		paging := &gql.CursorPaging{First: new(pageSize)}
		for {
			page, info, err := fetch(paging)
			if err != nil {
				yield(none, err)
				return
			}
			for _, x := range page {
				if !yield(x, nil) {
					return
				}
			}
			if info.HasNextPage == nil || !*info.HasNextPage {
				return
			}
			next := deref(info.EndCursor)
			switch h := maphash.String(cursorSeed, next); {
			case next == "":
				yield(none, endless(call, "says that there are more, and gives no cursor to go on from"))
				return
			case seen[h]:
				yield(none, endless(call, "says that there are more, and goes on from where it has been"))
				return
			default:
				if len(seen) >= maxCursors {
					clear(seen)
				}
				seen[h] = true
			}
			paging = &gql.CursorPaging{First: new(pageSize), After: &next}
		}
	}
}
