// SPDX-License-Identifier: GPL-2.0-only
// gopher SCENE VARIANT PORT: faults in Go, below its runtime's netpoll. See talk.c and scene.h.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

const (
	chunkBytes = 4096
	longBytes  = 6000
	rare       = 100

	edgeTriggered = 1 << 31 // syscall.EPOLLET is negative
)

var (
	scene, variant = os.Args[1], os.Args[2]
	round          = 0
	heard          = make([]byte, 65536)
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func faultNow() bool {
	round++
	return variant == "fault" || variant == "rare" && round%rare == rare/2
}

func connect() int {
	port, err := strconv.Atoi(os.Args[3])
	must(err)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(err)
	must(syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	must(syscall.SetNonblock(fd, true))
	return fd
}

func tell(rule string, fd int, evidence string) {
	fmt.Printf(`{"rule":"%s","scene":"%s","variant":"%s",`, rule, scene, variant)
	fmt.Printf(`"pid":%d,"tid":%d,"fd":%d,`, os.Getpid(), syscall.Gettid(), fd)
	fmt.Printf(`"evidence":{%s}}`+"\n", evidence)
}

// Reads at most so many pieces; returns the bytes.
func read(fd, pieces int) int {
	all := 0
	for i := 0; i < pieces; i++ {
		n, err := syscall.Read(fd, heard[:chunkBytes])
		if err != nil || n <= 0 {
			break
		}
		all += n
	}
	return all
}

func answer(fd int) {
	if _, err := syscall.Write(fd, []byte("a")); err != nil {
		os.Exit(0)
	}
}

func waitAndRead(fd int, pieces func() int) {
	ep, err := syscall.EpollCreate1(0)
	must(err)
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | edgeTriggered, Fd: int32(fd)}
	must(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &event))
	got := make([]syscall.EpollEvent, 16)
	have := 0
	for {
		n, err := syscall.EpollWait(ep, got, -1)
		if err == syscall.EINTR {
			continue
		}
		must(err)
		for i := 0; i < n; i++ {
			have += read(int(got[i].Fd), pieces())
		}
		if have >= longBytes {
			have = 0
			answer(fd)
		}
	}
}

func undrained(fd int) {
	tell("et-undrained", fd, `"left":[1904,1904],"stall_ms":[350,470]`)
	waitAndRead(fd, func() int {
		if faultNow() {
			return 1
		}
		return 100
	})
}

func eagain(fd int) {
	tell("eagain-polling", fd, `"eagain_share":[0.9,1],"spins_per_s":[5000,1000000000]`)
	if variant == "healthy" {
		waitAndRead(fd, func() int { return 100 })
	}
	for have := 0; ; {
		have += read(fd, 100)
		if have >= longBytes {
			have = 0
			answer(fd)
		}
	}
}

func main() {
	runtime.LockOSThread()
	scenes := map[string]func(int){"undrained": undrained, "eagain": eagain}
	scenes[scene](connect())
}
