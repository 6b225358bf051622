#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Real servers: what iophase says of each descriptor and each event loop, against what the kernel
tells of the epoll sets (/proc/PID/fdinfo) and what clients know of their connections (TAP)."""

import collections
import functools
import os
import re
import select
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
import farm  # noqa: E402
import load  # noqa: E402
import suite  # noqa: E402
import watch  # noqa: E402
import witness  # noqa: E402

SIZES = (0, 100, 1000, 4096, 30_000)  # bytes of a message on each connection, about
PATIENCE_S = 5
STREAM_BYTES = 1 << 20  # more than a socket takes at once
LINKS = {"anon_inode:[eventpoll]": "epoll", "anon_inode:[eventfd]": "eventfd",
         "anon_inode:[timerfd]": "timerfd", "anon_inode:[signalfd]": "signalfd",
         "anon_inode:inotify": "inotify", "anon_inode:[pidfd]": "pidfd", "pipe": "pipe"}
SOCKETS = ("tcp", "listener", "unix", "udp", "socket")
EVENTS = {"in": select.EPOLLIN, "pri": select.EPOLLPRI, "out": select.EPOLLOUT,
          "err": select.EPOLLERR, "hup": select.EPOLLHUP, "rdhup": select.EPOLLRDHUP}
FLAGS = {"et": 1 << 31, "oneshot": 1 << 30, "wakeup": 1 << 29, "exclusive": 1 << 28}


class Connection:
    """Counts what goes over it; to the functions of load it is a socket."""

    def __init__(self, port):
        self.sock, = load.connect(port)
        self.name = f"tcp 127.0.0.1:{port}-127.0.0.1:{self.sock.getsockname()[1]}"
        self.closed = False
        self.forget()

    def forget(self):
        self.sent = self.received = 0

    def sendall(self, data):
        self.sock.sendall(data)
        self.sent += len(data)

    def recv(self, size):
        data = self.sock.recv(size)
        self.received += len(data)
        return data

    def leave(self):
        """Hears the server out."""
        self.sock.shutdown(socket.SHUT_WR)
        while self.recv(65536):
            pass
        self.close()

    def close(self):
        self.sock.close()
        self.closed = True

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def talk_echo(sock, size):
    load.echo([sock], range(2), size)


def talk_stream(sock, _):
    """More than the server can be rid of before the client listens."""
    data = bytes(range(256)) * (STREAM_BYTES // 256)
    speaker = threading.Thread(target=sock.sendall, args=(data,))
    speaker.start()
    load.expect(sock, data)
    speaker.join()


def talk_http(sock, size):
    load.http(sock, 1 + size % 7, "/page", farm.PAGE)


class Scene:
    """A server with connections from before the watch and from within it, of which in both cases
    some speak, some do not, and some end in one way or another. `unseen`: it registers them
    in a way that iophase does not see."""

    def __init__(self, case, server, talk, pids=(), stream=None, unseen=False):
        self.case, self.server = case, server
        self.pids = pids or (server.pid,)
        self.spoken, self.unseen = 0, unseen
        old = self._connect()
        for sock in old:
            talk(sock, 8)
        self.settle()
        with watch.Watch(*self.pids, by="fd") as self.fds, \
                watch.Watch(*self.pids, by="loop") as self.loops:
            for sock in old:
                sock.forget()
            # One thing at a time: the first wait to end may be left out of a watch.
            self._speak(old, talk)
            new = self._connect()
            self._speak(new, talk)
            self.socks = old + new
            if stream:
                stream(old[1], STREAM_BYTES)
            self.settle()
            for number, end in ((0, "leave"), (1, "leave"), (2, "reset")):
                getattr(old[number], end)()
                getattr(new[number], end)()
            self.settle()
            self.socks.append(Connection(server.port))
            self.settle()
            self.sets = {pid: witness.epoll_sets(pid) for pid in self.pids}
            self.waited = {pid: witness.waited(pid) for pid in self.pids}
            self.open = {pid: witness.descriptors(pid) for pid in self.pids}
        self.rows = self.fds.report.rows

    def _connect(self):
        return [Connection(self.server.port) for _ in SIZES]

    def _speak(self, socks, talk):
        """All but the first, each something else."""
        for sock, size in zip(socks[1:], SIZES[1:]):
            self.spoken += 1
            talk(sock, size + self.spoken)

    def settle(self):
        for pid in self.pids:
            witness.settle(pid)

    def check(self):
        for report in (self.fds.report, self.loops.report):
            lost = {name: count for name, count in report.document["lost"].items()
                    if count and name not in ("switch_missed", "waking_missed")}
            # Of what is registered unseen; check_loops() says how many there may be.
            if self.unseen:
                lost.pop("reports_unknown", None)
            self.case.none("lost", lost)
        self.check_interest()
        self.check_descriptors()
        self.check_bytes()
        self.check_loops()

    def check_interest(self):
        """Each file has one row: if it is in several sets, of the set that it was put in last."""
        truth = collections.defaultdict(set)
        for pid, sets in self.sets.items():
            for fd, mask, data in set().union(*sets.values()):
                truth[self.file(pid, fd)].add((f"{mask:x}", f"{data:x}"))
        said = {self.file(row["tgid"], row["fd"]): (row["interest"]["mask"][2:],
                                                    row["interest"]["data"][2:])
                for row in self.open_rows() if row["interest"]}
        self.case.equal("files in epoll sets (fdinfo)", sorted(said), sorted(truth))
        wrong = {key: (value, truth[key]) for key, value in said.items()
                 if value not in truth[key]}
        self.case.none("masks and data other than in fdinfo", wrong)
        self.case.none("interests whose names do not say what the mask does", [
            row["interest"] for row in self.rows if row["interest"]
            and (set(row["interest"]["events"]) != names(EVENTS, row["interest"])
                 or {name for name in FLAGS if row["interest"][name]}
                 != names(FLAGS, row["interest"]))])

    def file(self, pid, fd):
        """The same for a socket that processes share."""
        link, _ = self.open[pid].get(fd, ("", 0))
        return link if link.startswith("socket:") else f"{pid}:{fd}"

    def check_descriptors(self):
        wrong = []
        for row in self.open_rows():
            link, flags = self.open[row["tgid"]].get(row["fd"], ("", 0))
            kind = LINKS.get(link.split(":[")[0] if link.startswith("pipe") else link, "other")
            if link.startswith("socket:") and row["kind"] in SOCKETS:
                kind = row["kind"]
            if link.startswith("/") and row["kind"] in ("file", "directory", "device"):
                kind = row["kind"]
            if row["kind"] != kind or row["flags"]["nonblock"] != bool(flags & os.O_NONBLOCK):
                wrong.append((row["fd"], row["kind"], row["flags"], link, oct(flags)))
        self.case.none("rows that are not what /proc/PID/fd has", wrong)

    def check_bytes(self):
        truth = {sock.name: (sock.sent, sock.received, sock.closed) for sock in self.socks}
        server = f"tcp 127.0.0.1:{self.server.port}-"
        said = [(name, (row["in_bytes"], row["out_bytes"], row["flags"]["closed"]))
                for name, row in ((connection(row), row) for row in self.rows)
                if name.startswith(server)]
        self.case.equal("connections", sorted(name for name, _ in said), sorted(truth))
        self.case.none("in, out, closed other than the client's", {
            name: (figures, truth.get(name)) for name, figures in said
            if figures != truth.get(name)})
        for i, way in enumerate(("in", "out")):
            self.case.equal(f"bytes {way}", sum(figures[i] for _, figures in said),
                            sum(figures[i] for figures in truth.values()))

    def check_loops(self):
        """A wait that was under way when a watch began is left out by it."""
        rows = [row for row in self.loops.report.rows if row["loop"]["by"] == "epoll"]
        self.case.none("loops without a turn", [
            row["loop"]["epfd"] for row in rows
            if row["loop"]["waits"] > 1 and not row["loop"]["turns"]["count"]])
        self.case.equal("loops", sorted((row["tgid"], row["loop"]["epfd"]) for row in rows),
                        sorted((pid, fd) for pid, fds in self.waited.items() for fd in fds))
        loops = [row["loop"] for row in rows]
        events = sum(loop["events"] for loop in loops)
        unknown = sum(loop["unknown_events"] + loop["truncated_events"] for loop in loops)
        self.case.between("events of what is not known", unknown, 0, self.unseen * events)
        reported = sum(row["reported"] or 0 for row in self.rows)
        threads = sum(loop["threads"] for loop in loops)
        self.case.between("reports", reported, events - unknown - threads, events + threads)

    def open_rows(self):
        return [row for row in self.rows if not row["flags"]["closed"]]

    def modes(self):
        """How connections are watched."""
        return {"ET" if row["interest"]["et"] else "LT" for row in self.rows
                if row["interest"] and row["kind"] == "tcp"}


def connection(row):
    """The name of a TCP connection; of IPv4 also where the server's socket is one of IPv6."""
    return row["name"].replace("[::ffff:127.0.0.1]", "127.0.0.1")


