package entitlements

// FallbackValue is what a program wants answered when there is no usable data. The zero value denies with the reason Unknown,
// which is Stigg's own default.
type FallbackValue struct {
	// HasAccess is the answer.
	HasAccess bool
	// AccessDeniedReason explains a denial; empty means Unknown. It is ignored when HasAccess is true.
	AccessDeniedReason Reason
	// Details are the entitlement's own fields, for a program that reads limits or values from the answer. Nil gives none. The
	// grant's ID is taken from the query.
	Details *Grant
}

// Decision returns the fallback as the answer to q. Unlike [Decide] it may allocate.
func (f *FallbackValue) Decision(q *Query, now Instant) Decision {
	d := Decision{HasAccess: f.HasAccess, Origin: Fallback}
	if !f.HasAccess {
		d.AccessDeniedReason = f.AccessDeniedReason
		if d.AccessDeniedReason == "" {
			d.AccessDeniedReason = Unknown
		}
	}
	if f.Details != nil {
		g := *f.Details
		ref := q.Ref()
		g.Kind, g.ID = ref.Kind, ref.ID
		d.Entitlement, _ = NewSnapshot(q.Key(), "", []Grant{g}).Find(ref, now)
	}
	return d
}
