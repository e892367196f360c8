package entitlements

// EventKind says what arrived on the stream.
type EventKind uint8

const (
	// EventAlive: a frame without news; the server is there.
	EventAlive EventKind = iota
	// EventSubscribed: the server has read every subscription that was sent. From here on, changes arrive.
	EventSubscribed
	// EventEntitlements: Snapshot is the full replacement set of Key.
	EventEntitlements
	// EventUsage: Usage is the absolute usage of one entitlement of Key.
	EventUsage
	// EventPackagePublished: a plan or add-on was published. When AllCustomers is set, every set may have changed.
	EventPackagePublished
	// EventSkipped: about a Key that nobody here wanted; its body was not decoded.
	EventSkipped
	// EventUnknown: of a kind this client does not know.
	EventUnknown
	// EventUnreadable: it did not decode, Err says why. Key is set when at least that could be read.
	EventUnreadable
)

// Event is one thing that the stream said. Which fields are set depends on Kind.
type Event struct {
	Kind         EventKind
	Key          Key
	Snapshot     *Snapshot
	Usage        Usage
	AllCustomers bool
	Err          error
}
