#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds iophase against tools not written here, over the same calls of the same run.

strace runs under iophase and traces the program: both see every call. Its stops lie outside of
what iophase measures, so its wall times can only be longer. perf records the same switches.
"""

import argparse
import json
import pathlib
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True

import harness
from harness import Failure, Skip

WATCHED = re.findall(r"^CALL\((\w+)", (harness.ROOT / "bpf/calls.def").read_text(), re.M)
COUNTED = ["bytes", "threads 20 leave", "epoll level", "epoll shrink", "family fork",
           "scan poll 1000 1 20 now", "every 5"]
TIMED = ["wake pipe 10 10", "wake tcp 10 10", "wake poll 10 10", "wake epoll_wait 10 10"]
LONG_NS = 5e6
TRIES = 5


def own_rows(document, program, *more):
    """Sums by call, over the rows of the program itself, without strace's or perf's."""
    sums = {}
    for row in document["rows"]:
        if row["comm"] == program:
            total = sums.setdefault(row["call"], dict.fromkeys(("calls", "wall_ns", *more), 0))
            for name in total:
                total[name] += row[name] or 0
    return sums


def need(tool):
    if not shutil.which(tool):
        raise Skip(f"no {tool}")


def strace_summary(text):
    """{call: (calls, wall seconds)} of strace -c -w."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) in (5, 6) and words[-1] in WATCHED:
            found[words[-1]] = int(words[3]), float(words[1])
    return found


def compare_counts(args, words, tmp):
    need("strace")
    out = pathlib.Path(tmp, "strace")
    document, _ = harness.watch(args.iophase, [
        "strace", "-f", "-c", "-w", "-o", str(out), str(args.programs / words[0]), *words[1:]])
    ours, theirs = own_rows(document, words[0]), strace_summary(out.read_text())
    errors, notes = [], []
    for call in sorted(ours.keys() | theirs.keys()):
        calls, seconds = theirs.get(call, (0, 0))
        mine = ours.get(call, {"calls": 0, "wall_ns": 0})
        if mine["calls"] != calls:
            errors.append(f"{call}: strace -c {calls} calls, iophase {mine['calls']}")
        # strace prints whole microseconds.
        elif mine["wall_ns"] > seconds * 1e9 + 1000:
            errors.append(f"{call}: strace -w {seconds} s, iophase {mine['wall_ns']} ns")
        notes.append(f"{call}: {calls} calls, strace {seconds * 1e6:.0f} us, iophase "
                     f"{mine['wall_ns'] / 1e3:.0f} us")
    if errors or not theirs:
        raise Failure("\n".join(errors or ["strace saw no call"]))
    return notes


def compare_times(args, words, tmp):
    """Each call blocks for 10 ms: what strace -T adds to it is its own stops."""
    need("strace")
    out = pathlib.Path(tmp, "strace")
    document, text = harness.watch(args.iophase, [
        "strace", "-f", "-T", "-o", str(out), str(args.programs / words[0]), *words[1:]])
    call = json.loads(text.splitlines()[0])["call"]
    lo = sum(json.loads(line)["blocked_ns"][0] for line in text.splitlines()
             if '"tid"' in line.decode())
    theirs = sum(float(t) * 1e9 for t in re.findall(
        rf"(?: |\.\.\. ){call}(?:\(| resumed).*<(\d+\.\d+)>$", out.read_text(), re.M))
    mine = own_rows(document, words[0]).get(call, {"wall_ns": 0, "calls": 0})
    note = (f"{call}: {mine['calls']} calls, strace -T {theirs / 1e3:.0f} us, iophase "
            f"{mine['wall_ns'] / 1e3:.0f} us, blocked at least {lo / 1e3:.0f} us")
    # Held at its entry by strace, the call may find that what it waits for has come already.
    if not min(lo, 0.9 * theirs) <= mine["wall_ns"] <= theirs + 1000 * mine["calls"]:
        raise Failure(note)
    return [note]


def compare_schedstat(args, words):
    """The kernel's run-delay clock, read by the thread itself around each call."""
    notes = []
    for _ in range(TRIES):
        document, text = harness.watch(args.iophase, [str(args.programs / words[0]), *words[1:]])
        lo, hi, *point = json.loads(text.splitlines()[0])["runnable_ns"]
        mine = own_rows(document, words[0], "runnable_ns")["read"]["runnable_ns"]
        # Without a point, the reader was pre-empted, perhaps between its stamps and its calls.
        said = f"{point[0] / 1e3:.1f} us, " if point else ""
        hidden = harness.hidden_switches(document)
        notes.append(f"schedstat {said}open {lo / 1e3:.1f} .. {hi / 1e3:.1f} us, "
                     f"iophase {mine / 1e3:.1f} us" + f", {hidden} switches hidden" * bool(hidden))
        if lo <= mine <= hi:
            return notes
        if not hidden:
            break
    raise Failure("\n".join(notes))


