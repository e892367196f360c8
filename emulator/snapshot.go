package emulator

import (
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// Snapshot is what a key has, as a test can compare it with what a client believes.
type Snapshot struct {
	// AccessDeniedReason is that of the whole set: "CustomerNotFound", "CustomerIsArchived", "NoActiveSubscription" or "".
	AccessDeniedReason string             `json:"accessDeniedReason,omitempty"`
	Entitlements       []EntitlementState `json:"entitlements,omitempty"`
}

// Find returns the entitlement to a feature, and whether there is one.
func (s Snapshot) Find(featureID string) (EntitlementState, bool) {
	for _, ent := range s.Entitlements {
		if ent.FeatureID == featureID {
			return ent, true
		}
	}
	return EntitlementState{}, false
}

// EntitlementState is one entitlement of a snapshot.
type EntitlementState struct {
	FeatureID          string    `json:"featureId,omitempty"`          // this, or
	CurrencyID         string    `json:"currencyId,omitempty"`         // this
	AccessDeniedReason string    `json:"accessDeniedReason,omitempty"` // "" when granted
	Limit              *float64  `json:"limit,omitempty"`
	Unlimited          bool      `json:"unlimited,omitempty"`
	SoftLimit          bool      `json:"softLimit,omitempty"`
	Values             []string  `json:"values,omitempty"`
	Usage              float64   `json:"usage"`
	PeriodStart        time.Time `json:"periodStart,omitzero"` // zero when usage does not reset
	PeriodEnd          time.Time `json:"periodEnd,omitzero"`
	EntitlementStamp   time.Time `json:"entitlementStamp"` // entitlementUpdatedAt on the wire
	UsageStamp         time.Time `json:"usageStamp"`       // usageUpdatedAt on the wire
}

// Snapshot returns what the key has now: what entitlementsState would answer. Like it, it brings the customer to the
// present first, which may emit events.
func (e *Emulator) Snapshot(customerID, resourceID string) Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.state.customers[customerID]
	if c == nil {
		return Snapshot{AccessDeniedReason: string(wire.EntitlementsStateAccessDeniedReasonCustomerNotFound)}
	}
	return snapshotOf(e.look(c, resourceID))
}

func snapshotOf(s *scope) Snapshot {
	snap := Snapshot{AccessDeniedReason: s.denied}
	for _, ent := range s.set {
		state := EntitlementState{
			AccessDeniedReason: ent.denied, Limit: ent.limit, Unlimited: ent.unlimited, SoftLimit: ent.soft,
			Values: slices.Clone(ent.values), EntitlementStamp: ent.updatedAt, UsageStamp: s.updatedAt,
		}
		if ent.ref.credit {
			state.CurrencyID = ent.ref.id
		} else {
			state.FeatureID = ent.ref.id
		}
		if m := s.meters[ent.ref]; m != nil {
			state.Usage, state.PeriodStart, state.PeriodEnd = m.used.InexactFloat64(), m.start, m.end
			state.UsageStamp = m.updatedAt
		}
		snap.Entitlements = append(snap.Entitlements, state)
	}
	return snap
}
