// Package emulator is a Stigg that runs in a process, in a test or on a port, and can misbehave.
//
// It serves Stigg's API as clients in any language speak it: GraphQL over POST and over WebSocket (subprotocol
// graphql-transport-ws) on /graphql, and the Edge API's entitlement documents below /v1/. Behind it is real state: a
// catalog of features, plans and prices (docs/catalog.md describes the file), customers, subscriptions with their trials and
// scheduled changes, checkouts, coupons, usage with its periods, raw events, credit wallets, and the entitlements that follow
// from them. Changes are pushed to subscribers as Stigg pushes them.
//
//	e, err := emulator.New(emulator.Config{})       // the demo catalog, the key "server-emulator-key"
//	url, err := e.Listen("127.0.0.1:4000")          // or e.Pipe(), to stay in memory
//	e.Provision("acme", "", "starter")              // what an operator, or another client, does
//	e.Faults().CutSockets()                         // and what the network does
//	err = e.Close()
//
// # What it is not
//
// It is not Stigg: it was written from the behaviour of Stigg's published clients, and where they do not show what the
// service does, it chooses (see "Choices"). It says what things cost and charges nobody: there are estimates, and previews of
// an invoice, but no payment provider behind a checkout, or behind the invoice of a grant of credits. It keeps everything in
// memory and forgets it at Close, unless its state is dumped (see "State").
//
// It shares nothing with the client it is tested with but the text of the schema. What an entitlement amounts to and when
// a usage period ends is worked out here a second time, because an oracle that runs the code under test proves nothing.
//
// # Time
//
// It reads the clock of package time, so that inside a testing/synctest bubble, over [Emulator.Pipe], a month passes in a
// millisecond; elsewhere [Emulator.AdvanceClock] and [Emulator.SetClock] move the account's time forward, and what became due
// on the way takes effect at once. The clocks of clients stay: when usage that is reported says when it happened, as the
// meter of package entcache does, that is read by the clock of this process, and counts where the account's was at that
// moment ([Emulator.AdvanceClock] says more). Periods are counted in UTC, from their anchor, and end on the last day of a month too
// short for the anchor's. Nothing happens by itself: trials that end, periods that are over and promotions that expire
// take effect, and are pushed, when somebody next looks at the customer or acts on it; until then validUntil has told
// clients when to look.
//
// Stamps (entitlementUpdatedAt, usageUpdatedAt) have milliseconds and strictly increase over the whole emulator, so they
// may run ahead of the clock under many changes in one millisecond. Every calculation stamps the whole set of a key anew.
// [Config].Stamps makes them less helpful: one for each entitlement, the same for several changes, of another clock.
//
// # Concurrency
//
// All methods of [Emulator], [Faults] and [Pipe] may be called from any goroutine. One mutex makes a change, its stamps,
// its place in the history and its events one step: every subscriber hears of changes in the order they were made. Handing
// out an event never waits for a client; a socket that falls behind its bounded queue is cut. [Emulator.Close] joins every
// goroutine.
//
// # History
//
// What a client believes can be judged only against what was true. With [Config].History the emulator keeps every state
// that each key really had, in order and with its stamps, logged in the same step as the change: [Emulator.HistoryOf]. With
// [Config].RequestLog it keeps when each request arrived, those a fault then spoiled included: [Emulator.RequestLog].
//
// # State
//
// [Emulator.Dump] writes the whole state of the account as one JSON document, [Emulator.Load] puts it in place of all there is, in
// this emulator or in another, and [Emulator.Reset] goes back to the beginning. An emulator that was loaded goes on as the one that
// was dumped would have: the same answers, the same ids, the same idempotency keys counted once. The time between passes for the
// account too. Sockets are cut, so that clients fetch anew.
//
// # Control
//
// [Emulator.ControlHandler], or [Emulator.ListenControl] on an address of its own, lets another process do what a test in
// this one does by calling methods. GET / lists what there is, and what each takes, with an example. Reading, with query parameters:
//
//	GET  /snapshot /history /requests /checks /sockets /faults /clock
//
// Misbehaving, by a path for each method of [Faults]. Bodies are JSON objects; n is a count, a duration is "1.5s", a reply
// is {"status", "headers", "body", "truncate"}, and what lasts is taken back after "for" when that is given:
//
//	POST /faults/clear
//	POST /faults/refuse /faults/hang-http /faults/half-open          {"on", "for"}
//	POST /faults/delay /faults/delay-events                          {"delay", "for"}
//	POST /faults/cut-sockets /faults/complete-subscriptions
//	POST /faults/close-sockets                                       {"code", "reason"}
//	POST /faults/error-subscriptions                                 {"code"}
//	POST /faults/inject-frame                                        {"frame"}
//	POST /faults/fail-next /faults/fail-handshakes                   {"n", "reply"}
//	POST /faults/fail-operation                                      {"operation", "code"}
//	POST /faults/replace-reply                                       {"operation", "reply"}
//	POST /faults/restore-reply                                       {"operation"}
//	POST /faults/drop-events /faults/duplicate-events /faults/reorder-events   {"n"}
//	POST /faults/replay-events                                       {"n", "behind"}
//	POST /faults/drop-events-if                                      {"match": {"kind", "customerId", …}}
//
// Operating the account; an entitlement, a plan and a catalog are JSON of the shape that the catalog has as YAML:
//
//	POST /provision                                {"customerId", "resourceId", "planId"}
//	POST /report                                   {"customerId", "resourceId", "featureId", "delta"}
//	POST /archive /unarchive /recalculate          {"customerId"}
//	POST /grant-promotional                        {"customerId", "entitlement", "until" or "for"}
//	POST /set-entitlement /deny-entitlement        {"customerId", "resourceId", "entitlement", "reason"}
//	POST /clear-entitlement                        {"customerId", "resourceId", "featureId" or "currencyId"}
//	POST /publish-plan /update-catalog             {"plan" or "catalog", "migration"}
//	POST /add-api-key /revoke-api-key              {"key"}
//	POST /checkout/complete                        {"checkoutId" or "customerId"}; GET /checkouts lists what is open
//	POST /payment-method                           {"customerId", "on"}
//	POST /clock/advance                            {"by": "720h"}; what clients report then counts then, whatever their clocks say
//	POST /clock/set                                {"to": "2027-01-31T00:00:00Z"}
//	POST /load                                     what GET /dump answered, of up to 512 MiB
//	POST /reset
//
// Success is 200. A request that is wrong is 400 with {"error", "field"}, one that the account refuses 422 with {"error",
// "code"}. A fault that refuses or hangs does not touch this interface. There is no key: requests of web pages, which carry
// an Origin, are refused, and ListenControl takes loopback addresses only.
//
// # Choices
//
// Where Stigg's behaviour is not visible from its clients, the emulator does this:
//
//   - A key that is not accepted closes the socket with 4401 and reason "Invalid API key"; the code can be configured.
//   - validUntil of the newer types is ISO-8601; the configuration turns it into epoch milliseconds.
//   - A document that does not parse or validate is answered 400, everything that was executed 200, errors included.
//   - A change at the level of the customer is pushed once for the customer and once for each resource it has. It has a
//     resource once something was subscribed or reported under it; reading one does not make it.
//   - A customer that is archived can be asked for, and the answer does not say that it is; provisioning it again brings it back, an
//     import refuses it. To bring back one that is not archived does nothing, and is no error.
//   - Usage over the limit is recorded. Usage never falls below zero. What is reported for an earlier period than the
//     present one changes no meter that resets.
//   - The instant a usage period ends still belongs to it, as it does for the official client.
//   - provisionCustomer creates or gets: an order for the plan that the customer, or the resource, is on already, or is to begin, makes
//     nothing new, answers that subscription with REQUESTED_PLAN, and says nothing more of it: other add-ons, or an id, are not read.
//     One in trial is left by an order with isTrial false, which makes the one that is paid for. Without an order, who has something
//     gets nothing, and the answer has no subscription. provisionSubscription and createSubscription make a new one each time.
//   - A plan change keeps usage and the anchor of its periods, unless billingCycleAnchor is NOW.
//   - Of several sources for a feature the most generous wins: unlimited before soft before hard, then the higher limit;
//     the values of an enum unite, credits add up, and an add-on's limit adds to its plan's.
//   - A repeated idempotency key is answered as the first time, except that a usage report consumed no credits.
//   - Periods count from the start of the oldest source of a feature; promotions and overrides do not move them.
//   - A subscription is cancelled at the end of its billing period, a trial at once, unless the request says otherwise.
//   - The plan of a trial that ends unconverted is followed by its product's downgrade plan, if it has one.
//   - A customer is eligible for a trial of a product (eligibleForTrial) while some plan of it has one that the customer has not begun
//     yet, whether that is still running or over: each plan's trial is had once.
//   - An order for a paid plan waits for a payment method only where the catalog has billing; trials never do, nor plans with
//     a custom price, which is agreed elsewhere. Ordering again
//     replaces the open checkout for that product and resource. Only provisionSubscription opens one: the other ways to the
//     plan answer PaymentMethodNotFoundError.
//   - A subscription is billed by the period of its plan's first price, and in that price's currency, unless asked otherwise.
//   - An estimate is in exact decimals, rounded to the currency's minor unit price by price. Coupons come before taxes. A change in
//     mid-period is prorated by the millisecond, after coupons. A change of the period, or of its anchor, pays for a whole new one,
//     less what is left of the old, and so does leaving a free plan or a trial. A proration may be negative; what is due now is
//     never below zero. What is charged once is charged again only for another plan or add-on, whole, and price overrides leave it.
//   - Imports are done when they are answered, and their answer says nothing. An import of what is known already, by its id, updates
//     it; subscriptions are imported all or none, without trials and without payments, and customers one after the other.
//   - A subscription that is transferred or delegated takes its periods, price and what is scheduled for it along. What the new holder
//     had of the product, a trial beside it apart, ends at once, and nothing follows it, there or where the subscription was. Usage
//     stays where it was reported. The older transferSubscription moves the oldest subscription that is paid for. To whom it belongs
//     already a subscription can be given again, to no effect.
//   - A delegated subscription keeps its resource's id with the other customer, and the payer's own coupon goes on to apply. Delegated
//     on, it has the same payer; delegated to nobody, the payer has it back.
//   - Who pays for a subscription, by payingCustomerId, is asked for the payment method, is sent to the checkout, and has a coupon of
//     its own taken off, as it is at that time. Each order says anew who pays; to change it by applySubscription is refused. A minimum
//     spend takes the place of the plan's, in its currency; null gives that back; scheduled, it is listed as a price override.
//   - A customer's createdAt is that of provisionCustomer where it is made by it. An estimate's taxPercentage takes the place of the
//     catalog's tax; whatever else is billing information goes to nobody, the customer's currency and prorationBehavior among it: prices
//     are chosen by billingCountryCode, and a payment method is left with paymentMethodId.
//   - These are accepted and not read (testdata/unread.txt names each): charges, budgets, and the older unitQuantity and
//     priceUnitAmount (billableFeatures and priceOverrides are read); in a price override what is of credits, and baseCharge; the
//     startDate of a coupon, which applies at once; prorate of a cancellation, since nobody is charged; the options of a checkout;
//     where a year's usage resets; the feature group, or the id alone, of a custom entitlement; ids of Salesforce and of other CRMs;
//     experiments; whatever says to wait, since all is done when it is answered. Filters let everything through that compares a
//     status, type or UUID by order or likeness, or asks for a coupon's customers or source, or for a plan's status, version or dates.
//     Usage history is not paged, has ended subscriptions in it, and knows its periods. Of a check that is reported what
//     [EntitlementCheck] has is kept.
//   - A promotion is visible unless isVisible says otherwise. An amount without a currency is in that of the price it overrides, or
//     else in US dollars, and a subscription without a paymentCollectionMethod is charged.
//   - What is granted with a feature group is granted feature by feature, each with its own limit and end, and all of the group's
//     features have to be named. One of them cannot be granted, or revoked, alone before the group is unlinked. Granted again, the
//     group takes the place of what it was; a feature that another group granted is refused.
//   - The next invoice is due when the period that is paid for ends, or a trial, or the subscription. It has the period after in advance,
//     as what is scheduled by then leaves it, what is charged once for what is new then, and what was used in this period, by the
//     billing period whatever the periods of the usage; a level is charged as it is now. A customer's own subscription is charged for
//     its resources that have none of the product, too. The minimum spend counts all of it but what is charged once; then come
//     coupon and tax. A plan change within a period has no line. The portal shows that invoice of each subscription, and none where
//     nothing on it has a price: a free plan, a custom one, a trial that nothing follows.
//   - A usage report has at most 1e15 units.
//   - Events are told apart by customer, resource, name, idempotency key and timestamp, and one without a timestamp has that of
//     its arrival. They are counted after [Config].EventDelay, and an event of an earlier period changes its history alone.
//   - Usage history goes back at least 1,000 measurements of a feature, and at most twice as many.
//   - A paywall shows the plans of all products unless one is named, and, as the portal does, what is held by the customer itself or,
//     when a resource is named, by that alone. A resource that nobody has acted on yet is answered with null, not refused.
//   - The prices shown are those of the billing country for each period, or else those for any. The price a plan begins at is what a
//     period costs in advance with the fewest units that can be bought, raised to the minimum spend; it has none without prices.
//   - Widgets look the same in every account. A mock paywall shows entitlements as unused, and takes no notice of who is named.
//   - A plan is an upgrade when it costs more by the month than what is held of its product, or when its price is custom.
//   - A customer whose payment method is known has a card that ends in 4242. A checkout's state, and a payment session, need a catalog
//     with billing; its integration calls itself Stripe, and nothing can be paid with what they answer.
//   - Coupons are made in the account, not in the catalog: they stay when that is replaced. A discountValue is an amount in US dollars
//     unless type is PERCENTAGE.
//   - The latest 1,000 checks that were reported are kept ([Emulator.EntitlementChecks]), whether or not what they name exists.
//   - A wallet that is used up denies itself and the features it pays, with InsufficientCredits, as a new set.
//   - A resource has wallets of its own; without a resourceId, grants, ledgers and balances are those of the customer's. All that plans
//     and add-ons grant of a currency in a period is one RECURRING grant, which expires with the period; another plan changes its
//     amount. Grants count from effectiveAt to before expireAt, subscribed or not.
//   - Credits are consumed by priority (0 to 100; the lowest number, and the default 0, first), then by expiry, those that never expire
//     last; promotional before recurring before paid; then by effectiveAt, then by age. What is beyond all grants is owed, as a grant
//     OVERDRAFT with an amount of 0 and a consumedAmount of what is owed; the next grant pays it, and the end of a period of a wallet
//     that has one forgives it. Credits that are given back go to the debt first, then in the opposite order.
//   - A wallet has the amounts, and the consumption, of its active grants: both leave with a grant that expires or is voided. The
//     amount in the ledger is what the balance changes by, so that the balance is its sum; a TRANSFER moves what is consumed from one
//     grant to another. The ledger keeps at least 1,000 entries, at most twice as many; it and the grants are listed latest first.
//   - The cost of a grant is what one credit costs. PAID grants with a cost have an invoice. One that awaitPaymentConfirmation holds
//     back begins when the customer leaves a payment method; without billing in the catalog everything is paid at once.
//   - A grant that came with a subscription, or has expired, cannot be voided.
//   - Automatic recharge is of the customer's own wallet. It buys up to targetBalance when the balance is below the threshold, at the
//     currency's price in the catalog (0 unless given), if all of it stays within maxSpendLimit of the calendar month (UTC) and can be
//     charged; saving the settings looks at once. A threshold in dollars is as many credits as it buys.
//   - Credit usage has a series for each feature and one for what was consumed as such; groupBy splits these by dimensions, which the
//     schema has no field to show. Points are hours of up to two days, days of up to a quarter, or months, each stamped with its
//     beginning; those without usage are left out.
//   - An estimate of an event counts nothing for features that take a maximum or unique values, and warns of it.
//   - consumeCreditsAsync takes the credits after [Config].EventDelay.
package emulator
