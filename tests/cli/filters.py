#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What is watched, for how long, and what of it is shown."""

import json
import os
import pathlib
import subprocess
import sys

import cli
from cli import Failure, Skip, iophase

UIDS = 64321, 64322		# of nobody else


def report(*options):
    return json.loads(iophase("-q", "-j", *options).ends(0, out=b"{").out)


def only(document, key, wanted):
    found = {row[key] for row in document["rows"]}
    if found != set(wanted):
        raise Failure(f"{key}: {found}, not {set(wanted)}")


def calls_only(selection, wanted):
    with cli.target() as target:
        only(report("-d", 0.5, "-p", target.pid, "-e", selection), "call", wanted)


def calls_twice():
    """-e twice is the union."""
    with cli.target() as target:
        only(report("-d", 0.5, "-p", target.pid, "-e", "read", "-e", "poll"), "call",
             ["read", "poll"])


def command_calls_only():
    with cli.scratch() as directory:
        out = directory / "out"
        iophase("-q", "-j", "-o", out, "-e", "wait", "--", *cli.TARGET, "--rounds", 2).ends(
            0, "ready")
        only(json.loads(out.read_text()), "class", ["wait"])


def long_only():
    """Only calls of at least that time: so their average is at least that, too."""
    with cli.waiting_target("--rounds", 2, "--ms", 100) as target:
        with cli.watching("-j", "-p", target.pid, "-m", 60000) as watch:
            target.go()
            document = json.loads(watch.result().ends(0, out=b"{").out)
    polls = [row for row in document["rows"] if row["call"] == "poll"]
    if not polls or polls[0]["results"]["zero"] != 2:
        raise Failure(f"not the 2 polls of 100 ms: {polls}")
    for row in document["rows"]:
        if row["wall_ns"] < row["calls"] * 60_000_000:
            raise Failure(f"shorter calls counted: {row}")
        # The target's main thread waits for the others in one call; each poll ends by itself.
        if sum(waker["wakes"] for waker in row["wakers"]) > row["calls"]:
            raise Failure(f"wake-ups of shorter calls counted: {row}")


def failed_only():
    with cli.waiting_target("--rounds", 4, "--ms", 1) as target:
        with cli.watching("-j", "-p", target.pid, "-x", "-e", "read,wait") as watch:
            target.go()
            document = json.loads(watch.result().ends(0, out=b"{").out)
    only(document, "call", ["read"])
    results = document["rows"][0]["results"]
    if results["eagain"] != 4 or results["errors"].get("9") != 4 or results["ok"]:
        raise Failure(f"not 4 EAGAIN and 4 EBADF: {results}")


def by_user():
    uid = UIDS[0]
    with cli.as_user(uid) as (directory, words):
        argv = [*words, cli.PYTHON, "-B", directory / "target.py"]
        with cli.Started(*argv) as target, cli.target():
            target.await_word(b"ready")
            only(report("-d", 0.5, "-u", uid), "tgid", [target.pid])


def by_name():
    name = f"iop-n-{os.getpid()}"
    with cli.target("--comm", name, "--threads", 1) as target, cli.target():
        only(report("-d", 0.5, "-n", name), "tgid", [target.pid])


def by_long_name():
    """The kernel keeps 15 bytes of it, so one longer means the same."""
    name = "a-name-longer-than-15-bytes"
    with cli.target("--comm", name) as target, cli.target():
        only(report("-d", 0.5, "-n", name, "-p", target.pid), "comm", [name[:15]])


def by_thread():
    with cli.target("--threads", 2) as target:
        cli.await_that(lambda: target.err.endswith(b"\n"), "the threads' ids")
        tid = int(target.err.split()[-1])
        only(report("-d", 0.5, "-t", tid, "--by", "thread,call"), "tid", [tid])


def all_must_hold():
    with cli.target() as target:
        document = report("-d", 0.3, "-p", target.pid, "-u", UIDS[0])
    if document["rows"] or document["in_flight"]:
        raise Failure("a filter that does not hold let something pass")


def several_processes():
    with cli.target() as one, cli.target() as two, cli.target() as three, cli.target():
        pids = [one.pid, two.pid, three.pid]
        document = report("-d", 0.5, "-p", f"{pids[0]},{pids[1]}", "-p", pids[2])
    only(document, "tgid", pids)


def cgroup_mount():
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, path, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return pathlib.Path(path)
    raise Skip("no cgroup of version 2 is mounted for writing")


def bound_report(cgroup):
    """Of a cgroup by a mount of its own, above which there is no other."""
    with cli.scratch() as place:
        return json.loads(cli.in_namespace(
            'mount --bind "$1" "$2"; exec "$3" -j -d 0.5 -c "$2"', cgroup, place,
            cli.IOPHASE).ends(0, "watching", out=b"{").out)


