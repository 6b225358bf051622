#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Real servers under load: what iophase says of them against what others know of them (TAP)."""

import functools
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import farm  # noqa: E402
import load  # noqa: E402
import suite  # noqa: E402
import watch  # noqa: E402
import witness  # noqa: E402
from watch import WAIT  # noqa: E402

LOOPS = {"epoll": "epoll_wait", "poll": "poll", "select": "pselect6"}
SIZE = 64
PROC_STAT_BYTES = 512  # Redis' cron reads /proc/self/stat for its memory figure: less than this
REDIS_HZ = 10
HOOKS_NS = 2000  # at most, for a call, of one tool within the figures of the other
IDLE_NS = 15_000_000  # at hz 100 an idle wait, such as that in flight at the start, ends before

# /proc/PID/io counts what these do; each sendfile is a read and a write there.
IO_READS = ("read", "readv", "pread64", "preadv", "preadv2", "sendfile")
IO_WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile")

# The system calls /proc/TID/syscall can name for a server that waits, on x86-64.
WAIT_NUMBERS = {7: "poll", 23: "select", 219: "poll", 232: "epoll_wait", 270: "pselect6",
                271: "ppoll", 281: "epoll_pwait", 441: "epoll_pwait2"}


def observe(case, server, work, ask=dict):
    """Runs `work()` under iophase and returns its report and the server's own account.

    A server may act on its own between the moment a witness looks and the moment iophase starts
    or ends. So the kernel's figures are taken twice: around iophase (high) and within it (low)."""
    kernel = functools.partial(witness.process_io, server.pid)
    with witness.Account(ask) as account:
        witness.settle(server.pid)
        with witness.Growth(kernel) as high, \
                witness.Growth(functools.partial(witness.run_times, server.pid)) as times, \
                watch.Watch(server.pid) as watched, witness.Growth(kernel) as low:
            work()
            witness.settle(server.pid)
            inside = witness.inside(server.pid)
    report = watched.report
    sound(case, report, inside)
    agrees_with_kernel(case, report, low.figures, high.figures)
    on_cpu_ns = sum(row["kernel_ns"] + (row.get("copy_ns") or 0) for row in report.rows)
    runnable_ns = sum(row["runnable_ns"] for row in report.rows)
    case.note(f"on a CPU {on_cpu_ns / 1e6:.2f} ms in calls, of {times['run_ns'] / 1e6:.2f} ms in"
              f" all (schedstat); runnable {runnable_ns / 1e6:.2f} ms in calls,"
              f" of {times['delay_ns'] / 1e6:.2f} ms")
    return report, account


