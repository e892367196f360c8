// Package pricing works out what a subscription costs: prices times quantities, tiers, a minimum spend, a discount, a tax, and what
// a change in the middle of a period is credited and charged. It is arithmetic alone: no clock, no catalog, no wire types.
//
// All amounts are exact decimals in units of their currency (dollars, not cents). They are rounded, half away from zero, to the
// currency's smallest unit where money is stated: each charge, each prorated charge, the discount, and the tax.
//
// All functions are pure and may be called from any goroutine.
package pricing
