// Package repo holds, as ordinary tests, what must be true of the repository as a whole: who may import whom, that every package
// explains itself, that the promised benchmarks exist, and that what README.md says compiles and is there.
//
// There is nothing in it to import. The tests read the sources with go/parser, of every module in the tree, whatever the build
// constraints; they need no network.
package repo
