package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// starter with ten more seats: 50.00 USD a month
	// growth instead: 10.00 credited, 30.00 charged, so 20.00 USD now
	//   and 60.00 a month after that
	// five more seats: 10.00 credited, 17.50 charged, so 7.50 USD now
	//   and 35.00 a month after that
	// ok
}
