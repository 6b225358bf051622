#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""iophase trace: its options, its lines and ends, and its JSON against docs/trace.schema.json."""

import json
import os
import re
import signal
import subprocess
import sys

import cli
from cli import Failure, iophase
from documents import Schema, as_json

SCHEMA = Schema("trace.schema.json")
HOSTILE = [b"\x1b[2J\x1b[31m", b'a"b\\c', b"nl\nnl", b"\xff\xfe\x7f", b"%s%n"]
RAW = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")
HEAD = b"WALL BLOCKED RUNNABLE  KERNEL    COPY  CALL"

REFUSED = {
    "an argument": (["1"], "trace takes no arguments"),
    "descriptor text": (["--fd", "a"], "--fd: no descriptor: 'a'"),
    "no descriptor": (["--fd", ""], "--fd"),
    "buffer 0": (["--buffer", "0"], "--buffer: a power of two up to 1024"),
    "buffer 3": (["--buffer", "3"], "--buffer"),
    "buffer with a unit": (["--buffer", "4M"], "'4M'"),
    "buffer too large": (["--buffer", "2048"], "--buffer"),
    "format csv": (["--format", "csv"], "--format: table or ndjson, not: 'csv'"),
    "unknown call": (["-e", "nonsense"], "no such call or class: 'nonsense'"),
    "min-us text": (["-m", "x"], "-m"),
    "unknown option": (["--nonsense"], "--nonsense"),
}


def trace(*options, **how):
    return iophase("trace", "-q", *options, **how)


def refused(argv, said):
    iophase("trace", *argv).ends(2, said)


def lines_of(*options):
    with cli.target() as target:
        result = trace("-p", target.pid, "-d", 0.3, *options).ends(0, out=b"")
    return result, result.out.splitlines()


def table():
    result, lines = lines_of()
    calls = [line for line in lines if re.search(rb"  [a-z0-9_]+\(.*\) = ", line)]
    result.check(HEAD in lines[0] and len(calls) > 3, "a head and calls expected")
    for line in calls:
        if not re.match(rb" *\d+\.\d{6} +\d+ *>?[\d.]+[a-z]+ ", line):
            raise Failure(f"no line of a call: {line}")
    count = re.search(rb"\n([\d,]+) calls?\n", result.out)
    result.check(count and int(count[1].replace(b",", b"")) == len(calls),
                 f"{len(calls)} calls shown")
    return [f"{len(calls)} calls"]


def stamps():
    """-T: the time of day, which does not go back."""
    _, lines = lines_of("-T")
    times = [line.split()[0] for line in lines if re.match(rb"\d\d:\d\d:\d\d\.\d{6} ", line)]
    if len(times) < 4 or times != sorted(times):
        raise Failure(f"times of day expected, in order: {times}")


def names_of_threads():
    """Where several processes can be meant, each line says which."""
    with cli.target() as target:
        result = trace("-n", "python3", "-d", 0.3)
    result.ends(0, out=b" THREAD ").check(
        re.search(rb" python3/%d +[\d.]" % target.pid, result.out), "python3/TID expected")


def validated(text):
    documents = [SCHEMA.validated(line) for line in text.splitlines()]
    if [d["type"] for d in (documents[0], documents[-1])] != ["begin", "end"]:
        raise Failure("a begin and an end expected")
    return documents


def json_lines(*options):
    result, _ = lines_of(*options)
    documents = validated(result.out)
    calls = [d for d in documents if d["type"] == "call"]
    if len(calls) < 3:
        raise Failure(f"{len(calls)} calls")
    return [f"{len(calls)} calls"]


def json_lost():
    """Lines of losses, too: a ring of a MiB is not enough for this."""
    with cli.scratch() as directory:
        out = directory / "out"
        trace("-j", "--buffer", 1, "-o", out, "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=1",
              "count=100000", "status=none").ends(0)
        lines = out.read_bytes().splitlines()
    lost = [line for line in lines if b'"lost","calls"' in line]
    if not lost:
        raise Failure("nothing was lost: the test proves nothing")
    told = validated(b"\n".join([lines[0], *lost[:100], lines[-1]]))[-1]
    if told["calls"] + told["calls_lost"] < 200000 or told["calls"] != len(lines) - len(lost) - 2:
        raise Failure(f"{len(lines)} lines, {told['calls']} calls, {told['calls_lost']} lost")


