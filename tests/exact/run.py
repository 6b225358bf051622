#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Both backends against each other and against an independent count, where there are trampolines.

polls counts the entries of the poll functions and times the copies of socket buffers by itself,
while iophase watches the same processes: first with the trampoline backend, of which both must
be equal, then with the tracepoint one, which may see less but never more. Then many threads are
pre-empted inside the hooks: what is dropped must be said.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "truth"))

import batch
import harness
from harness import Failure, Skip

RUN_TIMEOUT_S = 150
TRIES = 5

# What it does is the same in each run, but for FREE scenes: there it depends on the moment.
Case = collections.namedtuple("Case", "name command")

SETS = ("poll", "ppoll", "select", "pselect6")
CASES = [
    *(Case(f"{call}, 1 of 100 ready", f"truth/scan {call} 100 1 5 now") for call in SETS),
    *(Case(f"{call}, {when}", f"truth/scan {call} 20 0 3 {when}")
      for call in ("poll", "select") for when in ("timeout", "late", "eintr", "spurious3")),
    *(Case(f"{call}, stopped and continued", f"exact/scenes restart {call}") for call in SETS),
    *(Case(f"{call}, regular files", f"exact/scenes files {call}") for call in SETS),
    *(Case(f"{call}, an epoll set within", f"exact/scenes nested {call}")
      for call in ("poll", "select", "epoll_wait")),
    *(Case(f"epoll, {mode}, room for some", f"exact/scenes epoll {mode}")
      for mode in ("level", "edge", "oneshot", "mixed")),
    *(Case(f"epoll, {scene}", f"truth/epoll {scene}")
      for scene in ("maxevents", "maxevents-edge", "stale", "timeout", "late", "woken-in-vain",
                    "interrupted")),
    *(Case(f"{call}, two writers", f"exact/scenes writers {call}")
      for call in ("poll", "select", "epoll_wait")),
    *(Case(f"epoll, a set that threads share, {n} at a time", f"exact/scenes shared {n}")
      for n in (1, 8)),
    Case("epoll_ctl by io_uring", "exact/uring"),
]
FREE = ("writers", "shared")
COPIES = [
    *(Case(f"copy, {kind}, {size >> 10} KiB", f"truth/copy {kind} {size}")
      for kind in ("tcp", "unix", "pipe", "file")
      for size in (64 << 10, 1 << 20, 8 << 20)),
    Case("copy, tmpfs, 1024 KiB", f"truth/copy tmpfs {1 << 20}"),
    Case("copy, eventfd, 64 KiB", f"truth/copy eventfd {64 << 10}"),
]
STRESS = "exact/stress"
STRESSED = ("write", "read", "poll", "epoll_wait")
THREADS, ROUNDS = 4, 1000

CALL_NAMES = {7: "poll", 271: "ppoll", 23: "select", 270: "pselect6", 232: "epoll_wait",
              281: "epoll_pwait", 441: "epoll_pwait2"}

EMULATED = "QEMU TCG" in harness.machine()

# The clocks of iophase and of polls stand around each other's programs, and what runs for the first
# time in an emulator is translated first.
COPY_ALLOWED = 0.05
COPY_ALLOWED_NS = 300_000


