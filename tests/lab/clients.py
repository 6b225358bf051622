#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The test that each server of the lab passes before it is measured. clients.py [PATTERN]

A server that says it can have only so many clients is tried with more all the same: what it then
does is the reason why the case is left out, and if it can after all, that is a failure.
"""

import contextlib
import resource
import select
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import servers  # noqa: E402
import tap  # noqa: E402

PATIENCE_S = 10
LITTLE_PATIENCE_S = 0.5  # where it is known that nothing will come
MANY = 1000
RESET = struct.pack("ii", 1, 0)


class Unserved(Exception):
    """What a client should have got has not come."""


class Client:
    def __init__(self, server, patience=PATIENCE_S, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(patience)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, data):
        self.socket.sendall(data)

    def expect(self, data, who="a client"):
        """These very bytes, and no others among them."""
        got = b""
        while len(got) < len(data):
            try:
                more = self.socket.recv(len(data) - len(got))
            except TimeoutError:
                more = None
            if not more:
                how = "is told nothing more" if more is None else "is cut off"
                raise Unserved(f"{who} {how} after {len(got)} of {len(data)} bytes")
            if not data.startswith(more, len(got)):
                raise Unserved(f"{who} got other bytes than expected after {len(got)}")
            got += more

    def ask(self, data, who="a client"):
        self.say(data)
        self.expect(data, who)

    def silent(self, seconds=0.05):
        return not select.select([self.socket], [], [], seconds)[0]

    def ended(self):
        """Whether the server closes the connection; what it says before is read over."""
        with contextlib.suppress(ConnectionError):
            try:
                while self.socket.recv(1 << 16):
                    pass
            except TimeoutError:
                return False
        return True

    def vanish(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


class Room:
    """Clients of one server, closed at the end."""

    def __init__(self, server, patience):
        self.server = server
        self.patience = patience
        self.clients = []

    def enter(self, count=1, **options):
        """So many more, each served once; one, or a list."""
        new = []
        for number in range(count):
            client = Client(self.server, self.patience, **options)
            self.clients.append(client)
            new.append(client)
            client.ask(b"Ehere\n", f"client {len(self.clients)} of {len(self.clients)}")
        return new[0] if count == 1 else new

    def close(self):
        for client in self.clients:
            client.socket.close()


def line(kind, number, size=32):
    return f"{kind}{number:08d}".encode().ljust(size - 1, b"-") + b"\n"


def partial(room, case):
    client = room.enter()
    for piece in (b"E", b"in", b" pie", b"ces"):
        client.say(piece)
        if not client.silent():
            case.fail("an answer before the message was whole")
    client.say(b"\nEnext")
    client.expect(b"Ein pieces\n")
    client.say(b" one\n")
    client.expect(b"Enext one\n")
    long = line("E", 1, 60000)
    for start in range(0, len(long), 7000):
        client.say(long[start:start + 7000])
        time.sleep(0.001)
    client.expect(long)


def many_in_one(room, case):
    client = room.enter()
    client.ask(b"".join(line("E", number) for number in range(500)))
    client.ask(b"".join(line("E", number, 200) for number in range(2000)))


def slow_reader(room, case):
    slow, other = room.enter(2)
    slow.socket.setblocking(False)
    said, message = b"", line("E", 7, 1000) * 64
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline and len(said) < 24 << 20:
        try:
            sent = slow.socket.send(message[len(said) % len(message):])
            said += message[len(said) % len(message):][:sent]
        except BlockingIOError:
            time.sleep(0.01)
    other.ask(line("E", 8), "one beside a slow reader")
    slow.socket.settimeout(room.patience)
    slow.expect(said[:said.rindex(b"\n") + 1], "a slow reader")
    case.note(f"{len(said)} bytes were said before anything was read")


def vanishing(room, case):
    stays = room.enter()
    for client in room.enter(30):
        client.say(line("E", 1) * 100 + b"Ehalf a mess")
        client.vanish()
    stays.ask(line("E", 2), "one that stays")
    room.enter().ask(line("E", 3), "one that comes after")


def quitting(room, case):
    client = room.enter()
    client.say(line("E", 1) * 50 + b"Q\nEnot heard\n")
    client.expect(line("E", 1) * 50)
    if not client.ended():
        case.fail("a client that quit is not let go")
    client.socket.close()
    client = room.enter()
    client.say(line("E", 2) * 50)
    client.socket.shutdown(socket.SHUT_WR)
    client.expect(line("E", 2) * 50)
    if not client.ended():
        case.fail("a client that has said its last is not let go")


def misuse(room, case):
    for words in (b"nonsense\n", b"E" + b"x" * (70 << 10)):
        client = room.enter()
        with contextlib.suppress(ConnectionError):
            client.say(words)
        if not client.ended():
            case.fail(f"{words[:10]}... is borne")
        client.socket.close()
    room.enter().ask(line("E", 1))


def broadcast(room, case):
    speaker, quits, vanishes, *others = room.enter(12)
    quits.say(b"Q\n")
    if not quits.ended():
        case.fail("a client that quit is not let go")
    vanishes.vanish()
    for number in range(20):
        speaker.say(line("B", number))
    for client in others:
        client.expect(b"".join(line("B", number) for number in range(20)), "a listener")
    speaker.ask(line("E", 99), "the speaker")
    others[0].say(line("B", 100) + line("E", 101))
    others[0].expect(line("E", 101))
    for client in (speaker, *others[1:]):
        client.expect(line("B", 100), "a listener")


def deaf_listener(room, case):
    """One that does not read is dropped, or kept, but holds up nobody."""
    deaf = room.enter(receive_bytes=4096)
    speaker, listener = room.enter(2)
    message = line("B", 5, 50000)
    for number in range(200):
        speaker.say(message)
        listener.expect(message, f"a listener beside a deaf one, at message {number},")
    speaker.ask(line("E", 6), "the speaker to a deaf one")
    if not deaf.ended():
        case.fail("who has not read 10 MB is kept, with all that memory")


def thousand(room, case):
    clients = room.enter(MANY)
    for number, client in enumerate(clients):
        client.say(line("E", number))
    for number, client in enumerate(clients):
        client.expect(line("E", number), f"one of {MANY}")
    clients[0].say(line("B", 1))
    for client in clients[1:]:
        client.expect(line("B", 1), f"a listener of {MANY}")


# What is tried, and how many clients there must be at once for it.
CASES = [
    ("messages in pieces", 1, partial),
    ("many messages in one segment", 1, many_in_one),
    ("clients that quit", 1, quitting),
    ("misuse", 1, misuse),
    ("a slow reader", 2, slow_reader),
    ("clients that vanish", 31, vanishing),
    ("what is said to all", 12, broadcast),
    ("a listener that does not read", 3, deaf_listener),
    ("1,000 clients", MANY, thousand),
]


def attempt(server, function, case, patience):
    room = Room(server, patience)
    try:
        function(room, case)
    finally:
        room.close()
    if said := server.died():
        raise Unserved(said)


def examine(server, needed, function, case):
    """Raises tap.Skip with the reason where it cannot, as it says itself."""
    most = server.clients_max
    if most is None or needed <= most:
        attempt(server, function, case, PATIENCE_S)
        return
    try:
        attempt(server, function, case, LITTLE_PATIENCE_S)
    except (Unserved, OSError) as reason:
        raise tap.Skip(f"{server.clients_why}: {reason}") from None
    case.fail(f"{needed} clients were served, but it says that it serves {most}")


def afterwards(room, case):
    """There is room when it has seen that the crowd has gone."""
    deadline = time.monotonic() + room.patience
    while True:
        try:
            for client in room.enter(2):
                client.ask(line("E", 1))
            return
        except ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def refusals(name):
    """What a server does when the machine does not give what it asks for."""
    def port_taken(case):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            try:
                servers.Server(name, port).stop()
            except RuntimeError as error:
                case.equal("it says", str(error), f"port {port}: Address already in use")
            else:
                case.fail("it says that it serves a port that is taken")

    def few_descriptors(case):
        with servers.Server(name, limits={resource.RLIMIT_NOFILE: 40}) as server:
            crowd = [Client(server, 1) for _ in range(60)]
            for client in crowd:
                client.socket.close()
            examine(server, 2, afterwards, case)

    return [("a port that is taken", port_taken),
            ("more clients than descriptors", few_descriptors)]


def overflowing(case):
    """A queue of so few signals loses some, and says so once; nobody is forgotten."""
    with servers.Server("signal", limits={resource.RLIMIT_SIGPENDING: 8}) as server:
        attempt(server, thousand, case, PATIENCE_S)
        case.equal("it overflowed", server.words(), "the queue of signals was full")


def where_there_is(test):
    """What this kernel does not have is no failure of the server."""
    def run(case):
        try:
            test(case)
        except servers.Lacking as reason:
            raise tap.Skip(reason) from None
    return run


def tests_of(name):
    """(name, function of a case) for one server, that is started with the first of them."""
    started = []

    def with_server(needed, function):
        def run(case):
            if not started:
                started.append(servers.Server(name))
            try:
                examine(started[0], needed, function, case)
            finally:
                if started and (function is CASES[-1][2] or started[0].died()):
                    started.pop().stop()
        return run

    tests = [(f"{name}: {what}", with_server(needed, function))
             for what, needed, function in CASES]
    tests += [(f"{name}: {what}", function) for what, function in refusals(name)]
    if name == "signal":
        tests.append((f"{name}: a queue of signals that overflows", overflowing))
    return [(what, where_there_is(test)) for what, test in tests]


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    return tap.run([test for name in servers.names() for test in tests_of(name)
                    if wanted in test[0]])


if __name__ == "__main__":
    sys.exit(main())
