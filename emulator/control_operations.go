package emulator

import (
	"fmt"
	"time"
)

// operations has a route for each of the operator's methods of [Emulator].
func (c *control) operations() []controlRoute {
	e := c.e
	type customerOnly struct {
		CustomerID string `json:"customerId"`
	}
	type entitling struct {
		CustomerID  string       `json:"customerId"`
		ResourceID  string       `json:"resourceId"`
		Entitlement *Entitlement `json:"entitlement"`
	}
	type apiKey struct {
		Key string `json:"key"`
	}
	type publishing struct {
		Plan      *Plan     `json:"plan"`
		Migration Migration `json:"migration"`
	}
	ofCustomer := func(path, what string, do func(customerID string) error) controlRoute {
		return post(path, what, func(in customerOnly) (any, error) {
			if err := need("customerId", in.CustomerID); err != nil {
				return nil, err
			}
			return nil, do(in.CustomerID)
		})
	}
	ofKey := func(path, what string, do func(key string)) controlRoute {
		return post(path, what, func(in apiKey) (any, error) {
			if err := need("key", in.Key); err != nil {
				return nil, err
			}
			do(in.Key)
			return nil, nil
		})
	}
	return []controlRoute{
		post("/provision", "makes sure the customer exists and, with planId, subscribes it or its resource", func(in struct {
			CustomerID string `json:"customerId"`
			ResourceID string `json:"resourceId"`
			PlanID     string `json:"planId"`
		}) (any, error) {
			if err := need("customerId", in.CustomerID); err != nil {
				return nil, err
			}
			return nil, e.Provision(in.CustomerID, in.ResourceID, in.PlanID)
		}),
		post("/report", "counts usage and answers what results", func(in struct {
			CustomerID string  `json:"customerId"`
			ResourceID string  `json:"resourceId"`
			FeatureID  string  `json:"featureId"`
			Delta      float64 `json:"delta"`
		}) (any, error) {
			if err := need("customerId", in.CustomerID); err != nil {
				return nil, err
			}
			if err := need("featureId", in.FeatureID); err != nil {
				return nil, err
			}
			usage, err := e.Report(in.CustomerID, in.ResourceID, in.FeatureID, in.Delta)
			return map[string]float64{"usage": usage}, err
		}),
		ofCustomer("/archive", "archives a customer", e.ArchiveCustomer),
		ofCustomer("/unarchive", "brings an archived customer back, without its subscriptions", e.UnarchiveCustomer),
		ofCustomer("/recalculate", "stamps every set of a customer anew, and changes nothing", e.Recalculate),
		post("/grant-promotional", "gives an entitlement outside any subscription: until a time, for a while, or for life", func(in struct {
			CustomerID  string       `json:"customerId"`
			Entitlement *Entitlement `json:"entitlement"`
			Until       *time.Time   `json:"until"`
			For         string       `json:"for"`
		}) (any, error) {
			d, err := durationOf("for", in.For)
			switch {
			case err != nil:
				return nil, err
			case d > 0 && in.Until != nil:
				return nil, &inputError{"for", "give it or until, not both"}
			case in.Until != nil && in.Until.IsZero():
				return nil, &inputError{"until", "is the zero time: give a moment, or leave it out for life"}
			}
			var until time.Time // for life
			if in.Until != nil {
				until = *in.Until
			} else if d > 0 {
				until = e.Now().Add(d)
			}
			if err := given(in.CustomerID, in.Entitlement); err != nil {
				return nil, err
			}
			return nil, e.GrantPromotional(in.CustomerID, *in.Entitlement, until)
		}),
		post("/set-entitlement", "fixes what a key has, whatever its subscriptions say", func(in entitling) (any, error) {
			if err := given(in.CustomerID, in.Entitlement); err != nil {
				return nil, err
			}
			return nil, e.SetEntitlement(in.CustomerID, in.ResourceID, *in.Entitlement)
		}),
		post("/deny-entitlement", "keeps an entitlement in the set and denies it; reason defaults to Revoked", func(in struct {
			CustomerID  string       `json:"customerId"`
			ResourceID  string       `json:"resourceId"`
			Entitlement *Entitlement `json:"entitlement"`
			Reason      string       `json:"reason"`
		}) (any, error) {
			if err := given(in.CustomerID, in.Entitlement); err != nil {
				return nil, err
			}
			return nil, e.DenyEntitlement(in.CustomerID, in.ResourceID, *in.Entitlement, in.Reason)
		}),
		post("/clear-entitlement", "takes set-entitlement or deny-entitlement back", func(in struct {
			CustomerID string `json:"customerId"`
			ResourceID string `json:"resourceId"`
			FeatureID  string `json:"featureId"`
			CurrencyID string `json:"currencyId"`
		}) (any, error) {
			if err := need("customerId", in.CustomerID); err != nil {
				return nil, err
			}
			if (in.FeatureID == "") == (in.CurrencyID == "") {
				return nil, &inputError{"featureId", "give it or currencyId, and only one"}
			}
			return nil, e.ClearEntitlement(in.CustomerID, in.ResourceID, in.FeatureID, in.CurrencyID)
		}),
		post("/publish-plan", "adds or replaces a plan; migration is ALL_CUSTOMERS or NEW_CUSTOMERS", func(in publishing) (any, error) {
			if in.Plan == nil {
				return nil, &inputError{"plan", "is missing"}
			}
			if err := in.Migration.check(); err != nil {
				return nil, err
			}
			return nil, e.PublishPlan(*in.Plan, in.Migration)
		}),
		post("/update-catalog", "replaces the catalog, in JSON of the same shape as the YAML", func(in struct {
			Catalog   *Catalog  `json:"catalog"`
			Migration Migration `json:"migration"`
		}) (any, error) {
			if in.Catalog == nil {
				return nil, &inputError{"catalog", "is missing"}
			}
			if err := in.Migration.check(); err != nil {
				return nil, err
			}
			return nil, e.UpdateCatalog(in.Catalog, in.Migration)
		}),
		post("/clock/advance", "moves the account's time forward by a duration such as \"720h\" and answers what time it is then; usage that clients report as of now counts then", func(in struct {
			By string `json:"by"`
		}) (any, error) {
			d, err := durationOf("by", in.By)
			if err == nil {
				err = need("by", in.By)
			}
			if err != nil {
				return nil, err
			}
			err = e.AdvanceClock(d)
			return clockReading{e.Now()}, err
		}),
		post("/clock/set", "moves the account's time forward to a moment", func(in struct {
			To time.Time `json:"to"`
		}) (any, error) {
			if in.To.IsZero() {
				return nil, need("to", "")
			}
			err := e.SetClock(in.To)
			return clockReading{e.Now()}, err
		}),
		ofKey("/add-api-key", "accepts one more API key", e.AddAPIKey),
		ofKey("/revoke-api-key", "accepts an API key no longer and closes its sockets", e.RevokeAPIKey),
	}
}

// given checks what every request that grants something must have.
func given(customerID string, ent *Entitlement) error {
	if err := need("customerId", customerID); err != nil {
		return err
	}
	if ent == nil {
		return &inputError{"entitlement", "is missing"}
	}
	return nil
}

func (m Migration) check() error {
	if m != AllCustomers && m != NewCustomers {
		return &inputError{"migration", fmt.Sprintf("%q: give %s or %s", string(m), AllCustomers, NewCustomers)}
	}
	return nil
}

// clockReading is the answer of everything about the clock.
type clockReading struct {
	Now time.Time `json:"now"`
}
