package usage

import (
	"encoding/json"
	"log/slog"
)

// MarshalJSON writes Err as its text, Oldest as a duration such as "5m0s", and leaves these out when nothing waits or is in the way.
// It is for logs and for health pages: there is no way back.
func (s Stats) MarshalJSON() ([]byte, error) {
	oldest, problem := s.texts()
	return json.Marshal(struct {
		Accepted, Rejected, Sent, Merged, Calls, Retried, SetAside uint64
		Waiting                                                    int
		WaitingBytes                                               int64
		Oldest                                                     string `json:",omitempty"`
		Err                                                        string `json:",omitempty"`
	}{s.Accepted, s.Rejected, s.Sent, s.Merged, s.Calls, s.Retried, s.SetAside, s.Waiting, s.WaitingBytes, oldest, problem})
}

// LogValue implements slog.LogValuer: what [Stats.MarshalJSON] writes.
func (s Stats) LogValue() slog.Value {
	list := []slog.Attr{
		slog.Uint64("accepted", s.Accepted), slog.Uint64("rejected", s.Rejected), slog.Uint64("sent", s.Sent), slog.Uint64("merged", s.Merged),
		slog.Uint64("calls", s.Calls), slog.Uint64("retried", s.Retried), slog.Uint64("set_aside", s.SetAside),
		slog.Int("waiting", s.Waiting), slog.Int64("waiting_bytes", s.WaitingBytes),
	}
	oldest, problem := s.texts()
	if oldest != "" {
		list = append(list, slog.String("oldest", oldest))
	}
	if problem != "" {
		list = append(list, slog.String("error", problem))
	}
	return slog.GroupValue(list...)
}

// texts are Oldest and Err as they are shown, empty when they say nothing.
func (s Stats) texts() (oldest, problem string) {
	if s.Oldest != 0 {
		oldest = s.Oldest.String()
	}
	if s.Err != nil {
		problem = s.Err.Error()
	}
	return oldest, problem
}
