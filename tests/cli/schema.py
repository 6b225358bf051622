#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Validates what iophase prints as JSON, of every kind, against docs/iophase.schema.json."""

import contextlib
import copy
import os
import re
import sys

import cli
from cli import Failure
from documents import Schema, as_json

SCHEMA = Schema("iophase.schema.json")
validated = SCHEMA.validated
HOSTILE = [b"\x1b[31mred", b'a"b\\c', b"\xff\xfe\x80", b"tab\there", b"nl\nnl",
           b"\xc3\xa9t\xc3\xa9",
           b"caf\xc3", b"\x9b2J\x07", b"\xc2\x9b2J", b"%s%n%x", b"</script>", b"\xed\xa0\x80",
           b" ", b"\x7f\x01\x02", b"123456789012345"]


def document(*options):
    return validated(cli.iophase("-j", "-q", *options).ends(0, out=b"{").out)


def rows_by(by):
    """A run of rows kept apart by `by`, with threads and all kinds of results."""
    keys = set(by.split(","))
    with cli.target("--threads", 3) as target:
        found = document("--by", by, "-d", 0.3, "-p", target.pid)
    if not found["rows"]:
        raise Failure("no rows")
    if "thread" in keys:
        keys.add("process")
    if set(found["by"]) != keys:
        raise Failure(f"by {found['by']}, not {keys}")
    for row in found["rows"]:
        has = {key for key, field in (("process", "tgid"), ("thread", "tid"), ("call", "call"))
               if field in row}
        if has != keys:
            raise Failure(f"rows kept apart by {has}, not {keys}")
    return [f"{len(found['rows'])} rows"]


def intervals(*options):
    with cli.target() as target:
        result = cli.iophase("-q", "-p", target.pid, *options, 0.2, 3).ends(0, out=b"{")
    lines = result.out.splitlines()
    result.check(len(lines) == 3, f"3 lines expected, not {len(lines)}")
    for line in lines:
        validated(line)


def ndjson_once():
    with cli.target() as target:
        result = cli.iophase("-q", "-p", target.pid, "--format", "ndjson", "-d", 0.2)
    result.ends(0, out=b"{").check(result.out.count(b"\n") == 1, "one line expected")
    validated(result.out)


def command():
    with cli.scratch() as directory:
        out = directory / "out"
        cli.iophase("-q", "-j", "-o", out, "--", *cli.TARGET, "--rounds", 3,
                    "--threads", 2).ends(0, "ready")
        found = validated(out.read_bytes())
    # Three threads of three rounds, and each round has one epoll_wait.
    calls = sum(row["calls"] for row in found["rows"] if row["call"] == "epoll_wait")
    if calls != 9:
        raise Failure(f"{calls} epoll_wait, not 9")


def many_ended():
    """More processes end than are kept apart: the row of the others has no process."""
    with cli.scratch() as directory:
        out = directory / "out"
        script = 'i=0; while [ $i -lt 500 ]; do (read x <"$0"); i=$((i + 1)); done; sleep 0.3'
        cli.iophase("-q", "-j", "-e", "read", "-o", out, "--", "sh", "-c", script,
                    "/dev/null").ends(0)
        found = validated(out.read_bytes())
    if [row["comm"] for row in found["rows"] if row["tgid"] is None] != ["(ended)"]:
        raise Failure("no row of (ended)")


def empty():
    with cli.target("--idle") as target:
        found = document("-d", 0.2, "-p", target.pid, "-e", "recvmmsg")
    if found["rows"] or found["in_flight"]:
        raise Failure("rows of a process that makes no calls")


def in_flight():
    with cli.target("--ms", 60000) as target:
        cli.await_that(lambda: open(f"/proc/{target.pid}/syscall").read().startswith("7 "), "poll")
        found = document("-d", 0.2, "-p", target.pid)
    calls = [(thread["call"], thread["age_tier"]) for thread in found["in_flight"]]
    if calls != [("poll", "lower_bound")]:
        raise Failure(f"in flight: {calls}")


