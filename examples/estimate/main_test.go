package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// starter with ten more seats: 50.00 USD a month
	// five seats more from today on costs more than nothing: true
	// and less than the price of the add-on: true
	// ok
}