def sound(case, report, inside):
    """What must hold in every report."""
    rows, duration_ns = report.rows, report.document["duration_ns"]
    lost = {name: count for name, count in report.document["lost"].items() if count}
    # Not iophase's doing: this can happen where a kernel does not show the switches of some of
    # its tasks to any tracer (bpftrace misses as many). Counted, and to stay rare.
    hidden = lost.pop("switch_missed", 0) + lost.pop("waking_missed", 0)
    if hidden:
        case.between("switches the kernel hid", hidden, 0,
                     sum(row["calls"] for row in rows) // 100 + 10)
    case.none("lost", lost)
    case.none("rows whose phases do not add up to wall", [
        row["call"] for row in rows
        if row["blocked_ns"] + row["runnable_ns"] + row["kernel_ns"] + (row.get("copy_ns") or 0)
        != row["wall_ns"]])
    case.none("rows whose results do not add up to calls", [
        row["call"] for row in rows if watch.results_total(row) != row["calls"]])
    case.none("rows with more ready than scanned, or than asked", [
        row["call"] for row in rows if row["class"] == WAIT
        and not row["ready"] <= min(row["scanned"], row["asked"] or row["scanned"])])
    case.none("wait calls with a set of unknown size", [
        row["call"] for row in rows if row["class"] == WAIT and row["asked"] is None])
    case.none("threads longer in calls than the run lasted", [
        tid for tid, wall_ns in report.by_thread("wall_ns").items() if wall_ns > duration_ns])
    if os.uname().machine == "x86_64":
        still_inside(case, report, inside)


def still_inside(case, report, inside):
    """A thread that worked in the run and now sleeps in a wait call has to be `in_flight`."""
    worked = {row["tid"] for row in report.rows}
    truth = {tid: WAIT_NUMBERS[number] for tid, number in inside.items()
             if tid in worked and number in WAIT_NUMBERS}
    said = {entry["tid"]: entry["call"] for entry in report.document["in_flight"]}
    case.equal("in flight at the end", {tid: said.get(tid) for tid in truth}, truth)


def agrees_with_kernel(case, report, low, high):
    for calls, count, total in ((IO_READS, "syscr", "rchar"), (IO_WRITES, "syscw", "wchar")):
        measured = sum(report.sum(call, "calls") for call in calls)
        moved = sum(report.sum(call, "bytes") for call in calls)
        if measured or high[count]:
            case.between(f"calls of {count} (/proc/PID/io)", measured, low[count], high[count])
            case.between(f"bytes of {total} (/proc/PID/io)", moved, low[total], high[total])


def same_as_strace(case, server, work, calls):
    """Runs a deterministic `work()` twice, since strace disturbs: under iophase, then strace."""
    witness.settle(server.pid)
    with watch.Watch(server.pid) as watched:
        work()
        witness.settle(server.pid)
    with witness.Strace(server.pid, calls) as strace:
        work()
        witness.settle(server.pid)
    for call in calls:
        truth, results = strace.counts[call], watched.report.results(call)
        if call in WAIT_NUMBERS.values():
            # Either tracer may have come in the middle of the call that a thread's first event
            # ended, and left it out.
            threads = len(watched.report.select(call))
            for what, measured, value in (("ok", results["ok"], truth["ok"]),
                                          ("ready", watched.report.sum(call, "ready"),
                                           truth["value"])):
                case.between(f"{call} {what} (strace)", measured, value - threads, value + threads)
        else:
            measured = [results["ok"], results["zero"], results["eagain"],
                        watched.report.sum(call, "bytes")]
            case.equal(f"{call} ok, zero, EAGAIN, bytes (strace)", measured,
                       [truth[what] for what in ("ok", "zero", "eagain", "value")])


def output_of(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=60, check=True)
    return done.stdout


def accepted(report):
    return report.results("accept")["ok"] + report.results("accept4")["ok"]


# The servers.

def python_server(case, kind, selector):
    speakers, rounds = 8, 50
    messages, hearers = speakers * rounds, 1 if kind == "echo" else speakers - 1
    say = getattr(load, kind)
    with farm.Server(kind, selector=selector) as server:
        socks = load.connect(server.port, speakers)
        say(socks, range(1))
        report, _ = observe(case, server, lambda: say(socks, range(rounds), SIZE))
        case.equal("recvfrom ok", report.results("recvfrom")["ok"], messages)
        case.equal("recvfrom bytes", report.sum("recvfrom", "bytes"), messages * SIZE)
        case.equal("sendto ok", report.results("sendto")["ok"], messages * hearers)
        case.equal("sendto bytes", report.sum("sendto", "bytes"), messages * hearers * SIZE)
        scans(case, report, selector, messages, speakers + 1)
        same_as_strace(case, server, lambda: say(socks, range(rounds), SIZE),
                       [LOOPS[selector], "recvfrom", "sendto"])
        load.close(socks)

        report, _ = observe(case, server, lambda: load.close(load.connect(server.port, 20)))
        case.equal("accepted", accepted(report), 20)
        case.equal("recvfrom of closed connections", report.results("recvfrom")["zero"], 20)


def scans(case, report, selector, messages, descriptors):
    """One descriptor became ready at a time, so what a wait call had to look at is known."""
    call = LOOPS[selector]
    calls, asked, scanned, ready, passes, moved = (
        report.sum(call, figure)
        for figure in ("calls", "asked", "scanned", "ready", "passes", "set_copy_bytes"))
    # The call in flight when iophase came may be left out.
    case.between(f"{call} ready", ready, messages - 1, messages)
    case.equal(f"{call} calls", calls, ready)
    case.equal(f"{call} asked", asked, calls * descriptors)
    if selector == "epoll":
        # Level-triggered: what was reported last time is looked at once more. A lower bound: not
        # seen is a look at what came between the first look of a call and its sleep.
        case.between(f"{call} scanned", scanned, 3 * ready // 2, 2 * ready)
        return
    case.between(f"{call} passes", passes, calls, 3 * calls)
    case.equal(f"{call} scanned", scanned, passes * descriptors)
    # select: one set of one word in and out; poll: 8 bytes an entry in, 2 out.
    case.equal(f"{call} set_copy_bytes", moved,
               calls * (16 if selector == "select" else 10 * descriptors))


def redis_loaded(case):
    requests = 20000
    with farm.Server("redis", hz=REDIS_HZ) as server:
        sock, = load.connect(server.port)
        report, account = observe(
            case, server, lambda: output_of("redis-benchmark", "-p", server.port, "-q", "-c", 10,
                                            "-n", requests, "-t", "set,get"),
            ask=lambda: witness.redis_info(sock))
        sock.close()
    commands = account["total_commands_processed"]
    case.equal("SET and GET (load)", account["calls_set"] + account["calls_get"], 2 * requests)
    case.equal("accepted", accepted(report), account["total_connections_received"])
    cron_reads = report.results("read")["ok"] - commands
    case.between("reads for other than a command: Redis' cron", cron_reads, 0,
                 REDIS_HZ * report.document["duration_ns"] // 10**9 + 2)
    case.between("read bytes (total_net_input_bytes, cron)", report.sum("read", "bytes"),
                 account["total_net_input_bytes"],
                 account["total_net_input_bytes"] + cron_reads * PROC_STAT_BYTES)


def redis_strace(case):
    def work():
        for _ in range(500):
            sock.sendall(b"*1\r\n$4\r\nPING\r\n")
            load.expect(sock, b"+PONG\r\n")

    with farm.Server("redis", hz=1) as server:
        sock, = load.connect(server.port)
        work()
        same_as_strace(case, server, work, ["epoll_wait", "write"])
        sock.close()


def nginx_loaded(case):
    with farm.Server("nginx") as server:
        sock, = load.connect(server.port)
        said = []
        report, account = observe(
            case, server, lambda: said.append(output_of(
                "wrk", "-t", 1, "-c", 8, "-d", 1, f"http://127.0.0.1:{server.port}/page")),
            ask=lambda: witness.nginx_status(sock))
        sock.close()
    answered = int(re.search(r"(\d+) requests in", said[0]).group(1))
    case.between("requests (load, stub_status)", account["requests"], answered, answered + 8)
    case.equal("accepted", accepted(report), account["accepts"])
    case.equal("recvfrom ok", report.results("recvfrom")["ok"], account["requests"])


def nginx_strace(case):
    with farm.Server("nginx") as server:
        sock, = load.connect(server.port)
        work = functools.partial(load.http, sock, 300, "/page", farm.PAGE)
        work()
        same_as_strace(case, server, work, ["epoll_wait", "recvfrom", "writev", "sendfile"])
        sock.close()


def memcached(case):
    requests, connections = 500, 4
    with farm.Server("memcached") as server:
        socks = load.connect(server.port, connections)

        def work():
            load.memcached(socks, requests, SIZE)

        report, account = observe(case, server, work, lambda: witness.memcached_stats(socks[0]))
        case.equal("get and set (load)", account["cmd_get"] + account["cmd_set"],
                   connections * requests)
        case.equal("read ok", report.results("read")["ok"], connections * requests)
        case.equal("read bytes", report.sum("read", "bytes"), account["bytes_read"])
        same_as_strace(case, server, work, ["epoll_wait", "read", "sendmsg"])

        report, account = observe(case, server, lambda: load.close(load.connect(server.port, 20)),
                                  lambda: witness.memcached_stats(socks[0]))
        case.equal("accepted", accepted(report), account["total_connections"])
        load.close(socks)


def haproxy(case):
    # Head and body in one piece, so that how many recvfrom() it takes does not hang on timing.
    with farm.Server("nginx", nopush="on") as backend, \
            farm.Server("haproxy", backend=backend.port) as server:
        report, account = observe(
            case, server, lambda: output_of("wrk", "-t", 1, "-c", 8, "-d", 1,
                                            f"http://127.0.0.1:{server.port}/page"),
            ask=lambda: witness.haproxy_stat(server.home / "stats.sock"))
        case.equal("accepted", accepted(report), account["FRONTEND.conn_tot"])
        for call, way in (("recvfrom", ("FRONTEND.h1_bytes_in", "BACKEND.h1_bytes_in")),
                          ("sendto", ("FRONTEND.h1_bytes_out", "BACKEND.h1_bytes_out"))):
            case.equal(f"{call} bytes (show stat)", report.sum(call, "bytes"),
                       sum(account[name] for name in way))

        sock, = load.connect(server.port)
        work = functools.partial(load.http, sock, 200, "/page", farm.PAGE)
        work()
        same_as_strace(case, server, work, ["epoll_wait", "recvfrom", "sendto"])
        sock.close()


def node(case):
    speakers, rounds = 10, 100

    def work():
        socks = load.connect(server.port, speakers)
        load.echo(socks, range(rounds), SIZE, burst=True)
        load.close(socks)

    with farm.Server("node") as server:
        work()  # the first time compiles the code, and threads of its own come to life
        report, _ = observe(case, server, work)
    main = [row for row in report.select("write") + report.select("writev")
            if row["tid"] == server.pid]
    case.equal("accepted", accepted(report), speakers)
    case.between("bytes written by the loop", sum(row["bytes"] for row in main),
                 speakers * rounds * SIZE, speakers * rounds * (SIZE + 8))


def redis_bpftrace(case, work):
    """Both see the same calls. bpftrace adds up in slices of 10 ms: those wholly within iophase's
    run are the least, those that touch it the most that iophase may have counted. At both ends
    the server is idle, and wakes up every 10 ms."""
    calls = ("epoll_wait", "read")
    with farm.Server("redis", hz=100) as server, witness.Bpftrace(server.pid, calls) as bpftrace:
        sock, = load.connect(server.port)
        outer = [time.monotonic_ns()]
        with watch.Watch(server.pid) as watched:
            inner = [time.monotonic_ns()]
            work(server, sock)
            inner.append(time.monotonic_ns())
        outer.append(time.monotonic_ns())
        sock.close()
    outer[0] -= bpftrace.SLICE_NS
    outer[1] += bpftrace.SLICE_NS
    report = watched.report
    # A thread cannot spend more time than there was: what iophase may have on top of the slices.
    edge_ns = report.document["duration_ns"] - (inner[1] - inner[0]) + 2 * bpftrace.SLICE_NS
    for call in calls:
        low, high = bpftrace.total(call, *inner), bpftrace.total(call, *outer)
        # The call in flight when iophase came may be left out.
        case.between(f"{call} calls", report.sum(call, "calls"), low[0] - 1, high[0])
        near(case, f"{call} wall_ns", report.sum(call, "wall_ns"), low, edge_ns)
    # Where others want the CPU, it may well be taken away between the clocks of the two.
    near(case, "runnable_ns", sum(report.sum(call, "runnable_ns") for call in calls),
         bpftrace.total("runnable", *inner), edge_ns, part=0.2)


def near(case, what, measured, seen, edge_ns, part=0.03):
    """The tools read their clocks at different places of the same hooks, and each one's hook may
    run within what the other measures: a cost per call, which only long calls let one neglect."""
    count, total_ns = seen
    if count:
        case.note(f"{what}: {measured / total_ns:.3f} of what bpftrace saw, a difference of"
                  f" {(measured - total_ns) / count:.0f} ns each")
    hooks_ns = HOOKS_NS * count
    case.between(what, measured, int((1 - part) * total_ns) - hooks_ns - IDLE_NS,
                 int((1 + part) * total_ns) + hooks_ns + edge_ns)


def benchmark(server, _):
    output_of("redis-benchmark", "-p", server.port, "-q", "-c", 20, "-n", 40000, "-t", "get")


def pings(_, sock):
    """Long waits: here the hooks are next to nothing, and the times have to agree."""
    for _ in load.for_seconds(1.5, think_s=0.003):
        sock.sendall(b"*1\r\n$4\r\nPING\r\n")
        load.expect(sock, b"+PONG\r\n")


TESTS = [
    ("redis: calls and bytes under redis-benchmark", redis_loaded, ("redis", "redis-benchmark")),
    ("redis: same as strace", redis_strace, ("redis", "strace")),
    ("redis: same as bpftrace under load", functools.partial(redis_bpftrace, work=benchmark),
     ("redis", "redis-benchmark", "bpftrace")),
    ("redis: same as bpftrace with pauses", functools.partial(redis_bpftrace, work=pings),
     ("redis", "bpftrace")),
    ("nginx: calls and bytes under wrk", nginx_loaded, ("nginx", "wrk")),
    ("nginx: same as strace", nginx_strace, ("nginx", "strace")),
    ("memcached: calls and bytes", memcached, ("memcached", "strace")),
    ("haproxy: calls and bytes under wrk", haproxy, ("haproxy", "nginx", "wrk", "strace")),
    ("node: calls and bytes", node, ("node",)),
    *((f"python {kind} server on {selector}: calls, bytes and scans",
       functools.partial(python_server, kind=kind, selector=selector), ("strace",))
      for kind in ("echo", "chat") for selector in LOOPS),
]


if __name__ == "__main__":
    sys.exit(suite.main(TESTS))
