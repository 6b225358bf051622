#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel lacks or forbids, signals, ends of targets, and what iophase leaves behind."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys

import cli
from cli import Failure, iophase

NOBODY = 65534
BPFTOOL = "bpftool"


def without(capabilities, *said):
    """As a user who has these capabilities only."""
    with cli.as_user(NOBODY, capabilities) as (directory, words):
        result = cli.run([*words, directory / pathlib.Path(cli.IOPHASE).name, "-d", "5"])
    result.ends(1, *said)
    result.check(result.err.count("\n") == 1, "not one line")


def few_capabilities():
    """These two are enough; the time of the hooks is then not known, and said not to be."""
    with cli.as_user(NOBODY, ["bpf", "perfmon"]) as (directory, words):
        binary = directory / pathlib.Path(cli.IOPHASE).name
        result = cli.run([*words, binary, "-q", "-j", "-d", "0.2"]).ends(0, out=b"{")
    if json.loads(result.out)["cost"]["bpf_ns"] is not None:
        raise Failure("timed its hooks without CAP_SYS_ADMIN")


def no_btf():
    cli.in_namespace('mount -t tmpfs none /sys/kernel/btf; exec "$@"', cli.IOPHASE, "-d", 5).ends(
        1, "iophase: ", "BTF", "CONFIG_DEBUG_INFO_BTF=y")


def broken_btf():
    cli.in_namespace('mount --bind /dev/null /sys/kernel/btf/vmlinux; exec "$@"', cli.IOPHASE,
                     "-d", 5).ends(1, "iophase: ", "BTF")


def old_kernel():
    result = cli.run(["setarch", os.uname().machine, "--uname-2.6", cli.IOPHASE, "-d", 5])
    result.ends(1, "iophase: Linux 2.6 is too old: at least ")


def pid_namespace():
    """Ids there mean other processes to the kernel: refused, and not silently none or another's."""
    cli.run(["unshare", "-pf", "--mount-proc", cli.IOPHASE, "-d", 5, "-p", 1]).ends(
        1, "iophase: ", "PID namespace", "--pid=host")


def lockdown(level, allowed):
    result = cli.in_namespace(
        f'mount -t tmpfs none /sys/kernel/security; echo "{level}" >/sys/kernel/security/lockdown; '
        'exec "$@"', cli.IOPHASE, "-q", "-d", 0.2)
    if allowed:
        result.ends(0, out=b"seen, ")
    else:
        result.ends(1, "iophase: ", "locked down", "lockdown=confidentiality")


def ended_by(number):
    with cli.target() as target, cli.watching("-p", target.pid) as watch:
        watch.stop(number).ends(0, out=b"seen, ")


@cli.alone	# preexec_fn is not for programs with threads
def hang_up_ignored():
    """Under nohup(1) a hang-up does nothing; had it counted, SIGINT would be the second."""
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with cli.target() as target, cli.watching("-p", target.pid, preexec_fn=ignore) as watch:
        watch.send(signal.SIGHUP).stop().ends(0, out=b"seen, ")


