# SPDX-License-Identifier: GPL-2.0-only
"""Many cases in one run of iophase, for kernels where its start takes seconds."""

import contextlib
import ctypes
import json
import os
import pathlib
import sys
import tempfile

import harness
from harness import Failure, Skip

DRIVER = pathlib.Path(__file__).with_name("driver.py")
CASE_S = 5  # on average; one alone may take harness.TIMEOUT_S
PR_SET_CHILD_SUBREAPER = 36


class Part:
    """What one case said, and the rows of its processes."""

    def __init__(self, said, document):
        self.said = said
        self.stolen = said["stolen"]
        self.document = document

    def text(self):
        """What the program printed. Raises as if it had run alone."""
        status, err = self.said["status"], self.said["stderr"]
        if status == harness.SKIP_STATUS:
            raise Skip((err.strip() or "?").splitlines()[-1])
        if status is None:
            raise Failure(f"not over after {harness.TIMEOUT_S} s")
        if status:
            raise Failure(f"exit status {status}\n{err}")
        return self.said["stdout"].encode()

    def lost(self):
        """The losses that the program says it causes."""
        lines = self.said["stdout"].splitlines() if self.said["status"] == 0 else []
        for item in map(json.loads, lines):
            if "lost" in item:
                return item["lost"]
        return {}


@contextlib.contextmanager
def zombies_kept():
    """The processes that the driver leaves behind keep their ids until iophase is over."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    yield
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def watch(iophase, argvs, options):
    """Runs all under one iophase. Returns (document, what each said)."""
    with zombies_kept(), tempfile.TemporaryDirectory(prefix="iophase-truth-") as tmp:
        plan, results, out = (pathlib.Path(tmp, name) for name in ("plan", "results", "out.json"))
        plan.write_text(json.dumps(argvs))
        status, _, err = harness.run_bounded(
            [str(iophase), "-j", "-o", str(out), *options, "--", sys.executable, str(DRIVER),
             str(plan), str(results)], harness.TIMEOUT_S + CASE_S * len(argvs))
        if status:
            raise Failure(f"exit status {status}\n{err}")
        document = harness.load_output(out, err)
        if any(not row["tgid"] for row in document["rows"]):
            raise Failure("some rows were merged: too many cases in one run")
        return document, json.loads(results.read_text())


def split(document, said):
    """
    A Part for each case. Process ids are given in order, so those of a case lie from its own
    first to the first of the next; they may start again in between.
    """
    firsts = [one["tgid"] for one in said]
    for one, first, end in zip(said, firsts, [*firsts[1:], None]):
        def mine(row):
            if end is None or first < end:
                return first <= row["tgid"] and (end is None or row["tgid"] < end)
            return first <= row["tgid"] or row["tgid"] < end
        yield Part(one, {**document, "rows": [r for r in document["rows"] if mine(r)],
                         "in_flight": [c for c in document["in_flight"] if mine(c)],
                         "lost": {name: count for name, count in document["lost"].items()
                                  if name in harness.HIDDEN}})