def by_cgroup():
    """The cgroup and those below it, for who is in it and who comes later."""
    outer = cgroup_mount() / f"iophase-test-{os.getpid()}"
    inner = outer / "inner"
    outer.mkdir()
    try:
        inner.mkdir()
        with cli.target() as one, cli.target() as two, cli.target():
            (outer / "cgroup.procs").write_text(str(one.pid))
            (inner / "cgroup.procs").write_text(str(two.pid))
            only(report("-d", 0.5, "-c", outer), "tgid", [one.pid, two.pid])
            only(report("-d", 0.5, "-c", inner), "tgid", [two.pid])
            only(report("-d", 0.5, "-c", f"{inner}/../inner/"), "tgid", [two.pid])
            only(bound_report(outer), "tgid", [one.pid, two.pid])
            only(bound_report(inner), "tgid", [two.pid])
    finally:
        for path in (inner, outer):
            cli.await_that(lambda path=path: removed(path), f"{path.name} empty")


def removed(path):
    try:
        path.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def follow(options, wanted):
    with cli.scratch() as directory:
        out = directory / "out"
        script = 'echo >/dev/null; "$0" "$@"; exit 0'
        iophase("-q", "-j", "-o", out, *options, "--", "sh", "-c", script, *cli.TARGET,
                "--rounds", 1).ends(0, "ready")
        found = {row["comm"] for row in json.loads(out.read_text())["rows"]}
    if any(name.startswith("python") for name in found) != wanted:
        raise Failure(f"comms {found}")


def follow_born(options, wanted):
    """Children and theirs that are there when the watch begins, as the workers of a server."""
    script = '("$0" "$@"; exit) & echo $! >&2; wait'
    with cli.Started("sh", "-c", script, *cli.TARGET) as parent:
        parent.await_word(b"ready")
        found = {row["comm"] for row in report("-d", 0.3, "-p", parent.pid, *options)["rows"]}
    if any(name.startswith("python") for name in found) != wanted:
        raise Failure(f"comms {found}")


def sorted_by(key, field):
    with cli.target() as target:
        document = report("-d", 0.5, "-p", target.pid, "-s", key)
    values = [row.get(field) or 0 for row in document["rows"]]
    if len(values) < 4 or values != sorted(values, reverse=True):
        raise Failure(f"{field}: {values}")


def sorted_by_name():
    pid = os.getpid()
    names = [f"iop-{letter}-{pid}" for letter in "cab"]
    with cli.target("--comm", names[0]) as one, cli.target("--comm", names[1]) as two, \
         cli.target("--comm", names[2]) as three:
        pids = ",".join(str(target.pid) for target in (one, two, three))
        document = report("-d", 0.5, "-p", pids, "-s", "name", "--by", "process")
    found = [row["comm"] for row in document["rows"]]
    if found != sorted(names):
        raise Failure(f"{found}, not {sorted(names)}")


def top():
    with cli.target() as target:
        document = report("-d", 0.5, "-p", target.pid, "-N", 2)
    if len(document["rows"]) != 2:
        raise Failure(f"{len(document['rows'])} rows, not 2")


def reports(options, count):
    """As many reports as asked for, none of them empty of time, and nothing counted twice."""
    with cli.target("--ms", 1) as target:
        out = iophase("-q", "-p", target.pid, "--format", "ndjson", *options).ends(0, out=b"{").out
    documents = [json.loads(line) for line in out.splitlines()]
    if len(documents) != count:
        raise Failure(f"{len(documents)} reports, not {count}")
    for document in documents:
        if document["duration_ns"] < 1_000_000:
            raise Failure(f"a report of {document['duration_ns']} ns")


def intervals_add_up():
    with cli.waiting_target("--rounds", 50, "--ms", 20) as target:
        with cli.watching("-j", "-p", target.pid, 0.1) as watch:
            target.go()
            lines = watch.result().ends(0, out=b"{").out.splitlines()
    calls = [row["calls"] for line in lines for row in json.loads(line)["rows"]
             if row["call"] == "epoll_wait"]
    if sum(calls) != 50:
        raise Failure(f"epoll_wait {calls}: {sum(calls)}, not 50")
    return [f"{len(lines)} reports"]


