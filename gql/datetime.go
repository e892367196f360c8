package gql

import "github.com/entcache/entcache/gql/internal/scalar"

// DateTime is a moment in inputs and results. It embeds a time.Time; the zero value is the zero time. It reads every form in which
// Stigg is known to send moments (RFC 3339, without a zone, epoch milliseconds as number or string) and writes RFC 3339 in UTC
// with milliseconds.
type DateTime = scalar.DateTime