@contextlib.contextmanager
def counting(programs, path):
    """polls counts in the meantime, and then writes to path."""
    polls = subprocess.Popen([str(programs / "exact/polls"), str(path)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        ready = select.select([polls.stdout], [], [], 60)[0]
        if not ready or polls.stdout.readline() != b"polls: watching\n":
            polls.kill()
            raise Failure(f"polls: {polls.communicate()[1].decode(errors='replace')}")
        yield
        if polls.communicate(timeout=30)[1] or polls.returncode:
            raise Failure("polls could not write its counts")
    finally:
        polls.kill()
        polls.wait()


class Run:
    """What came of one run: of each case what it said, what was counted and what was measured."""

    def __init__(self, args, backend, cases):
        with tempfile.TemporaryDirectory(prefix="iophase-exact-") as tmp:
            plan, results, counts, out = (pathlib.Path(tmp, name)
                                          for name in ("plan", "results", "counts", "out.json"))
            plan.write_text(json.dumps([self.argv(args, case) for case in cases]))
            with counting(args.programs, counts), batch.zombies_kept():
                status, _, err = harness.run_bounded(
                    [str(args.iophase), "-j", "-o", str(out), "--backend", backend, "-e",
                     "wait,input,epoll_ctl", "--", sys.executable, str(batch.DRIVER), str(plan),
                     str(results)], RUN_TIMEOUT_S)
            if status:
                raise Failure(f"exit status {status}\n{err}")
            self.document = harness.load_output(out, err)
            self.counts = json.loads(counts.read_text())
            self.said = dict(zip(cases, json.loads(results.read_text())))
        self.backend = backend
        self.dropped = self.counts["missed"] + self.document["cost"]["recursion_misses"]

    @staticmethod
    def argv(args, case):
        program, *words = case.command.split()
        return [str(args.programs / program), *words]

    def truth(self, case):
        """(rows by call, what is said of kinds) that the program printed."""
        said = self.said[case]
        if said["status"] == harness.SKIP_STATUS:
            raise Skip(said["stderr"].strip() or "?")
        if said["status"]:
            raise Failure(f"exit status {said['status']}\n{said['stderr']}")
        lines = [json.loads(line) for line in said["stdout"].splitlines()]
        kinds = [line for line in lines if "kinds" in line]
        return {line["call"]: line for line in lines if "call" in line}, kinds and kinds[0]

    def row(self, case, call):
        """The row of its process; None if there is none."""
        rows = [row for row in self.document["rows"]
                if row["tgid"] == self.said[case]["tgid"] and row["call"] == call]
        if len(rows) != 1:
            raise Failure(f"{self.backend}: {len(rows)} rows of {call}")
        return rows[0]

    def polled(self, case, call, kinds):
        """Scans of the call's own set, as counted by polls."""
        found = collections.Counter()
        for count in self.counts["counts"]:
            if (count["tgid"] == self.said[case]["tgid"] and
                    CALL_NAMES[count["nr"]] == call):
                found[count["kind"]] += count["count"]
        if not kinds:
            return sum(found.values())
        return sum(found[kind] for kind in kinds["kinds"]) + kinds["files"] * found["pipe"]

    def copied(self, case):
        """(copies, ns) of socket buffers, as timed by polls."""
        for copy in self.counts["copies"]:
            if copy["tgid"] == self.said[case]["tgid"]:
                return copy["calls"], copy["ns"]
        return 0, 0


def wait_calls(rows):
    return [call for call in rows if call in CALL_NAMES.values()]


def same(what, truth, measured):
    if truth != measured:
        raise Failure(f"{what}: {truth} expected, {measured} measured")


def own_figures(run, case, rows, names):
    """What the program knows exactly."""
    for call, truth in rows.items():
        row = run.row(case, call)
        for name in names:
            if isinstance(truth.get(name), int):
                same(f"{run.backend}: {call} {name}", truth[name], row[name])


def equal_case(run, case):
    """With trampolines: what is scanned is what polls counted."""
    rows, kinds = run.truth(case)
    own_figures(run, case, rows, ("calls", "ready", "scanned", "passes", "asked"))
    notes = []
    for call in wait_calls(rows):
        row = run.row(case, call)
        if not case.command.endswith("uring"):
            same(f"{call} scanned", run.polled(case, call, kinds), row["scanned"])
        same(f"{call} tiers", ["exact"] * 2, [row["tiers"][name] for name in ("scanned", "asked")])
        notes.append(f"{call}: {row['calls']} calls, {row['scanned']} scanned")
    return notes


def bound_case(run, exact, case):
    """With tracepoints: never more, less only where there are writers, and else all as before."""
    rows, kinds = run.truth(case)
    own_figures(run, case, rows, ("calls", "ready"))
    notes = []
    for call in wait_calls(rows):
        row = run.row(case, call)
        counted, scanned = run.polled(case, call, kinds), row["scanned"]
        same(f"{call} tier of scanned", "lower_bound", row["tiers"]["scanned"])
        if "uring" in case.command:
            same(f"{call} tier of asked", "bound", row["tiers"]["asked"])
        elif any(scene in case.command for scene in FREE):
            if not counted * 0.5 <= scanned <= counted:
                raise Failure(f"{call}: {scanned} scanned, {counted} counted")
            notes.append(f"{call}: {scanned} scanned of {counted}, "
                         f"{100 * (counted - scanned) / counted:.1f} % under")
        else:
            same(f"{call} scanned", counted, scanned)
            for name in ("calls", "ready", "asked", "scanned", "set_copy_bytes"):
                same(f"{call} {name} by both backends", exact.row(case, call)[name], row[name])
    return notes


def copy_case(run, case):
    """
    Time: not more than the program's own clock, and of sockets what polls timed; where the read
    functions are hooked, less than the whole call. Bytes: all.
    """
    sockets = "tcp" in case.command or "unix" in case.command
    rows, _ = run.truth(case)
    (call, truth), = rows.items()
    row = run.row(case, call)
    same(f"{run.backend}: bytes", truth["bytes"], row["bytes"])
    same(f"{run.backend}: tier", "exact" if sockets else "upper_bound", row["tiers"]["copy"])
    copy_ns, limit, (copies, ns) = row["copy_ns"], truth["copy_ns"][1], run.copied(case)
    note = (f"{run.backend}: copy {copy_ns / 1e3:.0f} us, clock of the program "
            f"{limit / 1e3:.0f} us" + (f", polls {ns / 1e3:.0f} us in {copies}" if copies else ""))
    if not 0 < copy_ns <= limit:
        raise Failure(f"more than the program's own clock says\n{note}")
    if run.backend == "trampoline" and copy_ns >= row["wall_ns"]:
        raise Failure(f"all of the call, so that it was not seen in its read function\n{note}")
    allowed = ns * COPY_ALLOWED + COPY_ALLOWED_NS
    if sockets and abs(copy_ns - ns) > allowed:
        raise Failure(f"allowed are {allowed / 1e3:.0f} us\n{note}")
    return [note]


def losses(document):
    return {name: count for name, count in document["lost"].items()
            if count and name not in harness.HIDDEN}


def dropped_only(run):
    """Nothing is lost but what the kernel dropped of a trampoline, and that is said."""
    lost = losses(run.document)
    if run.backend == "tracepoint" or not run.dropped:
        same("lost", {}, lost)
    same("other losses", {}, {name: n for name, n in lost.items()
                              if name not in (*harness.DROPPED, "recursion_misses")})
    if not named(lost) <= lost.get("recursion_misses", 0):
        raise Failure(f"more lost than dropped: {lost}")
    return [f"{run.dropped} events dropped by the kernel, lost {lost}"]


def named(lost):
    """Calls that are known to be lost, one by one."""
    return lost.get("enter_missed", 0) + lost.get("exit_missed", 0)


def stressed(args, options):
    """(missing calls, losses, recursion misses) of the stress under iophase."""
    argv = [str(args.programs / STRESS), str(THREADS), str(ROUNDS)]
    document, text = harness.watch(args.iophase, argv, ["-e", ",".join(STRESSED), *options],
                                   timeout_s=RUN_TIMEOUT_S)
    rows = {row["call"]: row["calls"] for row in document["rows"]}
    truth = {line["call"]: line["calls"] for line in map(json.loads, text.splitlines())
             if "call" in line}
    missing = {call: truth[call] - rows.get(call, 0) for call in STRESSED}
    return sum(truth.values()), missing, losses(document), document["cost"]["recursion_misses"]


def stress_auto(args):
    """What is chosen by itself loses nothing on any kernel."""
    calls, missing, lost, dropped = stressed(args, [])
    same("missing", {}, {call: n for call, n in missing.items() if n})
    same("lost", {}, lost)
    return [f"{calls} calls, {dropped} events dropped"]


def stress_trampoline(args):
    """
    What trampolines lose is said: a call of which one end was dropped is in the losses; of one
    that lost both, or of two of a kind that became one, only the kernel's own count tells.
    """
    calls, missing, lost, dropped = stressed(args, ["--backend", "trampoline"])
    notes = [f"{calls} calls, {sum(missing.values())} missing, lost {lost}, {dropped} dropped"]
    if min(missing.values()) < 0 or not named(lost) <= sum(missing.values()) <= dropped:
        raise Failure("\n".join(["not explained", *notes, str(missing)]))
    return notes


def fails(judge, run, case):
    try:
        judge(run, case)
    except Failure:
        return True
    except Skip:
        pass
    return False


def settled(args, run, cases, judge):
    """
    The run of each case: what fails is run again, together, if the kernel dropped events, or if it
    is a time in an emulator, where a processor stands still while another one runs.
    """
    runs = dict.fromkeys(cases, run)
    for _ in range(TRIES - 1):
        failing = [case for case in cases if fails(judge, runs[case], case) and
                   (runs[case].dropped or (EMULATED and case in COPIES))]
        if failing:
            runs.update(dict.fromkeys(failing, Run(args, run.backend, failing)))
    return runs


def compare(args, tap):
    exact = Run(args, "trampoline", CASES + COPIES)
    bound = Run(args, "tracepoint", CASES + COPIES)
    for run in (exact, bound):
        tap.run(f"{run.backend}: lost", lambda: dropped_only(run))
    exacts = settled(args, exact, CASES, equal_case)

    def compared(run, case):
        return bound_case(run, exacts[case], case)

    bounds = settled(args, bound, CASES, compared)
    for case in CASES:
        tap.run(f"trampoline: {case.name}", lambda: equal_case(exacts[case], case))
        tap.run(f"tracepoint: {case.name}", lambda: compared(bounds[case], case))
    copies = [settled(args, run, COPIES, copy_case) for run in (exact, bound)]
    for case in COPIES:
        tap.run(case.name, lambda: [note for runs in copies
                                    for note in copy_case(runs[case], case)])


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iophase", type=pathlib.Path, default=harness.ROOT / "iophase")
    parser.add_argument("--programs", type=pathlib.Path, default=harness.ROOT / ".output/tests")
    parser.add_argument("--stress-only", action="store_true")
    return parser.parse_args()


def main():
    args, tap = parse_args(), harness.Tap()
    if not args.stress_only:
        try:
            compare(args, tap)
        except Failure as failure:
            tap.fail("runs of both backends", str(failure).splitlines())
    tap.run("stress, hooks chosen by themselves", lambda: stress_auto(args))
    tap.run("stress, trampolines", lambda: stress_trampoline(args))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
