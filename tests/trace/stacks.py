#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Stacks that are weighted by time (stat -S, -f), of a program that knows where it spent it; in TAP."""

import collections
import json
import re
import sys

sys.dont_write_bytecode = True

import trace
from trace import Failure, PROGRAMS, harness

PLACES = [PROGRAMS / "places", "2"]
LEAST_NS = {"blocked": 15e6, "runnable": 1.5e6, "kernel": 1.5e6, "copy": 1.5e6}


def stat(args, *options, argv=PLACES):
    """(status, stdout of the program, what iophase said) of a run; it prints to stderr."""
    return harness.run_bounded([str(word) for word in (
        args.iophase, "stat", "-q", *options, *args.options, "--", *argv)])


def folded(text):
    """{(callers, phase): ns} of folded stacks."""
    found = collections.Counter()
    for line in text.splitlines():
        if line.startswith("LOST: "):
            continue    # what the kernel keeps to itself has no part in this
        match = re.fullmatch(r"(.+);\[(blocked|runnable|kernel|copy)\] (\d+)", line)
        if not match:
            raise Failure(f"no folded stack: {line}")
        found[match[1], match[2]] += int(match[3])
    return found


def in_function(found, name, phase):
    return sum(ns for (callers, of), ns in found.items()
               if of == phase and name in callers.split(";"))


def near(what, truth, measured, slack):
    if abs(measured - truth) > slack * truth:
        raise Failure(f"{what}: {truth / 1e6:.1f} ms by its own clock, {measured / 1e6:.1f} ms shown")
    return f"{what}: {truth / 1e6:.1f} ms by its own clock, {measured / 1e6:.1f} ms shown"


def by_function(args):
    """Where it waited and scanned, and all of it, by the caller of the wrapper."""
    status, out, err = stat(args, "-f")
    truth = json.loads(out)
    found = folded(err)
    if status or any(not callers.startswith(("a:b c;", "[not attributed]"))
                     for callers, _ in found):
        raise Failure(f"status {status}, {err[-500:]}")
    spent = {name: sum(in_function(found, name, phase) for phase in LEAST_NS) for name in truth}
    # Some 150 and 50 samples: so far from the truth chance does not bring them.
    notes = [near("left", truth["left"], spent["left"], 0.25),
             near("right", truth["right"], spent["right"], 0.5)]
    # What the hooks do before a call of so many entries begins is time by the program's clock alone.
    if not 0.15 * truth["scan"] <= spent["scan"] <= 1.2 * truth["scan"]:
        raise Failure(f"scan: {truth['scan']} ns by its own clock, {spent['scan']} shown")
    for callers, _ in found:
        if callers.startswith("a:b c;") and not re.search(r"main;(left|right|scan);.*poll\(2\)$|"
                                                         r";write\(2\)$", callers):
            raise Failure(f"the caller of the wrapper is missing: {callers}")
    return notes


def seconds_of(text):
    number, unit = re.fullmatch(r"([\d.]+)(s|ms|us|ns)?", text).groups()
    return float(number) * {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit or "s"]


def sums(args):
    """All stacks and the rest are all of the time: what the table of the same run says."""
    status, _, err = stat(args, "-S", "-N", "1000")
    lines = err.splitlines()
    rows = [line.split() for line in lines if re.match(r"\S.* poll +\d", line)]
    table = seconds_of(rows[0][-4]) if rows else 0
    weights = [line for line in lines if re.search(r"  (\w+ of .*/\d+|not attributed)$", line)]
    total = sum(seconds_of(line.split()[0]) for line in weights)
    if status or not table or abs(total - table) > 0.01 * table:
        raise Failure(f"blocked {table} s in the table, {total} s in the stacks\n{err[-1500:]}")
    return [f"blocked {table} s in the table, {total:.3f} s in the stacks"]


def rest(args):
    """What no stack stands for is less than two samples are worth."""
    found = folded(stat(args, "-f")[2])
    for phase, least in LEAST_NS.items():
        left = found["[not attributed]", phase]
        if left > 2 * least:
            raise Failure(f"{left} ns of {phase} are not attributed")


def one_phase(args):
    status, _, err = stat(args, "-f", "-Skernel")
    phases = {phase for _, phase in folded(err)}
    if status or phases != {"kernel"}:
        raise Failure(f"status {status}, {phases}")


def refused(args, options, said):
    status, out, err = harness.run_bounded([str(args.iophase), *options])
    if status != 2 or said not in err or out:
        raise Failure(f"status {status}: {err}")


TESTS = [
    ("where it waits and scans", by_function),
    ("stacks add up to the table", sums),
    ("what is not attributed", rest),
    ("one phase", one_phase),
    ("refused: an interval", lambda args: refused(args, ["-S", "1"], "no intervals")),
    ("refused: no phase", lambda args: refused(args, ["-Sfoo"], "not: 'foo'")),
    ("refused: JSON", lambda args: refused(args, ["-S", "-j"], "exclude")),
    ("refused: by descriptor", lambda args: refused(args, ["-f", "--by", "fd"], "exclude")),
]


if __name__ == "__main__":
    sys.exit(trace.run_all(trace.arguments(__doc__), TESTS))
