#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Real servers: by which models of input they come by what their clients, who count it, send (TAP)."""

import collections
import functools
import subprocess
import sys

sys.dont_write_bytecode = True
import farm  # noqa: E402
import load  # noqa: E402
import suite  # noqa: E402
import watch  # noqa: E402

CONNECTIONS, ROUNDS = 5, 100
TRANSACTIONS = 200


class Counting:
    """A client's socket that counts what it sends; to the functions of load it is a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.sent = 0
        self.recv = sock.recv
        self.close = sock.close

    def sendall(self, data):
        self.sock.sendall(data)
        self.sent += len(data)


def connect(port):
    return [Counting(sock) for sock in load.connect(port, CONNECTIONS)]


def by_model(rows, figure, kinds=("tcp",)):
    """Of what is behind descriptors of these kinds: the sums of a figure by model, without zeros."""
    sums = collections.Counter()
    for row in rows:
        if row["kind"] in kinds:
            sums[row["model"]] += row[figure]
    return {model: total for model, total in sums.items() if total}


def said(case, rows):
    for kind in sorted({row["kind"] for row in rows}):
        calls = by_model(rows, "calls", (kind,))
        case.note(f"{kind}: calls {calls}, bytes {by_model(rows, 'in_bytes', (kind,))}")


def serves(name, say, model, case, **options):
    """All bytes of the clients come in by this model, and by no other."""
    with farm.Server(name, **options) as server:
        with watch.Watch(server.pid, by="fd,model") as watched:
            socks = connect(server.port)
            say(socks)
            sent = sum(sock.sent for sock in socks)
            load.close(socks)
    rows = watched.report.rows
    case.equal("bytes from clients", by_model(rows, "in_bytes"), {model: sent})
    lost = {what: count for what, count in watched.report.document["lost"].items()
            if count and what not in ("switch_missed", "waking_missed")}
    case.none("lost", lost)
    said(case, rows)
    return rows


def echo(socks):
    load.echo(socks, range(ROUNDS), 1000)


def http(path, socks):
    for sock in socks:
        load.http(sock, ROUNDS // 5, path, farm.PAGE)


def nginx_threads(case):
    """Files are read by threads that wait for the disk, requests by the one that waits for none."""
    rows = serves("nginx", functools.partial(http, "/page"), "epoll-et", case, aio="threads")
    read = by_model(rows, "in_bytes", ("file",))
    case.equal("bytes of files", read, {"blocking": CONNECTIONS * (ROUNDS // 5) * len(farm.PAGE)})


def postgres(case):
    """Each backend waits for its client with epoll. What pgbench sends is not known to the byte."""
    with farm.Server("postgres") as server:
        script = server.home / "script.sql"
        script.write_text("SELECT 1;\n")
        with watch.Watch(server.pid, by="fd,model") as watched:
            subprocess.run(["pgbench", "-n", "-f", script, "-c", "2", "-t", str(TRANSACTIONS),
                            "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "postgres"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sums = by_model(watched.report.rows, "in_bytes")
    case.equal("models of clients", sorted(sums), ["epoll-lt"])
    # A query of ten bytes, its type and its length.
    case.between("bytes from clients", sums.get("epoll-lt", 0), 2 * TRANSACTIONS * 15,
                 2 * TRANSACTIONS * 60)
    said(case, watched.report.rows)


TESTS = [
    *((f"echo, selector {selector}", functools.partial(serves, "echo", echo, model,
                                                       selector=selector), ["python3"])
      for selector, model in (("select", "select"), ("poll", "poll"), ("epoll", "epoll-lt"))),
    ("asyncio", functools.partial(serves, "asyncio", echo, "epoll-lt"), ["python3"]),
    ("node", functools.partial(serves, "node", echo, "epoll-lt"), ["node"]),
    ("go", functools.partial(serves, "go", echo, "epoll-et"), ["go"]),
    ("java, a selector", functools.partial(serves, "java", echo, "epoll-lt"), ["javac"]),
    ("java, a thread for each", functools.partial(serves, "threads", echo, "blocking"), ["javac"]),
    ("redis", functools.partial(serves, "redis", lambda socks: load.redis(socks, ROUNDS),
                                "epoll-lt"), ["redis-server"]),
    ("memcached", functools.partial(serves, "memcached",
                                    lambda socks: load.memcached(socks, ROUNDS), "epoll-lt"),
     ["memcached"]),
    ("nginx, aio threads", nginx_threads, ["nginx"]),
    ("postgres", postgres, ["pgbench"]),
]

if __name__ == "__main__":
    sys.exit(suite.main(TESTS))