def processes_add_up(*by):
    """More processes come and go than have rows of their own: no call is counted twice."""
    script = 'i=0; while [ $i -lt 700 ]; do /bin/true <"$0"; i=$((i + 1)); done'
    sums = []
    for interval in ([], [0.1]):
        with cli.scratch() as directory:
            out = directory / "out"
            iophase("-q", "--format", "ndjson", "-e", "pread64", "-o", out, *by, *interval, "--",
                    "sh", "-c", script, "/dev/null").ends(0)
            rows = [json.loads(line)["rows"] for line in out.read_text().splitlines()]
        sums.append(sum(row["calls"] for report in rows for row in report))
        if not interval and len(rows[0]) > 550:
            raise Failure(f"{len(rows[0])} rows")
    if not sums[0] or sums[0] != sums[1]:
        raise Failure(f"{sums[0]} calls in one report, {sums[1]} in intervals")


def ends_while_read():
    """Processes that end while the figures are read are in them once, and in no report less."""
    with cli.scratch() as directory:
        out = directory / "out"
        script = ("import os\nfor _ in range(3000):\n if not os.fork():\n"
                  "  os.pread(0, 1, 0); os._exit(0)\n os.wait()")
        sums = []
        for interval in ([], [0.002]):
            iophase("-q", "--format", "ndjson", "-e", "pread64", "-o", out, *interval, "--",
                    cli.PYTHON, "-ISc", script).ends(0)
            rows = [row for line in out.read_text().splitlines() for row in json.loads(line)["rows"]]
            low = [row for row in rows if min(row["calls"], row["wall_ns"], row["bytes"]) < 0]
            if low:
                raise Failure(f"less than nothing: {low[0]}")
            sums.append(sum(row["calls"] for row in rows))
    if sums[0] < 3000 or sums[0] != sums[1]:
        raise Failure(f"{sums[0]} calls in one report, {sums[1]} in intervals")


def duration():
    with cli.target() as target:
        document = report("-p", target.pid, "-d", 1)
    if document["duration_ns"] < 1_000_000_000:
        raise Failure(f"{document['duration_ns']} ns")


def named_later():
    """An exec that brings the name brings the watch."""
    name = f"iop-x-{os.getpid()}"
    with cli.scratch() as directory:
        program = directory / name
        program.write_text("#!/bin/sh\nexec 3</dev/null\nread line <&3\nread line <&3\n")
        program.chmod(0o755)
        with cli.watching("-j", "-n", name) as watch:
            subprocess.run([program], check=False, timeout=cli.TIMEOUT_S)
            document = json.loads(watch.stop().ends(0, out=b"{").out)
    only(document, "comm", [name])


def renamed_later():
    """A thread that calls itself so, as they do after their birth."""
    name = f"iop-y-{os.getpid()}"
    with cli.watching("-j", "-n", name) as watch:
        with cli.target("--comm", name, "--rounds", 20) as target:
            target.result().ends(0, "ready")
        document = json.loads(watch.stop().ends(0, out=b"{").out)
    only(document, "comm", [name])


def user_later():
    """A process that changes its user, as servers do that are started as root."""
    uid = UIDS[1]
    script = f'exec setpriv --reuid={uid} --clear-groups head -c 1 /dev/zero'
    with cli.watching("-j", "-u", uid) as watch:
        subprocess.run(["sh", "-c", script], stdout=subprocess.DEVNULL, check=True,
                       timeout=cli.TIMEOUT_S)
        document = json.loads(watch.stop().ends(0, out=b"{").out)
    only(document, "comm", ["head"])


def cgroup_later():
    """A process that is moved into the cgroup and then becomes a program, as containers do."""
    cgroup = cgroup_mount() / f"iophase-test-later-{os.getpid()}"
    cgroup.mkdir()
    try:
        with cli.watching("-j", "-c", cgroup) as watch:
            subprocess.run(["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec head -c 1 /dev/zero',
                            cgroup], stdout=subprocess.DEVNULL, check=True, timeout=cli.TIMEOUT_S)
            document = json.loads(watch.stop().ends(0, out=b"{").out)
        only(document, "comm", ["head"])
    finally:
        cli.await_that(lambda: removed(cgroup), f"{cgroup.name} empty")


@cli.alone
def duration_counted():
    """The time that is said to be seen ends with the counting, however long the reading takes."""
    script = ("import os, resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (19000, 19000))\n"
              "fds = [os.open('/dev/null', 0) for _ in range(18000)]\n"
              "for _ in range(29):\n if not os.fork(): break\n"
              "os.write(2, b'.'); sys.stdin.read()")
    with cli.Started(cli.PYTHON, "-c", script, stdin=subprocess.PIPE) as target:
        target.await_word(b"." * 30)
        document = report("-d", 0.2)
    if not 0.2e9 <= document["duration_ns"] < 0.28e9:
        raise Failure(f"{document['duration_ns']} ns of 0.2 s")


