// Package linear holds one key of one client, with everything between it and a Stigg on loopback, to a linearizable register. It
// is nothing but tests; porcupine, an independent judge, searches each recorded history for one order of all operations that
// explains it.
//
// # What is a register here, and what is not
//
// Changes in Stigg and checks in a client do not make one: an event takes its time, and a check may show, as Live, what Stigg
// has just replaced. What is promised is less, and exactly this:
//
//   - never backwards: a check that begins after another has returned shows nothing older, whichever goroutine made the two;
//   - nothing from nowhere: no check shows a state before Stigg was asked to make it;
//   - read your writes: a check that begins after a write of this client has returned shows that write.
//
// So the register is the client's belief. Every change is a write of the state's number, and takes effect at one moment: when the
// client's readers can first see it. A change that somebody else made begins when Stigg is asked for it and has no end: it may
// take effect late. It may also be passed over, which is to say that it took effect immediately before its successor. A write of
// this client has to have taken effect when its call returns. States are taken on in Stigg's order, one by one. A check reads.
//
// Numbers come for nothing: every change counts one seat more, so the usage that a check shows is how many changes it has seen,
// and that which Stigg answers a report with is the number of the change.
//
// Alternatives that lost. A register with a bound on how late a write may take effect would test the speed of the machine; the
// soak judges lateness against Status. A model per reader would not find two readers that disagree about what is newer.
package linear
