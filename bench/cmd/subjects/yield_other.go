//go:build !linux

package main

import "runtime"

// yield lets other goroutines have the processor.
func yield() { runtime.Gosched() }
