package emulator

import (
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// EventKind is what happened, whichever of the subscriptions tell it.
type EventKind string

// The kinds of events.
const (
	EventEntitlements EventKind = "entitlements" // entitlementsUpdatedV2, entitlementsUpdated
	EventUsage        EventKind = "usage"        // usageUpdatedV2, and usageUpdated or creditBalanceUpdated
	EventPackage      EventKind = "package"      // packagePublished
)

// Event describes one change pushed to subscribers. It is one event however many subscriptions carry it.
type Event struct {
	Kind       EventKind
	CustomerID string
	ResourceID string
	FeatureID  string // of a usage event: this, or
	CurrencyID string // this
}

// event is an Event on its way, with its payload for each root field that tells it.
type event struct {
	Event
	seq       uint64
	notBefore time.Time // zero: at once
	payloads  map[string]any
}

// publish hands ev to every socket, as the event faults will have it. The caller holds e.mu, so the order of events is
// the order of changes; nothing here blocks.
func (e *Emulator) publish(ev *event) {
	for _, ev := range e.faults.bend(ev) {
		e.tell(ev)
	}
}

// tell sends ev to every socket. The caller holds e.mu.
func (e *Emulator) tell(ev *event) {
	e.eventSeq++
	sent := *ev
	sent.seq = e.eventSeq
	e.sockets.each(func(s *socket) { s.offer(&sent) })
}

// emitEntitlements tells that the set of one key was calculated anew.
func (e *Emulator) emitEntitlements(c *customer, s *scope) {
	ev := Event{Kind: EventEntitlements, CustomerID: c.id, ResourceID: s.resourceID}
	if e.sockets.empty() {
		e.publish(&event{Event: ev}) // counted by the faults, told to nobody
		return
	}
	v1, v2 := e.sets(c, s)
	var denied *wire.EntitlementsStateAccessDeniedReason
	if s.denied != "" {
		denied = new(wire.EntitlementsStateAccessDeniedReason(s.denied))
	}
	e.publish(&event{
		Event: ev,
		payloads: map[string]any{
			"entitlementsUpdatedV2": &wire.EntitlementsUpdatedV2{
				CustomerID: c.id, ResourceID: optional(s.resourceID), AccessDeniedReason: denied, Entitlements: &v2,
			},
			"entitlementsUpdated": &wire.EntitlementsUpdated{
				CustomerID: c.id, ResourceID: optional(s.resourceID), AccessDeniedReason: denied, Entitlements: &v1,
			},
		},
	})
}

// emitUsage tells the present usage of one feature or wallet.
func (e *Emulator) emitUsage(c *customer, s *scope, ent *entitled) {
	e.record(s)
	ev := &event{Event: Event{Kind: EventUsage, CustomerID: c.id, ResourceID: s.resourceID}}
	reference := &wire.EntitlementReference{ID: wire.ID(ent.ref.id), Type: wire.EntitlementTypeFeature}
	if ent.ref.credit {
		ev.CurrencyID = ent.ref.id
		reference.Type = wire.EntitlementTypeCredit
	} else {
		ev.FeatureID = ent.ref.id
	}
	if e.sockets.empty() {
		e.publish(ev)
		return
	}
	m := s.meters[ent.ref]
	ev.payloads = map[string]any{"usageUpdatedV2": &wire.UsageUpdatedV2{
		CustomerID: c.id, ResourceID: optional(s.resourceID), EntitlementReference: reference,
		Usage: &wire.UsageV2{
			CurrentUsage:     m.used.InexactFloat64(),
			UsageUpdatedAt:   wire.NewDateTime(m.updatedAt),
			UsagePeriodStart: optionalTime(m.start),
			UsagePeriodEnd:   optionalTime(m.end),
		},
	}}
	if ent.ref.credit {
		b := e.balanceOf(c, s, ent)
		ev.payloads["creditBalanceUpdated"] = &wire.CreditBalanceUpdated{
			CustomerID: b.CustomerID, ResourceID: b.ResourceID, CurrencyID: ent.ref.id, Currency: b.Currency,
			CurrentBalance: b.CurrentBalance, TotalConsumed: b.TotalConsumed, TotalGranted: b.TotalGranted, ValidUntil: b.ValidUntil,
		}
	} else {
		ev.payloads["usageUpdated"] = &wire.UsageUpdated{
			Entitlement: e.entitlementV1(c, s, ent),
			Usage: &wire.UsageMeasurementUpdated{
				CustomerID: c.id, ResourceID: optional(s.resourceID), FeatureID: ent.ref.id,
				CurrentUsage:     m.used.InexactFloat64(),
				UsagePeriodStart: epochMillis(m.start), UsagePeriodEnd: epochMillis(m.end), NextResetDate: epochMillis(m.end),
			},
		}
	}
	e.publish(ev)
}
