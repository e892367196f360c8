package emulator

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/entcache/entcache/emulator/internal/wire"
)

const (
	// defaultPage is how many a list has when nobody says.
	defaultPage = 25
	// maxPage is how many it has at most.
	maxPage = 100
)

// page is the part of a list that a request asked for: its first, or last, after or before a cursor. Cursors name a thing by its
// id, so that they hold while others come and go; one that names nothing any more is an error.
func page[T any](list []T, id func(T) string, paging wire.CursorPaging) ([]T, *wire.PageInfo, error) {
	return pageUpTo(maxPage, list, id, paging)
}

// pageUpTo is page for a list that gives so many at most.
func pageUpTo[T any](most int, list []T, id func(T) string, paging wire.CursorPaging) ([]T, *wire.PageInfo, error) {
	from, to := 0, len(list)
	at := func(cursor string) (int, error) {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		name, ok := strings.CutPrefix(string(raw), cursorPrefix)
		if err == nil && ok {
			if i := slices.IndexFunc(list, func(x T) bool { return id(x) == name }); i >= 0 {
				return i, nil
			}
		}
		return 0, errorf(codeBadUserInput, "the cursor %q leads nowhere: begin again without", cursor)
	}
	if after := paging.After.Or(""); after != "" {
		i, err := at(after)
		if err != nil {
			return nil, nil, err
		}
		from = i + 1
	}
	if before := paging.Before.Or(""); before != "" {
		i, err := at(before)
		if err != nil {
			return nil, nil, err
		}
		to = max(i, from)
	}
	first, last := int(paging.First.Or(-1)), int(paging.Last.Or(-1))
	switch {
	case paging.First.Value != nil && paging.Last.Value != nil:
		return nil, nil, errorf(codeBadUserInput, "give first or last, not both")
	case paging.First.Value != nil && first < 0 || paging.Last.Value != nil && last < 0:
		return nil, nil, errorf(codeBadUserInput, "a page has no less than nothing")
	case first > most || last > most:
		return nil, nil, errorf(codeBadUserInput, "a page has %d at most", most)
	case last >= 0:
		from = max(from, to-last)
	default:
		if first < 0 {
			first = defaultPage
		}
		to = min(to, from+first)
	}
	info := &wire.PageInfo{HasNextPage: new(to < len(list)), HasPreviousPage: new(from > 0)}
	part := list[from:to]
	if len(part) > 0 {
		info.StartCursor, info.EndCursor = new(cursorOf(id(part[0]))), new(cursorOf(id(part[len(part)-1])))
	}
	return part, info, nil
}

const cursorPrefix = "at:"

func cursorOf(id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorPrefix + id))
}
