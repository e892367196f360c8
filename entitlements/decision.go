package entitlements

import (
	"slices"
	"time"
)

// Decision is the answer to a [Query]. It is always usable: when nothing is known, Origin is Fallback and the other fields
// say what the program configured for that case.
type Decision struct {
	// HasAccess is the answer.
	HasAccess bool
	// Origin says where the answer came from.
	Origin Origin
	// AccessDeniedReason says why HasAccess is false; empty when it is true.
	AccessDeniedReason Reason
	// AsOf is when the belief behind the answer was last confirmed, by this machine's clock; zero for a Fallback.
	AsOf Instant
	// Entitlement holds the details. It is the zero Entitlement when the customer does not have what was asked for.
	Entitlement Entitlement
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
// The rules and their order are those of Stigg's Node SDK (stigg-behaviour.md section 4.2); it does not validate q. It
// differs on purpose in two places: isGranted=false without a reason denies, and a usage period that has ended reads as zero
// whichever way the question is put.
func Decide(s *Snapshot, q *Query, now Instant) Decision {
	if s.reason != "" {
		return Decision{AccessDeniedReason: s.reason}
	}
	ref := q.Ref()
	i := s.grants.find(ref)
	if i < 0 {
		if ref.Kind == KindCredit {
			return Decision{AccessDeniedReason: EntitlementNotFound}
		}
		return Decision{AccessDeniedReason: NoFeatureEntitlementInSubscription}
	}
	it := &s.grants.items[i]
	d := Decision{Entitlement: Entitlement{s, now, int32(i)}}
	if q.Type != TypeUnspecified && q.Type != it.typ {
		d.AccessDeniedReason = FeatureTypeMismatch
		return d
	}
	d.AccessDeniedReason = s.deny(it, i, q, now)
	d.HasAccess = d.AccessDeniedReason == ""
	return d
}

// deny returns why the entitlement at index i does not cover the query; empty when it does.
func (s *Snapshot) deny(it *item, i int, q *Query, now Instant) Reason {
	reason := it.reason
	if it.wallet >= 0 {
		reason = s.walletVerdict(it, q, reason)
	}
	if reason != "" {
		return reason
	}
	if it.flags&flagGranted == 0 {
		return Unknown // the Node SDK would allow: it reads only the reason
	}
	switch it.featureType {
	case FeatureBoolean:
		return ""
	case FeatureEnum:
		for _, v := range q.RequestedValues {
			if !slices.Contains(it.enumValues, v) {
				return RequestedValuesMismatch
			}
		}
		return ""
	case FeatureNumber:
		if it.meterType == MeterNone {
			return ""
		}
		if it.flags&(flagUnlimited|flagSoftLimit) != 0 {
			return ""
		}
		u := &s.usage[i]
		current := u.current
		if u.periodOver(it, now) {
			current = 0
		}
		// Written so that a NaN on either side denies.
		if current+q.RequestedUsage <= it.limit {
			return ""
		}
		return RequestedUsageExceedingLimit
	}
	if it.typ == TypeCredit {
		return s.walletDenies(i, q.RequestedUsage)
	}
	return Unknown // a feature type this package does not know: the caller's fallback decides
}

// walletDenies says whether the wallet at index i can pay amount: access goes on while something is left (Stigg's changelog of
// Node SDK 4.45), and what is asked for must fit. A soft limit goes on after depletion.
func (s *Snapshot) walletDenies(i int, amount float64) Reason {
	it, u := &s.grants.items[i], &s.usage[i]
	if it.flags&(flagUnlimited|flagSoftLimit) != 0 {
		return ""
	}
	if u.current < it.limit && u.current+amount <= it.limit {
		return ""
	}
	return InsufficientCredits
}

// walletVerdict lets the wallet that pays for a feature have its say. An empty wallet denies a feature that has no reason of
// its own; a wallet known to be filled after the server said InsufficientCredits clears that reason. Both follow the Node SDK
// 3.95 on a balance update; the comparison of stamps is ours, so that an older balance clears nothing.
func (s *Snapshot) walletVerdict(it *item, q *Query, reason Reason) Reason {
	w := int(it.wallet)
	switch reason {
	case "":
		return s.walletDenies(w, q.RequestedUsage*it.creditRate)
	case InsufficientCredits:
		if u := &s.usage[w]; u.updatedAt > it.updatedAt {
			return s.walletDenies(w, q.RequestedUsage*it.creditRate)
		}
	}
	return reason
}
