package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// before: 0 people, 0 sign-ins
	// after: 4 people, 5 sign-ins
	// ok
}
