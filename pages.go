package entcache

import (
	"iter"

	"github.com/entcache/entcache/gql"
)

// pageSize is how many a list asks for at once. It is what the official clients ask for, and so what Stigg certainly grants.
const pageSize = 25

// pages yields what a list has, page after page, as fetch answers them: it asks for a page when the loop comes to it. An error is
// yielded once, and is the last.
func pages[T any](call string, fetch func(*gql.CursorPaging) ([]T, gql.PageInfo, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
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
			if next == "" || next == deref(paging.After) {
				yield(none, endless(call, "says that there are more, and gives no cursor to go on from"))
				return
			}
			paging = &gql.CursorPaging{First: new(pageSize), After: &next}
		}
	}
}