def perf_sleeps(text):
    """{tid: (blocked, runnable, other)} in ns, from perf sched timehist: of the first long sleep
    of each thread, and what it was off its processor before (which may be inside the same call).

    Its wait time runs on until the thread is switched in, so it has the delay in it.
    """
    waits = {}
    line = re.compile(r"\[\d+\]\s+\S*\[(?P<tid>\d+)(?:/\d+)?\]\s+"
                      r"(?P<wait>\d+\.\d+)\s+(?P<delay>\d+\.\d+)\s+\d+\.\d+")
    for found in line.finditer(text):
        waits.setdefault(int(found["tid"]), []).append(
            (float(found["wait"]) * 1e6, float(found["delay"]) * 1e6))
    sleeps = {}
    for tid, all_of_it in waits.items():
        before = 0
        for wait, delay in all_of_it:
            if wait - delay > LONG_NS:
                sleeps[tid] = wait - delay, delay, before
                break
            before += wait
    return sleeps


def record_with_perf(args, argv, data):
    """iophase under perf sched record; the document is left where perf's child writes it."""
    out = data.parent / "out.json"
    status, _, err = harness.run_bounded([
        "perf", "sched", "record", "-o", str(data), "--", str(args.iophase), "-j", "-o", str(out),
        "--by", "process,thread,call", "--", *argv])
    if status:
        raise Skip(f"perf sched record: {(err.strip() or '?').splitlines()[-1]}")
    status, text, err = harness.run_bounded(["perf", "sched", "timehist", "-i", str(data)])
    if status or not text:
        raise Skip(f"perf sched timehist: {(err.strip() or '?').splitlines()[-1]}")
    if "LOST" in err:
        raise Skip("perf lost events")
    return harness.load_output(out, err), perf_sleeps(text.decode(errors="replace"))


def differences(row, sleep):
    """(difference in ns, whether it is too large) of a row's blocked and runnable to perf's."""
    *theirs, other = sleep
    for name, truth in zip(("blocked_ns", "runnable_ns"), theirs):
        error, allowed = row[name] - truth, max(truth / 100, 30000)
        yield error, not -allowed <= error <= allowed + other * (name == "runnable_ns")


def compare_perf(args, words, tmp):
    need("perf")
    data = pathlib.Path(tmp, "perf.data")
    document, sleeps = record_with_perf(args, [str(args.programs / words[0]), *words[1:]], data)
    # A switch that the kernel hides is hidden from perf too: each may spoil one thread of either.
    hidden = harness.hidden_switches(document)
    compared, worst, errors = 0, [0, 0], []
    for row in document["rows"]:
        # The program's readers have one call each, and sleep in nothing else for so long before.
        if row["calls"] != 1 or row["blocked_ns"] < LONG_NS or row["tid"] not in sleeps:
            continue
        (blocked, blocked_bad), (runnable, runnable_bad) = differences(row, sleeps[row["tid"]])
        if blocked_bad or runnable_bad:
            errors.append(f"tid {row['tid']}: blocked {blocked:+.0f} ns, runnable {runnable:+.0f} "
                          f"ns against perf, {hidden} switches hidden")
            continue
        compared += 1
        worst = [max(pair, key=abs) for pair in zip(worst, (blocked, runnable))]
    if len(errors) > hidden or not compared:
        raise Failure("\n".join(errors or ["no thread seen by both"]))
    return errors + [f"{compared} calls, worst difference: blocked {worst[0] / 1e3:.1f} us, "
                     f"runnable {worst[1] / 1e3:.1f} us"]


def in_temporary(test, *args):
    with tempfile.TemporaryDirectory(prefix="iophase-cross-") as tmp:
        return test(*args, tmp)


TABLE = """
## Against other tools

The same calls of the same run, seen by iophase and by tools not written here. What differs, and why:
strace stops the program at both ends of a call, outside of what iophase measures, so its times are
longer by some 10 to 100 us a call. schedstat begins to count when a thread is put on a run queue,
iophase at the wake-up; where schedstat is read around a call, what it leaves open is the way there
and back. perf sched records the same switches by its own clock reads, microseconds apart. Calls,
where they are compared, are equal, or the test fails.

| compared | what they said |
|---|---|
"""


def write_table(path, said):
    """Behind the table of run.py: for each comparison its notes."""
    lines = [f"| {name} | {'; '.join(notes)} |" for name, notes in said.items()]
    with open(path, "a", encoding="utf-8") as out:
        out.write(TABLE + "\n".join(lines) + "\n")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iophase", type=pathlib.Path, default=harness.ROOT / "iophase")
    parser.add_argument("--programs", type=pathlib.Path,
                        default=harness.ROOT / ".output/tests/truth")
    parser.add_argument("--table", metavar="FILE", help="append what was compared to this table")
    return parser.parse_args()


def main():
    args, tap = parse_args(), harness.Tap()
    tests = [(f"strace -c -w: {c}", in_temporary, compare_counts, args, c.split()) for c in COUNTED]
    tests += [(f"strace -T: {c}", in_temporary, compare_times, args, c.split()) for c in TIMED]
    tests += [(f"schedstat: {c}", compare_schedstat, args, c.split())
              for c in ("starved 10 busy", "starved 10 held")]
    tests += [(f"perf sched: {c}", in_temporary, compare_perf, args, c.split()) for c in TIMED]
    reason = harness.check_ready(args.iophase, args.programs)
    said = {}

    def compared():
        said[name] = test(*rest)
        return said[name]

    for name, test, *rest in tests:
        if reason:
            tap.skip(name, reason)
        else:
            tap.run(name, compared)
    if args.table:
        write_table(args.table, said)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
