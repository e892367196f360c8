// Package planted proves that the simulations bite: it plants bugs in a copy of the sources, one at a time, and wants each of them
// found by the simulation it was planted for.
//
// There is nothing in it to import, and no switch in what is shipped. A bug is a piece of a source file and what stands there
// instead, behind the question planted("its name"). The test writes the changed files to a directory of its own, with one more
// file for each package that answers the question from the environment, and hands them to the compiler as an overlay. So one test
// binary for each simulation holds every bug, and none of them acts unless it is named.
//
// Alternatives that lost: a build tag, which needs the switches in the sources and a compilation for each bug; a mutation tool,
// which changes what it can parse rather than what the rules say.
package planted
