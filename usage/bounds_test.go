package usage

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// TestAValueThatIsNoNumber is refused, and not what ends the process when it is merged.
func TestAValueThatIsNoNumber(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if err := r.Accept(t.Context(), report("seats", v)); err == nil {
				t.Errorf("%v is accepted", v)
			}
		}
	})
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, ok := add(v, 1); ok {
			t.Errorf("%v is added", v)
		}
		if _, ok := add(1, v); ok {
			t.Errorf("%v is added", v)
		}
	}
}

// TestTheAgeOfTheOldest is that of the oldest, also when it waits behind others in a long queue.
func TestTheAgeOfTheOldest(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		begin, through := time.Now(), 0
		s.fail = func(int, []Record) *failing {
			if time.Since(begin) > time.Hour {
				if through++; through <= 2 {
					return nil
				}
			}
			return &failing{Failure: Failure{Err: errAway, Means: Away}}
		}
		for i := range 4 * MaxReports {
			accept(t, r, report("seats", 1, fmt.Sprint("customer-", i)))
		}
		time.Sleep(time.Hour + time.Minute)
		if st := r.Stats(); st.Waiting != 2*MaxReports || st.Oldest < time.Hour {
			t.Errorf("%d wait, the oldest for %v, which came more than an hour ago", st.Waiting, st.Oldest)
		}
	})
}

// TestRetryAfterIsBelievedWithinBounds: a header gone wrong does not hold up usage for a day.
func TestRetryAfterIsBelievedWithinBounds(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		s.fail = func(n int, _ []Record) *failing {
			if n == 1 {
				return &failing{Failure: Failure{Err: errAway, Means: Away, RetryAfter: 24 * time.Hour}}
			}
			return nil
		}
		accept(t, r, report("seats", 1))
		time.Sleep(DefaultWindow + longestWish + longestWish/5 + time.Second) // up to a fifth more: see spread
		if got := s.total("acme", "seats"); got != "1" {
			t.Errorf("counted %s after six minutes", got)
		}
	})
}
