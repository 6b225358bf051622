# SPDX-License-Identifier: GPL-2.0-only
"""
Clients as servers meet them: that take their time, that leave, that ask for much at once. Each is
a function of a port, questions and a time to end at; all sleep most of the time.
"""

import collections
import contextlib
import random
import socket
import struct
import threading
import time

PATIENCE_S = 2
SLOW_CHUNK_BYTES = 2048
SLOW_PAUSE_S = 0.02
ENOUGH_BYTES = 1 << 20  # of one slow answer; then another is asked for
QUIET_S = 0.3

# What a server is asked: something small, something of which much comes back, all at once.
Questions = collections.namedtuple("Questions", "small large many")


def same(question, large=None, times=500):
    return Questions(question, large or question, question * times)


def http(small, large):
    def get(path, more=b""):
        return b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path.encode(), more)

    return Questions(get(small), get(large), get(small, b"X-Long: %s\r\n" % (b"x" * 3000)) * 100)


ECHO = Questions(b"hello\n", b"0123456789abcdef" * 65536, b"0123456789abcde\n" * 16384)
REDIS = Questions(b"GET k\r\n", b"GET large\r\n" * 8, b"SET k 1\r\nINCR k\r\nGET k\r\n" * 2000)
REDIS_SETUP = b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$1000000\r\n%s\r\n" % (b"x" * 1000000)
MEMCACHED = Questions(b"get k\r\n", b"get large\r\n" * 8, b"set k 0 60 1\r\n1\r\nget k\r\n" * 2000)
MEMCACHED_SETUP = b"set large 0 0 1000000\r\n%s\r\n" % (b"x" * 1000000)


def connect(port, room=None):
    sock = socket.socket()
    if room:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.settimeout(PATIENCE_S)
    sock.connect(("127.0.0.1", port))
    return sock


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def say(port, words):
    """Once, for the sake of what it leaves in the server."""
    with connect(port) as sock:
        sock.settimeout(5 * PATIENCE_S)
        sock.sendall(words)
        sock.recv(100)


def sender(sock, words):
    """A thread of its own: to an echo server one has to speak and hear at the same time."""
    def send():
        with contextlib.suppress(OSError):
            sock.sendall(words)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def hear(sock, seconds=PATIENCE_S):
    """All that comes until it is quiet; how much."""
    count = 0
    sock.settimeout(QUIET_S)
    deadline = time.monotonic() + seconds
    with contextlib.suppress(TimeoutError):
        while time.monotonic() < deadline and (part := sock.recv(1 << 18)):
            count += len(part)
    sock.settimeout(PATIENCE_S)
    return count


# The clients.

def reads_slowly(port, ask, until):
    with connect(port, 4096) as sock:
        sender(sock, ask.large)
        for _ in range(ENOUGH_BYTES // SLOW_CHUNK_BYTES):
            time.sleep(SLOW_PAUSE_S)
            if time.monotonic() > until or not sock.recv(SLOW_CHUNK_BYTES):
                return


def reads_in_bursts(port, ask, until):
    """Half a second of silence, then all that there is."""
    with connect(port, 65536) as sock:
        sender(sock, ask.large)
        sock.setblocking(False)
        for _ in range(20):
            time.sleep(0.5)
            with contextlib.suppress(BlockingIOError):
                while part := sock.recv(65536):
                    pass
                return
            if time.monotonic() > until:
                return


def speaks_slowly(port, ask, until):
    with connect(port) as sock:
        while time.monotonic() < until:
            for at in range(len(ask.small)):
                sock.sendall(ask.small[at:at + 1])
                time.sleep(SLOW_PAUSE_S)
            if not hear(sock, 0.5):
                return


def stops_in_the_middle(port, ask, until):
    """Half of a question, and the rest a second later."""
    with connect(port) as sock:
        half = len(ask.small) // 2
        sock.sendall(ask.small[:half])
        time.sleep(1)
        sock.sendall(ask.small[half:])
        hear(sock, 0.5)


def resets(port, ask, until):
    sock = connect(port, 4096)
    sender(sock, ask.large)
    with contextlib.suppress(TimeoutError):
        sock.recv(1000)
    time.sleep(random.uniform(0, 0.1))
    reset(sock)


def resets_at_once(port, ask, until):
    sock = connect(port)
    sock.sendall(ask.small)
    reset(sock)
    time.sleep(0.02)


def half_closes(port, ask, until):
    with connect(port) as sock:
        sock.sendall(ask.small)
        sock.shutdown(socket.SHUT_WR)
        hear(sock, 1)
        time.sleep(random.uniform(0, 0.5))


def half_closes_early(port, ask, until):
    """It ends what it says in the middle, and waits to be hung up on."""
    with connect(port, 4096) as sock:
        with contextlib.suppress(TimeoutError):
            sock.settimeout(0.2)
            sock.sendall(ask.large)
        sock.shutdown(socket.SHUT_WR)
        time.sleep(1)
        hear(sock, 1)


def never_reads(port, ask, until):
    with connect(port, 4096) as sock:
        sender(sock, ask.large)
        time.sleep(random.uniform(1, 3))


def says_nothing(port, ask, until):
    with connect(port):
        time.sleep(random.uniform(0, 0.3))


def asks_much(port, ask, until):
    with connect(port) as sock:
        for words in (ask.many, ask.large, ask.many):
            speaking = sender(sock, words)
            hear(sock)
            speaking.join(PATIENCE_S)
        time.sleep(0.05)


def rests(port, ask, until):
    """Connected, and heard of now and then."""
    with connect(port) as sock:
        while time.monotonic() < until:
            sock.sendall(ask.small)
            if not hear(sock, 0.5):
                return
            time.sleep(random.uniform(1, 5))


SLOW = (reads_slowly, reads_slowly, reads_in_bursts, speaks_slowly, stops_in_the_middle)
VANISHING = (resets, resets_at_once, half_closes, half_closes_early, never_reads, says_nothing)
LARGE = (asks_much, asks_much, asks_much)
IDLE = (rests,) * 5


class Crowd:
    """Clients of a port, again and again, from the start of the block to its end."""

    def __init__(self, port, questions, *kinds):
        self.port, self.questions, self.kinds = port, questions, kinds
        self.over = threading.Event()

    def __enter__(self):
        self.threads = [threading.Thread(target=self._play, args=(kind,), daemon=True)
                        for kind in self.kinds]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE_S)

    def _play(self, kind):
        """What a server does to a client is of no interest here."""
        while not self.over.is_set():
            try:
                kind(self.port, self.questions, time.monotonic() + 10)
            except (OSError, EOFError):
                time.sleep(0.05)