def memory_of_threads():
    """The records of the threads are in the figure of memory."""
    found = []
    for threads in (0, 200):
        with cli.target("--threads", threads, "--ms", 500) as target:
            cost = report("-d", 0.2, "-p", target.pid, "--no-follow")["cost"]
        found.append(cost["bpf_memory_bytes"])
    if not 200 * 2048 < found[1] - found[0] < 200 * 16384:
        raise Failure(f"{found[1] - found[0]} bytes for 200 threads")


def shared_set():
    """A child that ends takes its files off a set it shares: how many is not known then."""
    script = ("import os, select\nepoll = select.epoll()\nepoll.register(os.pipe()[0])\n"
              "if {child} and not os.fork():\n epoll.register(os.pipe()[0]); os._exit(0)\n"
              "if {child}: os.wait()\nfor _ in range(10): epoll.poll(0)")
    for child, tier in ((0, "exact"), (1, "bound")):
        with cli.scratch() as directory:
            out = directory / "out"
            iophase("-q", "-j", "-e", "epoll_wait", "-o", out, "--", cli.PYTHON, "-ISc",
                    script.format(child=child)).ends(0)
            row, = json.loads(out.read_text())["rows"]
        if row["calls"] != 10 or row["tiers"]["asked"] != tier:
            raise Failure(f"{row['calls']} calls, asked {row['asked']}, {row['tiers']}")


def ended_before():
    """Who is watched has ended when the watch begins: said as for one that never was."""
    with cli.ended() as one, cli.ended() as other:
        iophase("-p", one).ends(1, f"process {one} ended before it could be watched")
        iophase("-j", "-t", one, 1).ends(1, f"thread {one} ended before it could be watched")
        iophase("-p", f"{one},{other}").ends(1, "all that was named ended before it could be")


def one_ended_before():
    """The others are watched all the same."""
    with cli.ended() as pid, cli.target() as target:
        only(report("-d", 0.3, "-p", f"{pid},{target.pid}"), "tgid", [target.pid])


def filtered_out():
    with cli.target() as target:
        iophase("-t", target.pid, "-n", "nobody").ends(
            1, f"thread {target.pid} does not pass the other filters")


TESTS = [
    # The longest first, so that none is left by itself at the end.
    ("processes end while they are read", ends_while_read),
    ("-c", by_cgroup),
    ("-e, a call", lambda: calls_only("read", ["read"])),
    ("-e, two calls", lambda: calls_only("read,sendto", ["read", "sendto"])),
    ("-e, a class and a call",
     lambda: calls_only("input,output", ["read", "sendto"])),
    ("-e twice", calls_twice),
    ("-e wait: wait calls only", command_calls_only),
    ("-m", long_only),
    ("-x", failed_only),
    ("-p, several", several_processes),
    ("-t", by_thread),
    ("-u", by_user),
    ("-n", by_name),
    ("-n, longer than a name can be", by_long_name),
    ("-n, a program started later", named_later),
    ("-n, a thread renamed later", renamed_later),
    ("-u, a program run as the user later", user_later),
    ("-c, a program moved there later", cgroup_later),
    ("filters must all hold", all_must_hold),
    ("children followed", lambda: follow([], True)),
    ("children there already", lambda: follow_born([], True)),
    ("children there already, --no-follow", lambda: follow_born(["--no-follow"], False)),
    ("--no-follow", lambda: follow(["--no-follow"], False)),
    *((f"-s {key}", lambda key=key, field=field: sorted_by(key, field)) for key, field in (
        ("wall", "wall_ns"), ("blocked", "blocked_ns"), ("runnable", "runnable_ns"),
        ("kernel", "kernel_ns"), ("copy", "copy_ns"), ("calls", "calls"),
        ("scanned", "scanned"), ("bytes", "bytes"))),
    ("-s name", sorted_by_name),
    ("epoll set shared with a child that ends", shared_set),
    ("cost: memory of threads", memory_of_threads),
    ("-N", top),
    ("-d 1", duration),
    ("-d 0.2, with much to read at the end", duration_counted),
    ("interval and count", lambda: reports(["0.2", "3"], 3)),
    ("interval and duration", cli.alone(lambda: reports(["-d", "0.6", "0.2"], 3))),
    ("interval, count, longer duration", lambda: reports(["-d", "2", "0.2", "2"], 2)),
    ("interval, part of one at the end", cli.alone(lambda: reports(["-d", "2.5", "1"], 3))),
    ("intervals add up", intervals_add_up),
    ("intervals add up, many processes", processes_add_up),
    ("intervals add up, many threads", lambda: processes_add_up("--by", "thread,call")),
    ("ended before the watch", ended_before),
    ("one of two ended before the watch", one_ended_before),
    ("a thread that another filter leaves out", filtered_out),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
