#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Says in words what a report of the demo shows: reading.py SERVER REPORT.json"""

import json
import sys
import textwrap

sys.dont_write_bytecode = True
import watch  # noqa: E402
from watch import WAIT  # noqa: E402


def seconds(ns):
    return f"{ns / 1e9:.2f} s"


def share(part, whole):
    return f"{100 * part / whole:.0f} %" if whole else "none"


def per(part, count):
    return part / count if count else 0


def waiting(report):
    blocked, runnable, kernel, wall = (
        report.sum(WAIT, figure)
        for figure in ("blocked_ns", "runnable_ns", "kernel_ns", "wall_ns"))
    return (f"{main_call(report, WAIT)}: of its WALL time {share(blocked, wall)} is BLOCKED: nobody"
            f" said anything. {share(runnable, wall)} is RUNNABLE: somebody had, but the loop"
            f" waited for a CPU. {share(kernel, wall)} is KERNEL: the call's own work.")


def scanning(report):
    call = main_call(report, WAIT)
    calls, asked, scanned, ready, passes = (
        report.sum(call, figure) for figure in ("calls", "asked", "scanned", "ready", "passes"))
    text = (f"{call}: ASKED about {per(asked, calls):.0f} descriptors, it looked at"
            f" {per(scanned, ready):.1f} for each one that was READY (RATIO)")
    if call.startswith("epoll"):
        return (f"{text}. epoll looks at those that were signalled and, level-triggered, once more"
                f" at those it reported the last time; the rest of the set costs nothing.")
    return (f"{text}. It walks the whole set {per(passes, calls):.1f} times a call (PASSES), again"
            f" after each sleep, and so gets dearer with every client, speaking or not.")


def budget(report):
    blocked, runnable, kernel, copy, wall = (
        sum(row.get(figure) or 0 for row in report.rows)
        for figure in ("blocked_ns", "runnable_ns", "kernel_ns", "copy_ns", "wall_ns"))
    return (f"Of {seconds(wall)} in all its calls the server was {share(blocked, wall)} BLOCKED"
            f" (nothing to do), {share(runnable, wall)} RUNNABLE (work, but no CPU), and"
            f" {share(kernel + copy, wall)} KERNEL and COPY (the kernel at work for it).")


def costliest(report):
    rows = [row for row in report.rows if row["class"] != WAIT]
    row = max(rows, key=lambda row: row["kernel_ns"])
    spent = sum(row["kernel_ns"] for row in report.rows)
    return (f"{row['call']} has most of the KERNEL time: {share(row['kernel_ns'], spent)},"
            f" {per(row['kernel_ns'], row['calls']) / 1e3:.1f} us a call.")


def main_call(report, kind):
    return max(report.select(kind), key=lambda row: row["wall_ns"])["call"]


READINGS = {
    "echo": (waiting, scanning),
    "chat": (scanning, costliest),
    "redis": (budget, costliest),
    "nginx": (budget, costliest),
}


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        report = watch.Report(json.load(file))
    if not report.rows:
        sys.exit("reading.py: the report is empty")
    for reading in READINGS[sys.argv[1]]:
        print(textwrap.fill(reading(report), 80, initial_indent="-> ", subsequent_indent="   "))


if __name__ == "__main__":
    main()
