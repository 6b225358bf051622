// SPDX-License-Identifier: GPL-2.0-only
// As sleeper.c, in Go, which has no C library to call by.
package main

import "syscall"

//go:noinline
func waitByRead(fd int) int {
	var buf [1]byte
	n, _ := syscall.Read(fd, buf[:])
	return n + 1
}

func main() {
	var ends [2]int
	if syscall.Pipe(ends[:]) != nil {
		return
	}
	waitByRead(ends[0])
}
