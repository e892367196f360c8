package main

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// single sign-on on the plan free: false
	// with a promotion (Active): true
	// after it was revoked: false
	// coupons:
	//   launch: Launch offer
	//   ten-off: Ten off
	// ok
}