def names(bits, interest):
    return {name for name, bit in bits.items() if int(interest["mask"], 16) & bit}


def serve(case, name, talk, mode, stream=None, unseen=False, **options):
    with farm.Server(name, **options) as server:
        scene = Scene(case, server, talk, stream=stream, unseen=unseen)
        scene.check()
        case.equal("connections are watched", scene.modes(), {mode})


def nginx(case):
    with farm.Server("nginx", workers=2) as server:
        for _ in load.for_seconds(PATIENCE_S, think_s=0.01):
            pids = witness.children(server.process.pid)
            if len(pids) == 2:
                break
        scene = Scene(case, server, talk_http, pids)
        scene.check()
        case.equal("connections are watched", scene.modes(), {"ET"})
        case.equal("the listener is shared, and exclusive", [
            (row["flags"]["shared"], row["interest"]["exclusive"]) for row in scene.rows
            if row["kind"] == "listener"], [(True, True)])


def haproxy(case):
    """Both ends of its connections to the backend are watched, and say the same."""
    with farm.Server("nginx", nopush="on") as backend, \
            farm.Server("haproxy", backend=backend.port) as server:
        scene = Scene(case, server, talk_http, (server.pid, backend.pid))
        scene.check()
        ends = {row["name"]: row for row in scene.rows if row["kind"] == "tcp"}
        pairs = 0
        for name, row in ends.items():
            here, there = re.fullmatch(r"tcp (.*)-(.*)", name).groups()
            other = ends.get(f"tcp {there}-{here}")
            if other:
                pairs += 1
                case.none("bytes one end sent and the other did not get",
                          row["out_bytes"] - other["in_bytes"])
        case.between("ends of connections to the backend", pairs, 2, 40)


TESTS = [
    ("nginx: descriptors and loops of two workers", nginx, ("nginx",)),
    ("redis: descriptors and loop",
     functools.partial(serve, name="redis", talk=lambda sock, size: load.redis([sock], 4, size),
                       mode="LT"), ("redis",)),
    ("haproxy: descriptors and loop, both ends of what goes to nginx", haproxy,
     ("haproxy", "nginx")),
    ("memcached: descriptors and loops",
     functools.partial(serve, name="memcached", mode="LT",
                       talk=lambda sock, size: load.memcached([sock], 4, size)),
     ("memcached",)),
    ("node, with io_uring for epoll_ctl: descriptors and loops",
     functools.partial(serve, name="node", talk=talk_echo, stream=talk_stream, mode="LT",
                       unseen=True, uring=1), ("node",)),
    *((f"{name}: descriptors and loops",
       functools.partial(serve, name=name, talk=talk_echo, stream=talk_stream, mode=mode), (name,))
      for name, mode in (("node", "LT"), ("asyncio", "LT"), ("java", "LT"), ("go", "ET"))),
]


if __name__ == "__main__":
    sys.exit(suite.main(TESTS))
