# SPDX-License-Identifier: GPL-2.0-only
"""The accuracy table of the matrix: what tests/truth/run.py --figures left, a column for a guest."""

import json
import pathlib

HEAD = """# Accuracy on stock kernels

Debian's kernels, emulated by qemu without any help of the processor, two emulated CPUs; made by
`make accuracy-kernels`. Emulation is slow, and stops all of the guest now and then, so times are off
by more than on a real machine (see accuracy.md): what these columns show is that each kernel and
backend tells the same. A case that is not true is a failure of `make test-kernels`, and not here.

## Times: the worst error of one row, in microseconds

0 against a truth that the program can only bound means: within the bounds.

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
    yield row(["", *columns])
    yield "|---|" + "--:|" * len(columns)
    exact = [[f for f in figures.values() if not is_time(f)] for figures in columns.values()]
    yield row(["counts held against the truth", *(str(len(found)) for found in exact)])
    yield row(["of them wrong", *(str(sum(f["measured"] != f["truth"] for f in found))
                                  for found in exact)])


def write(path, columns):
    """columns: {label of a guest: its figures}, in the order of the table."""
    lines = [*times(columns), "", "## Counts", "", *counts(columns)]
    pathlib.Path(path).write_text(HEAD + "\n".join(lines) + "\n")
