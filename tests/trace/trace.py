# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of `iophase trace` share: running it, and reading the lines it writes."""

import argparse
import collections
import fnmatch
import json
import os
import pathlib
import re
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "truth"))

import harness
from harness import Failure

PROGRAMS = harness.ROOT / ".output/tests/trace"

Trace = collections.namedtuple("Trace", "begin calls lost end lines")


def arguments(about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--iophase", type=pathlib.Path, default=harness.ROOT / "iophase")
    parser.add_argument("--only", metavar="PATTERN", default="*")
    parser.add_argument("--backend", help="the backend iophase is to use")
    args = parser.parse_args()
    args.options = ["--backend", args.backend] if args.backend else []
    return args


def run_all(args, tests):
    """Runs those (name, test) of `tests` that are asked for, in TAP; each is called with `args`."""
    tap = harness.Tap()
    for name, test in tests:
        if not fnmatch.fnmatch(name, f"*{args.only}*"):
            continue
        if os.geteuid():
            tap.skip(name, "needs root")
        else:
            tap.run(name, lambda test=test: test(args) or ())
    return tap.end()


def call_kinds():
    """What calls.def says of each call: (class, what a result >= 0 means)."""
    row = re.compile(r"^CALL\((\w+), *(\w+), *(\w+), *(\w+),", re.M)
    text = (harness.ROOT / "bpf/calls.def").read_text()
    return {name: (kind, ret) for name, kind, _, ret in row.findall(text)}


def parse(text):
    """The lines of a trace, told apart; `lost` are those that say that calls were lost there."""
    lines = [json.loads(line) for line in text.splitlines()]
    kinds = collections.defaultdict(list)
    for line in lines:
        kinds[line["type"]].append(line)
    if [line["type"] for line in (lines[0], lines[-1])] != ["begin", "end"]:
        raise Failure("the first line is to be the begin, and the last the end")
    if set(kinds) - {"begin", "call", "lost", "end"} or len(kinds["begin"]) != 1:
        raise Failure(f"lines of kinds {sorted(kinds)}")
    return Trace(kinds["begin"][0], kinds["call"], kinds["lost"], kinds["end"][0], lines)


def watch(iophase, argv, options=(), **how):
    """Runs argv under `iophase trace`. Returns (Trace, stdout of argv)."""
    with tempfile.TemporaryDirectory(prefix="iophase-trace-") as tmp:
        out = pathlib.Path(tmp, "out.ndjson")
        status, stdout, err = harness.run_bounded(
            [str(iophase), "trace", "-j", "-o", str(out), *map(str, options), "--",
             *map(str, argv)], **how)
        if status == harness.SKIP_STATUS:
            raise harness.Skip((err.strip() or "?").splitlines()[-1])
        if status:
            raise Failure(f"exit status {status} of {' '.join(map(str, argv))}\n{err}")
        return parse(out.read_text(encoding="utf-8")), stdout


def errors(trace):
    """What must hold for every trace."""
    for call in trace.calls:
        phases = [call[key] for key in ("blocked_ns", "runnable_ns", "kernel_ns", "copy_ns")]
        wall = call["end_ns"] - call["begin_ns"]
        if call.get("began_before"):
            continue
        if min(part or 0 for part in phases) < 0 or sum(part or 0 for part in phases) != wall or \
           wall != call["wall_ns"]:
            yield f"phases {phases} do not make {wall}: {call}"
    ends = [call["end_ns"] for call in trace.calls]
    late = sum(after < before for before, after in zip(ends, ends[1:]))
    if late > trace.end["calls_late"]:
        yield f"{late} calls out of order, {trace.end['calls_late']} told"
    if len(trace.calls) != trace.end["calls"]:
        yield f"{len(trace.calls)} calls, {trace.end['calls']} told"
    lost = sum(line["calls"] for line in trace.lost)
    if lost != trace.end["calls_lost"]:
        yield f"{lost} calls lost in place, {trace.end['calls_lost']} in all"
