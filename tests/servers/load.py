#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Small bounded loads for the servers in this directory; every answer is verified."""

import argparse
import socket
import time

PATIENCE_S = 10


def connect(port, connections=1):
    return [_connect(port) for _ in range(connections)]


def _connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def close(socks):
    for sock in socks:
        sock.close()


def receive(sock, size):
    """Exactly `size` bytes, or an error: the peer may not end or stall before."""
    data = bytearray()
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError(f"closed after {len(data)} of {size} bytes")
        data += part
    return bytes(data)


def receive_line(sock):
    line = bytearray()
    while not line.endswith(b"\r\n"):
        line += receive(sock, 1)
    return bytes(line)


def expect(sock, wanted):
    got = receive(sock, len(wanted))
    if got != wanted:
        raise ValueError(f"wrong answer: {got[:60]!r} instead of {wanted[:60]!r}")


def message(number, speaker, size):
    """Differs between rounds and speakers, so that no answer can be taken for another."""
    text = b"%d.%d " % (number, speaker)
    return text + b"." * (size - len(text) - 1) + b"\n"


def echo(socks, rounds, size=64, burst=False):
    """In each round each says a message and hears it back: in turn, or all at once."""
    for number in rounds:
        words = [message(number, speaker, size) for speaker in range(len(socks))]
        if burst:
            for sock, word in zip(socks, words):
                sock.sendall(word)
            for sock, word in zip(socks, words):
                expect(sock, word)
        else:
            for sock, word in zip(socks, words):
                sock.sendall(word)
                expect(sock, word)


def chat(socks, rounds, size=64, burst=False):
    """In each round each says a message that all the others hear: in turn, or all at once."""
    for number in rounds:
        words = [message(number, speaker, size) for speaker in range(len(socks))]
        if burst:
            for sock, word in zip(socks, words):
                sock.sendall(word)
            for sock, word in zip(socks, words):
                hear(sock, [other for other in words if other is not word])
        else:
            for sock, word in zip(socks, words):
                sock.sendall(word)
                for other in socks:
                    if other is not sock:
                        expect(other, word)


def hear(sock, wanted):
    """All of `wanted`, in any order."""
    heard = receive(sock, sum(map(len, wanted))).splitlines(keepends=True)
    if sorted(heard) != sorted(wanted):
        raise ValueError(f"wrong messages: {heard[:3]!r}")


def http(sock, requests, path, body):
    """GETs over one connection; each must be answered with 200 and `body`."""
    for _ in range(requests):
        if http_get(sock, path) != body:
            raise ValueError(f"wrong body of {path}")


def http_get(sock, path):
    sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    lines = head.decode().split("\r\n")
    if lines[0].split()[1] != "200":
        raise ValueError(lines[0])
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    return receive(sock, int(fields["content-length"]))


def memcached(socks, requests, size=64):
    """A set and a get in turn on each connection."""
    for number in range(requests // 2):
        for speaker, sock in enumerate(socks):
            value = message(number, speaker, size)
            sock.sendall(b"set key%d 0 60 %d\r\n%s\r\n" % (speaker, size, value))
            expect(sock, b"STORED\r\n")
            sock.sendall(b"get key%d\r\n" % speaker)
            expect(sock, b"VALUE key%d 0 %d\r\n%s\r\nEND\r\n" % (speaker, size, value))


def redis(socks, requests, size=64):
    """A SET and a GET in turn on each connection."""
    for number in range(requests // 2):
        for speaker, sock in enumerate(socks):
            value = message(number, speaker, size)
            sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (size, value))
            expect(sock, b"+OK\r\n")
            sock.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
            expect(sock, b"$%d\r\n%s\r\n" % (size, value))


def for_seconds(seconds, think_s=0):
    """Numbers rounds until the time is over, with a pause between them."""
    deadline = time.monotonic() + seconds
    number = 0
    while time.monotonic() < deadline:
        yield number
        number += 1
        time.sleep(think_s)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("echo", "chat"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--size", type=int, default=64, help="bytes a message (default: 64)")
    parser.add_argument("--think-ms", type=float, default=0, help="pause after a round")
    parser.add_argument("--burst", action="store_true", help="all speak at once")
    args = parser.parse_args()

    say = {"echo": echo, "chat": chat}[args.kind]
    socks = connect(args.port, args.connections)
    try:
        say(socks, for_seconds(args.seconds, args.think_ms / 1000), args.size, args.burst)
    finally:
        close(socks)


if __name__ == "__main__":
    main()
