package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// acme may not use exports: NoFeatureEntitlementInSubscription
	// upgrade: PAYMENT_REQUIRED
	// acme may not use exports: NoFeatureEntitlementInSubscription
	// acme may use exports
	// ok
}
