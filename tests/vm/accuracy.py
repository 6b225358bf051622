# SPDX-License-Identifier: GPL-2.0-only
"""The accuracy table of the matrix: what tests/truth/run.py --figures left, a column for a guest."""

import json
import pathlib

HEAD = """# Accuracy on stock kernels

Debian's kernels, emulated by qemu without any help of the processor, two emulated CPUs; made by
`make accuracy-kernels`. Emulation is slow, and stops one processor while the other runs, so times
are off by more than on a real machine ([accuracy.md](accuracy.md)): what these columns show is that
each kernel and backend tells the same. A case that is not true fails `make test`, and is not here.

%s.

## Times: the worst error of one row, in microseconds

0 against a truth that the program can only bound means: within the bounds. "-": not told by this
backend, or calls were lost.
"""
COUNTS = """
## Counts

From 6.18 on the programs of trampolines are pre-empted by others and then dropped, which is counted
(`lost.recursion_misses`); there may be no more missing than that. What iophase chooses by itself
loses nothing, there or elsewhere.
"""


def parse(data):
    """Figures of one guest by (case, call, name)."""
    return {(f["case"], f["call"], f["name"]): f for f in json.loads(data)}


def is_time(figure):
    return figure["name"].endswith("_ns") and figure["worst"] is not None


def row(cells):
    return "| " + " | ".join(cells) + " |"


def times(columns):
    keys = dict.fromkeys(key for figures in columns.values()
                         for key, figure in figures.items() if is_time(figure))
    yield row(["case", "call", "figure", *columns])
    yield "|---|---|---|" + "--:|" * len(columns)
    for key in keys:
        found = [figures.get(key) for figures in columns.values()]
        yield row([key[0], key[1], key[2][:-3], *(
            f"{f['worst'] / 1000:.1f}" if f and is_time(f) else "-" for f in found)])


def counts(columns):
    # Of wakers there may be more than one to a call.
    held = [[f for f in figures.values() if not is_time(f) and f["name"] != "wakers"]
            for figures in columns.values()]
    less = [[f for f in found if f["measured"] != f["truth"]] for found in held]
    calls = [sum(f["truth"] - f["measured"] for f in found if f["name"] == "calls")
             for found in less]
    yield row(["", *columns])
    yield "|---|" + "--:|" * len(columns)
    yield row(["counts held against the truth", *(str(len(found)) for found in held)])
    yield row(["of them less than it", *(str(len(found)) for found in less)])
    yield row(["calls missing", *map(str, calls)])


def write(path, columns, versions):
    """columns: {label of a guest: its figures}, in the order of the table; versions: of kernels."""
    lines = [HEAD % ", ".join(versions), *times(columns), COUNTS, *counts(columns)]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")