def full_pipe():
    """A pipe into which nothing more goes: (reading end, writing end)."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return reader, writer


def second_signal_hanging():
    """The first one ends the measurement, the second the wait for who does not read."""
    reader, writer = full_pipe()
    with cli.target() as target, cli.watching("-p", target.pid, stdout=writer) as watch:
        os.close(writer)
        watch.send(signal.SIGINT)
        now = pathlib.Path(f"/proc/{watch.pid}/syscall")
        cli.await_that(lambda: now.read_text().startswith("1 0x1 "), "blocked in write")
        result = watch.stop()
        os.close(reader)
    result.check(result.status == 128 + signal.SIGINT, "status 130 expected")


def second_signal_file():
    """No unfinished file stays behind."""
    with cli.scratch() as directory, cli.target() as target:
        out = directory / "out"
        out.write_text("old")
        with cli.watching("-p", target.pid, "-o", out) as watch:
            if len(list(directory.iterdir())) != 2:
                raise Failure("no temporary file while it runs")
            # Both are there when it goes on, so it sees them at once.
            for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
                watch.send(number)
            result = watch.result()
        result.check(result.status in (130, 143), "status 130 or 143 expected")
        if out.read_text() != "old" or list(directory.iterdir()) != [out]:
            raise Failure(f"left behind: {list(directory.iterdir())}")


def command_told():
    """The command gets the signal, its end is awaited, and its status passed on."""
    script = 'trap "exit 5" TERM; echo ready >&2; while :; do sleep 0.05; done'
    with cli.Started(cli.IOPHASE, "--", "sh", "-c", script) as watch:
        watch.await_word(b"ready").stop(signal.SIGTERM).ends(5, "seen, ")


def command_stubborn():
    """A command that does not end: the second signal brings the summary."""
    script = 'trap "" INT; echo ready >&2; exec sleep 60'
    with cli.Started(cli.IOPHASE, "--", "sh", "-c", script) as watch:
        watch.await_word(b"ready").send(signal.SIGINT)
        watch.stop(signal.SIGTERM).ends(128 + signal.SIGTERM, "seen, ")


def command_after():
    """The time is over before the command: the summary first, the status when there is one."""
    with cli.Started(cli.IOPHASE, "-d", 0.2, "--", "sh", "-c", "read line; exit 9",
                     stdin=subprocess.PIPE) as watch:
        watch.await_word(b"seen, ").go().result().ends(9)


def children_outlive():
    """Descendants that stay when the command has ended: one signal is enough."""
    with cli.Started(cli.IOPHASE, "--", "sh", "-c", "sleep 60 & echo ready >&2") as watch:
        watch.await_word(b"ready")
        stat = pathlib.Path(f"/proc/{watch.pid}/task/{watch.pid}/children")

        def over():
            children = stat.read_text().split()
            return all(") Z" in pathlib.Path(f"/proc/{pid}/stat").read_text() for pid in children)
        cli.await_that(over, "the end of sh")
        watch.stop().ends(0, "seen, ")


def dies_meanwhile():
    with cli.waiting_target("--rounds", 3) as target, cli.watching("-p", target.pid, "-j") as watch:
        target.go().result().ends(0)
        result = watch.result().ends(0, out=b"{")
    calls = {row["call"]: row["calls"] for row in json.loads(result.out)["rows"]}
    result.check(calls.get("epoll_wait") == 3, f"3 epoll_wait expected, not {calls}")


def killed_meanwhile(*filters):
    with cli.target("--threads", 1) as target:
        tid = target.err.split()[-1].decode()
        words = [word.format(pid=target.pid, tid=tid) for word in filters]
        with cli.watching(*words) as watch:
            target.send(signal.SIGKILL).result()
            watch.result().ends(0, out=b"seen, ")


def objects_of(pid):
    """Programs, maps and links that a process holds: {(kind, id)}."""
    found = set()
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            for line in path.read_text().splitlines():
                for kind in ("prog", "map", "link"):
                    if line.startswith(f"{kind}_id:"):
                        found.add((kind, int(line.split()[1])))
    return found


def listed():
    """All that the kernel holds. bpftool gives up when one goes while it lists: then once more."""
    found = set()

    def complete():
        found.clear()
        for kind in ("prog", "map", "link"):
            result = cli.run([BPFTOOL, "-j", kind, "show"])
            if result.status:
                return False
            found.update((kind, item["id"]) for item in json.loads(result.out))
        return True
    cli.await_that(complete, "a complete list of BPF objects")
    return found


def nothing_left(number):
    with cli.target() as target, cli.watching("-p", target.pid) as watch:
        objects = objects_of(watch.pid)
        if {kind for kind, _ in objects} != {"prog", "map", "link"} or not objects <= listed():
            raise Failure(f"not all in the list: {objects}")
        watch.stop(number)
    cli.await_that(lambda: not objects & listed(), "programs, maps and links gone")
    return [f"{len(objects)} objects, none left"]


@cli.alone	# each iophase in its maps can hide switches from the others, which is a loss
def two_at_once():
    with cli.waiting_target("--rounds", 20, "--ms", 1) as target:
        options = ["-j", "-p", target.pid]
        with cli.watching(*options) as one, cli.watching(*options) as two:
            target.go().result().ends(0)
            documents = [json.loads(watch.result().ends(0, out=b"{").out) for watch in (one, two)]
    for document in documents:
        calls = {row["call"]: row["calls"] for row in document["rows"]}
        if any(document["lost"].values()):
            raise Failure(f"lost: {document['lost']}")
        # A round has two polls: one that finds the byte, one that waits.
        for call, count in (("epoll_wait", 20), ("poll", 40), ("sendto", 20)):
            if calls.get(call) != count:
                raise Failure(f"{calls.get(call)} {call}, not {count}")


def watches_itself():
    """One iophase under another: both see the program, and the outer one the inner one."""
    with cli.scratch() as directory:
        inner, outer = directory / "inner", directory / "outer"
        iophase("-q", "-j", "-o", outer, "--", cli.IOPHASE, "-q", "-j", "-o", inner, "--",
                *cli.TARGET, "--rounds", 5).ends(0, "ready")
        for path in (inner, outer):
            rows = json.loads(path.read_text())["rows"]
            calls = sum(row["calls"] for row in rows
                        if row["call"] == "sendto" and row["comm"].startswith("python"))
            if calls != 5:
                raise Failure(f"{path.name}: {calls} sendto, not 5")


TESTS = [
    ("not permitted", lambda: without([], "CAP_BPF and CAP_PERFMON are missing", "sudo iophase")),
    ("CAP_BPF missing", lambda: without(["perfmon"], ": CAP_BPF is missing", "sudo")),
    ("CAP_PERFMON missing", lambda: without(["bpf"], ": CAP_PERFMON is missing", "sudo")),
    ("CAP_BPF and CAP_PERFMON are enough", few_capabilities),
    ("no BTF", no_btf),
    ("broken BTF", broken_btf),
    ("kernel too old", old_kernel),
    ("in a PID namespace", pid_namespace),
    ("lockdown: confidentiality",
     lambda: lockdown("none integrity [confidentiality]", False)),
    ("lockdown: integrity", lambda: lockdown("none [integrity] confidentiality", True)),
    *((f"{number.name}: summary", lambda number=number: ended_by(number))
      for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
    ("SIGHUP under nohup", hang_up_ignored),
    ("second signal while stdout hangs", second_signal_hanging),
    ("second signal, output to a file", second_signal_file),
    ("command told of a signal", command_told),
    ("command that does not end", command_stubborn),
    ("command longer than -d", command_after),
    ("descendants outlive the command", children_outlive),
    ("process ends by itself", dies_meanwhile),
    ("process killed", lambda: killed_meanwhile("-p", "{pid}")),
    ("thread killed", lambda: killed_meanwhile("-t", "{tid}")),
    *((f"{number.name}: nothing stays in the kernel",
       cli.alone(lambda number=number: nothing_left(number)))
      for number in (signal.SIGKILL, signal.SIGINT, signal.SIGQUIT)),
    ("two at once count alike", two_at_once),
    ("one under another", watches_itself),
]

if __name__ == "__main__":
    # bpftool is in a directory that not every root has in its path.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    sys.exit(cli.run_all(TESTS))
