package entcache

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// MarshalJSON writes Err as its text, Bound as a duration such as "5m0s", and leaves out what is zero and says nothing. It is for logs
// and for health pages: there is no way back.
func (s Status) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		State             State
		Since             time.Time `json:",omitzero"`
		Err               string    `json:",omitempty"`
		ErrAt             time.Time `json:",omitzero"`
		Pending           int
		Bound             string    `json:",omitempty"`
		LastFrame         time.Time `json:",omitzero"`
		RequestsPerMinute float64
		Resident          int
		MemoryBytes       int64
		Waiting           int
	}{
		s.State, s.Since, textOf(s.Err), s.ErrAt, s.Pending, durationText(s.Bound), s.LastFrame, s.RequestsPerMinute, s.Resident, s.MemoryBytes,
		s.Waiting,
	})
}

// LogValue implements slog.LogValuer: what [Status.MarshalJSON] writes.
func (s Status) LogValue() slog.Value {
	list := []slog.Attr{slog.String("state", s.State.String())}
	at := func(name string, t time.Time) {
		if !t.IsZero() {
			list = append(list, slog.Time(name, t))
		}
	}
	at("since", s.Since)
	if s.Err != nil {
		list = append(list, slog.String("error", s.Err.Error()))
	}
	at("error_at", s.ErrAt)
	list = append(list, slog.Int("pending", s.Pending))
	if s.Bound != 0 {
		list = append(list, slog.String("bound", s.Bound.String()))
	}
	at("last_frame", s.LastFrame)
	return slog.GroupValue(append(list, slog.Float64("requests_per_minute", s.RequestsPerMinute), slog.Int("resident", s.Resident),
		slog.Int64("memory_bytes", s.MemoryBytes), slog.Int("waiting", s.Waiting))...)
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// durationText is a duration as Go writes it; zero says nothing.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// String is for messages: how many entitlements, and where they come from.
func (s Set) String() string {
	text := fmt.Sprintf("%d entitlements, %v", s.Len(), s.Origin)
	if s.AccessDeniedReason != "" {
		text += ", " + string(s.AccessDeniedReason)
	}
	return text
}

// LogValue implements slog.LogValuer: how many entitlements, where they come from, how old they are, and why all of them are denied.
func (s Set) LogValue() slog.Value {
	list := []slog.Attr{slog.Int("entitlements", s.Len()), slog.String("origin", s.Origin.String())}
	if s.AccessDeniedReason != "" {
		list = append(list, slog.String("reason", string(s.AccessDeniedReason)))
	}
	if s.AsOf != 0 {
		list = append(list, slog.Time("as_of", s.AsOf.Time()))
	}
	return slog.GroupValue(list...)
}

// String is for messages: what is asked, of whom. It asks nothing.
func (b *Bound) String() string { return b.query.Key().String() + ", " + b.query.Ref().String() }

// LogValue implements slog.LogValuer: what is asked. It asks nothing.
func (b *Bound) LogValue() slog.Value {
	return slog.GroupValue(append(attrsOf(b.query.Key(), b.query.Ref()), slog.Float64("requested_usage", b.query.RequestedUsage))...)
}

// String is for messages: how much is reserved, of what, for whom.
func (r *Reservation) String() string {
	return fmt.Sprintf("%v of %v for %v", r.amount, Feature(r.feature), r.key)
}

// LogValue implements slog.LogValuer: how much is reserved, of what, for whom, and whether it is settled.
func (r *Reservation) LogValue() slog.Value {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slog.GroupValue(append(attrsOf(r.key, Feature(r.feature)), slog.Float64("amount", r.amount), slog.Bool("settled", r.settled))...)
}

// attrsOf names an entitlement as the logs of checks do.
func attrsOf(key Key, ref Ref) []slog.Attr {
	list := []slog.Attr{slog.String("customer", key.CustomerID)}
	if key.ResourceID != "" {
		list = append(list, slog.String("resource", key.ResourceID))
	}
	kind := "feature"
	if ref == Currency(ref.ID) {
		kind = "currency"
	}
	return append(list, slog.String(kind, ref.ID))
}