@cli.shared
def hostile_names():
    """Of processes with these names: ({name: process id}, what is said of them)."""
    with contextlib.ExitStack() as stack:
        pids = {name: stack.enter_context(cli.target("--comm", os.fsdecode(name))).pid
                for name in HOSTILE}
        return pids, document("-d", 0.3, "-p", ",".join(map(str, pids.values())))


def hostile(name):
    pids, found = hostile_names()
    names = {row["comm"] for row in found["rows"] if row["tgid"] == pids[name]}
    if names != {as_json(name[:15])}:
        raise Failure(f"names {names}, not {as_json(name[:15])!r}")


def machine():
    found = document("-d", 0.3)
    return [f"{len(found['rows'])} rows"]


def filtered():
    with cli.target() as target:
        found = document("-d", 0.3, "-p", target.pid, "-x", "--sort", "calls", "--top", 1)
    if [row["call"] for row in found["rows"]] != ["read"]:
        raise Failure(f"rows: {found['rows']}")


def names_complete():
    """What the code can print is what the schema allows, no more."""
    bpf = cli.ROOT / "bpf"
    losses = re.findall(r"^LOSS\((\w+)", (bpf / "losses.def").read_text(), re.M)
    calls = re.findall(r"^CALL\((\w+)", (bpf / "calls.def").read_text(), re.M)
    if set(SCHEMA.tree["properties"]["lost"]["properties"]) != {*losses, "recursion_misses"}:
        raise Failure(f"the losses are {losses}")
    if SCHEMA.tree["$defs"]["call"]["enum"] != calls:
        raise Failure(f"the calls are {calls}")


def strict():
    """A document with any one thing wrong is refused."""
    with cli.target() as target:
        good = document("-d", 0.2, "-p", target.pid)

    def spoilt(change):
        bad = copy.deepcopy(good)
        change(bad)
        return SCHEMA.errors_of(bad)

    row = {r["call"]: i for i, r in enumerate(good["rows"])}
    changes = {
        "a field more": lambda d: d.update(more=1),
        "a field of a row more": lambda d: d["rows"][0].update(more=1),
        "a loss more": lambda d: d["lost"].update(more=0),
        "a row without calls": lambda d: d["rows"][0].pop("calls"),
        "a negative time": lambda d: d["rows"][0].update(wall_ns=-1),
        "a fraction of a ns": lambda d: d["rows"][0].update(wall_ns=1.5),
        "a wait call without scanned": lambda d: d["rows"][row["poll"]].pop("scanned"),
        "a read with ready": lambda d: d["rows"][row["read"]].update(ready=1),
        "an unknown call": lambda d: d["rows"][0].update(call="open"),
        "an unknown tier": lambda d: d["rows"][0]["tiers"].update(copy="guessed"),
        "a copy time of an output call": lambda d: d["rows"][row["sendto"]].update(copy_ns=0),
        "another version": lambda d: d.update(schema_version=2),
    }
    missed = [what for what, change in changes.items() if not spoilt(change)]
    missed += [f"without {key}" for key in good if not spoilt(lambda d: d.pop(key))]
    if missed:
        raise Failure(f"accepted: {missed}")


TESTS = [
    ("the schema is sound, strict and described", SCHEMA.sound),
    ("it names all calls and losses", names_complete),
    ("it refuses what is wrong", strict),
    *((f"rows by {by}", lambda by=by: rows_by(by))
      for by in ("process,call", "process,thread,call", "thread", "thread,call", "process",
                 "call")),
    ("intervals, -j", lambda: intervals("-j")),
    ("intervals, --format ndjson", lambda: intervals("--format", "ndjson")),
    ("one report as NDJSON", ndjson_once),
    ("a command", command),
    ("many processes ended", many_ended),
    ("an empty result", empty),
    ("a call in flight", in_flight),
    ("filters, order and top", filtered),
    ("the whole machine", machine),
    *((f"name {name!r}", lambda name=name: hostile(name)) for name in HOSTILE),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
