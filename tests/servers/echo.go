// SPDX-License-Identifier: GPL-2.0-only
// TCP echo server: every client hears what it says. A goroutine for each, on the runtime's netpoll.
package main

import (
	"io"
	"log"
	"net"
	"os"
)

// The first words go through user space, all others from socket to pipe to socket, with splice(2).
func echo(client net.Conn) {
	defer client.Close()
	words := make([]byte, 64*1024)
	n, err := client.Read(words)
	if err == nil {
		_, err = client.Write(words[:n])
	}
	if err == nil {
		io.Copy(client, client)
	}
}

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(client)
	}
}
