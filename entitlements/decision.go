package entitlements

import (
	"slices"
	"time"
)

// Decision is the answer to a [Query]. It is always usable: when nothing is known, Origin is Fallback and the other fields
// say what the program configured for that case.
type Decision struct {
	// HasAccess is the answer.
	HasAccess bool `json:"hasAccess"`
	// Origin says where the answer came from.
	Origin Origin `json:"origin"`
	// AccessDeniedReason says why HasAccess is false; empty when it is true.
	AccessDeniedReason Reason `json:"accessDeniedReason,omitempty"`
	// AsOf is when the belief behind the answer was last confirmed, by this machine's clock; zero for a Fallback.
	AsOf Instant `json:"asOf"`
	// Entitlement holds the details. It is the zero Entitlement when the customer does not have what was asked for.
	Entitlement Entitlement `json:"entitlement"`
}

// Age returns how long ago the belief behind the answer was confirmed. It reads the clock; it is zero when AsOf is unknown.
func (d Decision) Age() time.Duration {
	if d.AsOf == 0 {
		return 0
	}
	return max(0, time.Since(d.AsOf.Time()))
}

// Decide answers q from s as of the moment now. It is pure, takes no lock and allocates nothing. It fills HasAccess,
// AccessDeniedReason and Entitlement; Origin and AsOf are the caller's to add, who alone knows where s came from.
//
// The rules and their order are those of Stigg's Node SDK (docs/stigg-behaviour.md section 4.2); it does not validate q. It
// differs on purpose in two places: isGranted=false without a reason denies, and a usage period that has ended reads as zero
// whichever way the question is put.
func Decide(s *Snapshot, q *Query, now Instant) (d Decision) {
	DecideInto(&d, s, q, now)
	return d
}

// DecideInto is [Decide] for a path on which copying the answer would be noticed: it fills d, which must be the zero Decision.
func DecideInto(d *Decision, s *Snapshot, q *Query, now Instant) {
	sh := s.shape
	if sh.reason != "" {
		d.AccessDeniedReason = sh.reason
		return
	}
	ref := q.Ref()
	i := sh.find(ref)
	if i < 0 {
		d.AccessDeniedReason = NoFeatureEntitlementInSubscription
		if ref.Kind == KindCredit {
			d.AccessDeniedReason = EntitlementNotFound
		}
		return
	}
	r := s.at(i)
	d.Entitlement.snapshot, d.Entitlement.now, d.Entitlement.index = s, now, int32(i)
	if s.counting != nil {
		d.Entitlement.pending = s.pendingAt(i)
	}
	var reason Reason
	switch {
	case q.Type != TypeUnspecified && q.Type != r.typ:
		reason = FeatureTypeMismatch
	case r.reason != 0 || r.flags&flagPaid != 0:
		reason = s.denyPaid(r, i, q, d.Entitlement.pending, now)
	default:
		reason = s.deny(r, i, q, d.Entitlement.pending, now)
	}
	if reason == "" {
		d.HasAccess = true
	} else {
		d.AccessDeniedReason = reason
	}
}

// deny returns why the entitlement at position i does not cover the query, the server's own reason and the wallet apart; empty
// when it does.
func (s *Snapshot) deny(r *record, i int, q *Query, pending float64, now Instant) Reason {
	if r.flags&flagGranted == 0 {
		return Unknown // the Node SDK would allow: it reads only the reason
	}
	switch r.typ {
	case TypeBoolean:
		return ""
	case TypeMetered, TypeNumeric:
		// Numeric with a null meter is counted; see docs/stigg-behaviour.md 4.2, notes.
		if r.flags&(flagUncounted|flagUnlimited|flagSoftLimit) != 0 {
			return ""
		}
		current := r.used.Current
		if r.periodOver(now) {
			current = 0
		}
		current = withPending(current, pending)
		// Written so that a NaN on either side denies.
		if current+q.RequestedUsage <= r.limit {
			return ""
		}
		return RequestedUsageExceedingLimit
	case TypeEnum:
		for _, v := range q.RequestedValues {
			if !slices.Contains(s.shape.defs[i].enumValues, v) {
				return RequestedValuesMismatch
			}
		}
		return ""
	case TypeCredit:
		return r.walletDenies(q.RequestedUsage, pending)
	}
	return Unknown // a feature type this package does not know: the caller's fallback decides
}

// walletDenies says whether a wallet can pay amount: access goes on while something is left (Stigg's changelog of Node SDK
// 4.45), and what is asked for must fit. A soft limit goes on after depletion.
func (r *record) walletDenies(amount, pending float64) Reason {
	if r.flags&(flagUnlimited|flagSoftLimit) != 0 {
		return ""
	}
	current := withPending(r.used.Current, pending)
	if current < r.limit && current+amount <= r.limit {
		return ""
	}
	return InsufficientCredits
}

// withPending is the usage with what is pending; never below zero, as usage never is.
func withPending(current, pending float64) float64 {
	if pending == 0 {
		return current
	}
	return max(0, current+pending)
}

// denyPaid is deny for an entitlement that the server gave a reason for, or that a wallet pays for. An empty wallet denies a
// feature that has no reason of its own; a wallet known to be filled after the server said InsufficientCredits clears that
// reason. Both follow the Node SDK 3.95 on a balance update; the comparison of stamps is ours, so that an older balance clears
// nothing.
func (s *Snapshot) denyPaid(r *record, i int, q *Query, pending float64, now Instant) Reason {
	reason := s.reasonAt(i)
	if wallet := s.shape.walletAt(i); wallet >= 0 {
		w := s.at(wallet)
		if reason == "" || (reason == InsufficientCredits && w.used.UpdatedAt > s.stampsAt(i).updatedAt) {
			reason = w.walletDenies(q.RequestedUsage*s.shape.defs[i].creditRate, s.pendingAt(wallet))
		}
	}
	if reason != "" {
		return reason
	}
	return s.deny(r, i, q, pending, now)
}
