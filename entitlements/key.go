package entitlements

// Key names one set of entitlements: a customer's own when ResourceID is empty, else those of one of its resources. It is
// comparable, and unlike Stigg's Node SDK it never joins the two ids into one string, so ids may hold any character.
type Key struct {
	CustomerID string
	ResourceID string
}

// String is for messages and logs, not for use as an identity: ids are quoted so that they cannot run together.
func (k Key) String() string {
	if k.ResourceID == "" {
		return "customer " + quote(k.CustomerID)
	}
	return "customer " + quote(k.CustomerID) + " resource " + quote(k.ResourceID)
}

// Customer returns the customer-level key.
func (k Key) Customer() Key { return Key{CustomerID: k.CustomerID} }

// Ref names one entitlement within a set. Features and credit wallets have separate name spaces.
type Ref struct {
	Kind Kind
	ID   string
}

// Feature returns the reference of a feature's entitlement.
func Feature(id string) Ref { return Ref{Kind: KindFeature, ID: id} }

// Currency returns the reference of a credit wallet.
func Currency(id string) Ref { return Ref{Kind: KindCredit, ID: id} }

// String is for messages: `feature "seats"` or `currency "tokens"`.
func (r Ref) String() string {
	if r.Kind == KindCredit {
		return "currency " + quote(r.ID)
	}
	return "feature " + quote(r.ID)
}

func compareRef(a, b Ref) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return 0
}
