package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// seats taken: 5
	// more seats taken: 3
	// seats in use: 7
	// cancelled, and until the period ends: ACTIVE
	// ok
}