def hostile_names():
    for name in HOSTILE:
        with cli.target("--comm", os.fsdecode(name)) as target:
            told = trace("-j", "-p", target.pid, "-d", 0.2).ends(0, out=b"{").out
            text = trace("-p", target.pid, "-v", "-d", 0.2).ends(0, out=b"CALL").out
        comms = {d["comm"] for d in validated(told) if d["type"] == "call"}
        if comms != {as_json(name[:15])}:
            raise Failure(f"{comms}, not {as_json(name[:15])}")
        if RAW.search(text):
            raise Failure(f"control bytes: {RAW.search(text)}")


def hostile_paths():
    """
    What a file is called cannot move the cursor, nor end a JSON string. Its folder is known only if
    the command still had it open when the line was made.
    """
    with cli.scratch() as directory:
        name = directory / 'a\x1b[31m"b\n<\\'
        name.write_text("x")
        told = trace("-j", "-e", "read", "--", "cat", name).ends(0, out=b"x").err
        text = trace("-e", "read", "--", "cat", name).ends(0, out=b"x").err
    names = [d["name"] for d in validated(told.encode()) if d["type"] == "call"]
    if not any(n and n.endswith(f"/{as_json(name.name.encode())}") for n in names):
        raise Failure(f"the name is not among {names}")
    if RAW.search(text.encode()):
        raise Failure("control bytes")


def under_way():
    """A call from before the watch is told of, and what is not known of it is not 0."""
    with cli.waiting_target("--rounds", 2) as target:
        with cli.watching("trace", "-j", "-p", target.pid) as watch:
            target.go()
            result = watch.result().ends(0, out=b"{")
    documents = validated(result.out)
    first = next(d for d in documents if d["type"] == "call")
    result.check(first.get("began_before") and first["blocked_ns"] is None and first["fd"] is None,
                 f"the call under way first, not {first}")


def status_of_command():
    trace("-o", os.devnull, "--", "sh", "-c", "exit 7").ends(7)
    trace("-o", os.devnull, "--", "/nonexistent").ends(127, "No such file")


def absent():
    trace("-p", 4000000).ends(1, "no such process: 4000000")


def interrupted():
    with cli.target() as target:
        with cli.watching("trace", "-p", target.pid) as watch:
            result = watch.stop(signal.SIGINT)
    result.check(result.status == 0 and HEAD in result.out and b"cost: " in result.out,
                 "the end of a trace expected")


def reader_gone():
    """Who reads has seen enough: it ends, and says nothing."""
    with cli.target() as target:
        watch = subprocess.Popen([cli.IOPHASE, "trace", "-q", "-p", str(target.pid)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        watch.stdout.readline()
        watch.stdout.close()
        err = watch.stderr.read()
        status = watch.wait(cli.TIMEOUT_S)
        watch.stderr.close()
    if status != 1 or err:
        raise Failure(f"status {status}, {err}")


def file_replaced():
    with cli.scratch() as directory:
        out = directory / "out"
        out.write_text("old")
        with cli.target() as target:
            with cli.watching("trace", "-p", target.pid, "-o", out) as watch:
                before = out.read_text()
                watch.stop().ends(0)
        if before != "old" or HEAD not in out.read_bytes() or len(list(directory.iterdir())) != 1:
            raise Failure(f"{before!r}, then {out.read_bytes()[:100]!r}")


def schema_strict():
    documents = validated(lines_of("-j")[0].out)
    call = next(d for d in documents if d["type"] == "call")
    for what, change in {
            "a field more": {"extra": 1}, "a negative time": {"wall_ns": -1},
            "no name": {"call": None}, "another type": {"type": "calls"}}.items():
        if not SCHEMA.errors_of({**call, **change}):
            raise Failure(f"the schema takes {what}")
    json.dumps(call)


def no_names():
    result, _ = lines_of("-j", "--no-names")
    if any(d.get("name") for d in validated(result.out)):
        raise Failure("there are names")


TESTS = [
    *((f"refused: {name}", lambda argv=argv, said=said: refused(argv, said))
      for name, (argv, said) in REFUSED.items()),
    ("a line for each call", table),
    ("the time of day", stamps),
    ("names of threads", names_of_threads),
    ("JSON lines as described", lambda: json_lines("-j")),
    ("JSON lines by --format", lambda: json_lines("--format", "ndjson")),
    ("JSON lines of losses", cli.alone(json_lost)),
    ("without names", no_names),
    ("the schema is sound, strict and described", SCHEMA.sound),
    ("it refuses what is wrong", schema_strict),
    ("hostile names of threads", hostile_names),
    ("hostile names of files", hostile_paths),
    ("a call that was under way", under_way),
    ("the status of the command", status_of_command),
    ("an absent process", absent),
    ("interrupted", interrupted),
    ("its reader is gone", reader_gone),
    ("a file is replaced at the end", file_replaced),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
