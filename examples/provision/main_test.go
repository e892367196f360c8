package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// acme: PREDEFINED_FREE_PLAN free
	// visitor: SKIPPED_SUBSCRIPTION_CREATION
	// Acme Ltd at ops@acme.test
	// active: free ACTIVE
	// ok
}
