# SPDX-License-Identifier: GPL-2.0-only
"""One run of iophase on running processes, and the report it wrote."""

import collections
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

IOPHASE = pathlib.Path(os.environ.get("IOPHASE")
                       or pathlib.Path(__file__).resolve().parents[2] / "iophase")
READY = b"iophase: watching"
PATIENCE_S = 15

WAIT, INPUT, OUTPUT = "wait", "input", "output"


class Failed(Exception):
    """iophase itself did not run as it should."""


class Watch:
    """Watches `pids` from the start of the block to its end; then `report` is there."""

    def __init__(self, *pids, by="process,thread,call"):
        self.pids = pids
        self.by = by
        self.report = None
        self.notes = b""

    def __enter__(self):
        self.home = tempfile.TemporaryDirectory(prefix="iophase-report-")
        self.output = os.path.join(self.home.name, "report.json")
        targets = ",".join(str(pid) for pid in self.pids)
        self.process = subprocess.Popen([IOPHASE, "-j", "-o", self.output, "-p", targets,
                                         "--by", self.by],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            self._await_ready()
        except BaseException:
            self._end()
            self.home.cleanup()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            self._end()
            if kind is None:
                self._load()
        finally:
            self.home.cleanup()

    def _await_ready(self):
        deadline = time.monotonic() + PATIENCE_S
        stderr = self.process.stderr.fileno()
        while READY not in self.notes:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([stderr], [], [], left)[0]:
                raise Failed(f"not attached after {PATIENCE_S} s: {self._said()}")
            part = os.read(stderr, 65536)
            if not part:
                raise Failed(f"ended before it was attached: {self._said()}")
            self.notes += part

    def _end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.notes += self.process.communicate(timeout=PATIENCE_S)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise Failed(f"no end {PATIENCE_S} s after SIGINT")

    def _load(self):
        if self.process.returncode:
            raise Failed(f"exit status {self.process.returncode}: {self._said()}")
        with open(self.output, encoding="utf-8") as file:
            self.report = Report(json.load(file))

    def _said(self):
        return self.notes.decode(errors="replace").strip()[-300:]


class Report:
    def __init__(self, document):
        self.document = document
        self.rows = document["rows"]

    def select(self, what):
        """The rows of a call, by its name, or of a class of calls."""
        return [row for row in self.rows if what in (row["call"], row["class"])]

    def sum(self, what, figure):
        return sum(row.get(figure) or 0 for row in self.select(what))

    def results(self, what):
        totals = collections.Counter()
        for row in self.select(what):
            for kind, count in row["results"].items():
                if kind != "errors":
                    totals[kind] += count
        return totals

    def calls(self):
        return sorted({row["call"] for row in self.rows})

    def by_thread(self, figure):
        totals = collections.Counter()
        for row in self.rows:
            totals[row["tid"]] += row[figure]
        return totals


def results_total(row):
    results = dict(row["results"])
    return sum(results.pop("errors", {}).values()) + sum(results.values())
