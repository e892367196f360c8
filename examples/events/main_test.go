package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// active users before: 0
	// active users after: 3
	// ok
}
