#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs programs that know what they did under iophase, and compares. See truth.h for the rows."""

import argparse
import collections
import fnmatch
import json
import pathlib
import sys

sys.dont_write_bytecode = True

import batch
import harness
from harness import Failure, Skip

TRIES = 5

Case = collections.namedtuple("Case", "name command how", defaults=[""])
Figure = collections.namedtuple("Figure", "case call name calls truth lo hi measured worst")

# how: "thread" = rows per thread; "attach" = started before iophase, and outlives the watch.
CASES = [
    *(Case(f"{kind}, {ms} ms", f"wake {kind} {ms} {calls}", "thread")
      for kind in ("pipe", "tcp", "udp", "unix", "eventfd", "timerfd", "fifo")
      for ms, calls in ((1, 10), (10, 5), (50, 3))),
    *(Case(f"{kind}, 10 ms", f"wake {kind} 10 5", "thread")
      for kind in ("tcp-read", "unix-dgram", "pipe-readv", "pipe-preadv2", "accept", "accept4",
                   "full-pipe", "full-unix", "poll", "ppoll", "select", "pselect6", "epoll_wait",
                   "epoll_pwait", "epoll_pwait2", "poll-timeout", "select-timeout",
                   "epoll-timeout")),
    *(Case(f"{kind}, 10 ms, per process", f"wake {kind} 10 20")
      for kind in ("pipe", "tcp", "epoll_wait")),

    *(Case(f"{call}, {ready} of {n} ready", f"scan {call} {n} {ready} 20 now")
      for call in ("poll", "select") for n in (1, 10, 500, 1000)
      for ready in sorted({0, 1, n})),
    *(Case(f"{call}, 1 of 10 ready", f"scan {call} 10 1 20 now") for call in ("ppoll", "pselect6")),
    *(Case(f"{call}, {n}, {when}", f"scan {call} {n} 0 3 {when}")
      for call in ("poll", "select") for n in (1, 1000)
      for when in ("timeout", "late", "eintr", "spurious3")),
    *(Case(f"{call}, 10, {when}", f"scan {call} 10 0 3 {when}")
      for call in ("ppoll", "pselect6") for when in ("timeout", "eintr")),
    *(Case(f"{call}, {ready} of 15000 ready", f"scan {call} 15000 {ready} 5 now")
      for call in ("poll", "select") for ready in (0, 1, 15000)),
    *(Case(f"{call}, 15000, {when}", f"scan {call} 15000 0 2 {when}")
      for call in ("poll", "select") for when in ("timeout", "late")),
    *(Case(f"select, sets {sets}", f"scan select 500 1 5 {when} {sets}")
      for when, sets in (("now", "rwx"), ("now", "split"), ("now", "over"))),
    Case("select, sets rwx, timeout", "scan select 500 0 3 timeout rwx"),
    Case("select, nfds beyond the table, 15000", "scan select 15000 1 3 now over"),
    Case("select, sets rwx, 15000", "scan select 15000 15000 3 now rwx"),
    Case("wait calls refused", "refused early"),
    Case("wait calls that cannot write their result", "refused late"),
    Case("poll, negative and closed entries", "refused odd"),

    *(Case(f"epoll, {scene}", f"epoll {scene}")
      for scene in ("level", "edge", "oneshot", "maxevents", "maxevents-edge", "stale", "nested",
                    "shrink", "reborn", "timeout", "failed", "late", "woken-in-vain",
                    "interrupted")),
    Case("epoll, 1 of 15000 ready", "epoll many 15000"),
    Case("epoll, 1000 of 1000 ready", "epoll all 1000"),
    Case("epoll, 15000 of 15000 ready", "epoll all 15000"),

    Case("bytes", "bytes"),
    Case("results", "results"),
    *(Case(f"copy, {kind}, {size >> 10} KiB", f"copy {kind} {size}")
      for kind in ("tcp", "unix", "pipe") for size in (64 << 10, 8 << 20)),
    Case("copy, tmpfs, 1024 KiB", f"copy tmpfs {1 << 20}"),
    Case("copy, unix, MSG_PEEK", f"copy peek {512 << 10}"),
    Case("file not in the page cache", "disk {tmp}"),
    Case("reader beside busy neighbours", "starved 10 busy"),
    Case("reader kept from its processor", "starved 10 held"),
    Case("200 threads, by thread", "threads 200 stay", "thread"),
    Case("200 threads, by process", "threads 200 stay"),
    Case("200 threads that end before, by process", "threads 200 leave"),
    Case("200 threads that end before, by thread", "threads 200 leave", "thread"),
    Case("children and grandchildren", "family fork"),
    Case("exec while threads are blocked", "family exec"),
    Case("exit while threads are blocked", "family exit"),
    Case("poll stopped and continued", "family stop"),
    Case("name with control bytes", "family comm"),
    Case("every call in one thread", "every 20"),
    Case("every call in one thread, by thread", "every 20", "thread"),
    Case("32-bit calls", "compat"),
    Case("calls denied by seccomp", "denied"),
    Case("in flight at begin and end", "inflight", "attach"),
]


def wakes(row):
    """Wake-ups by kind of waker."""
    kinds = collections.Counter()
    for waker in row["wakers"]:
        kinds[waker["kind"]] += waker["wakes"]
    return kinds


def woken_as(truth, measured):
    """
    By the right kind, and each call once; a thread can find the lock of its pipe or socket still
    held by its waker, sleep once more, and be woken by the unlocking.
    """
    return truth.keys() == measured.keys() and all(
        truth[k] <= measured[k] <= 2 * truth[k] for k in truth)


# Figures that are counts by name.
COUNTERS = {"results": harness.flat_results, "wakers": wakes}


def parse_truth(text, by_thread):
    """Rows, expected in-flight calls, expected losses, and how often the program was disturbed."""
    rows, in_flight, lost, disturbed = [], [], {}, None
    for line in text.decode().splitlines():
        item = json.loads(line)
        if "in_flight" in item:
            in_flight.append(item)
        elif "lost" in item:
            lost = item["lost"]
        elif "disturbed" in item:
            disturbed = item["disturbed"]
        else:
            rows.append(item)
    if disturbed is None:
        raise Failure("the program did not finish its truth")
    if any("tid" in row for row in rows):
        rows = [row for row in rows if ("tid" in row) == by_thread]
    return rows, in_flight, lost, disturbed


def matching(row, document):
    """Rows of the output this truth speaks of: a process has two when it changed its name."""
    keys = [key for key in ("call", "tgid", "tid", "comm") if key in row]
    return [r for r in document["rows"] if all(r.get(key) == row[key] for key in keys)]


def measure(rows, name):
    """The figure over all rows; None if a row does not know it; missing rows count nothing."""
    if name in COUNTERS:
        total = collections.Counter()
        for row in rows:
            total.update(COUNTERS[name](row))
        return dict(total)
    values = [row.get(name) for row in rows]
    return None if None in values else sum(values)


def judge_number(truth, measured):
    """(lo, hi, point) of a truth and whether the measured figure is right."""
    if truth is None or measured is None:
        return (truth, truth, truth), truth == measured
    lo, hi, point = truth, truth, truth
    if isinstance(truth, list):
        lo, hi = truth[:2]
        point = truth[2] if len(truth) > 2 else min(max(measured, lo), hi)
    return (lo, hi, point), lo <= measured <= hi


def judge_histogram(bounds, rows):
    """Every call's bucket must reach into the bounds; the bucket None holds exact zeros."""
    if not rows or not all(row.get("hist") for row in rows):
        yield "no histogram"
        return
    for index, count in (pair for row in rows for pair in row["hist"]["blocked"]):
        edges = (0, 0) if index is None else [1e9 * 2 ** ((index - i) / 8) for i in (1, 0)]
        if count and (edges[1] < bounds[0] or edges[0] > bounds[1]):
            yield f"{count} calls blocked {edges[0]:.0f}..{edges[1]:.0f} ns, truth {bounds}"


def lacks(truth, measured):
    """Of a count that is known: how much is missing; 0 if nothing is, or there is too much."""
    lo = truth[0] if isinstance(truth, list) else truth
    return max(0, (lo or 0) - (measured or 0))


def explained(name, truth, measured, calls_lost, dropped):
    """
    Whether a figure is wrong because events were dropped: there is less of everything where calls
    were lost, and less scanned where some functions were not seen to be called. Never more.
    """
    if name in COUNTERS:
        return calls_lost and all(measured[k] <= truth.get(k, 0) for k in measured)
    missing = lacks(truth, measured)
    if calls_lost or not missing:
        return calls_lost and missing > 0
    return name in ("calls", "scanned", "passes") and dropped.explain(missing)


def judge_row(case, row, document, figures, dropped):
    """Errors of one row; appends its figures."""
    rows = matching(row, document)
    calls_lost = dropped.explain(lacks(row["calls"], measure(rows, "calls")))
    who = f"{row['call']}" + "".join(f" {k} {row[k]}" for k in ("tgid", "tid") if k in row)
    for name, truth in row.items():
        if name in ("call", "tgid", "tid", "comm"):
            continue
        if name == "hist_blocked":
            if calls_lost and not rows:
                continue
            yield from ((True, f"{who}: {e}") for e in judge_histogram(truth, rows))
            continue
        measured = measure(rows, name)
        if name in COUNTERS:
            truth = {k: v for k, v in truth.items() if v}
            good = truth == measured or (name == "wakers" and woken_as(truth, measured))
            lo = hi = point = truth
        else:
            (lo, hi, point), good = judge_number(truth, measured)
        if name == "calls" or not calls_lost:
            figures.append(Figure(case.name, row["call"], name, row["calls"] if isinstance(
                row["calls"], int) else 0, point, lo, hi, measured, None))
        if not good and not explained(name, truth, measured, calls_lost, dropped):
            yield name.endswith("_ns"), f"{who}: {name}: truth {truth}, measured {measured}"


def judge_in_flight(expected, document):
    for call in expected:
        found = [c for c in document["in_flight"]
                 if c["tid"] == call["tid"] and c["call"] == call["in_flight"]]
        if len(found) != 1:
            yield f"in_flight {call['in_flight']} of {call['tid']}: {len(found)} times"
        elif not judge_number(call["age_ns"], found[0]["age_ns"])[1]:
            yield f"in_flight {call}: age {found[0]['age_ns']}"


# In an emulator a processor stands still while another one runs, and no clock of its own says so.
# There every error in a time may be a disturbance; errors in counts never are.
EMULATED = "QEMU TCG" in harness.machine()

# What a run of a case, judged, comes to.
Verdict = collections.namedtuple("Verdict", "errors only_times disturbed figures")


def judge(case, document, text, dropped, lost=None, stolen=0):
    """lost: losses the document may have; None if the program of this case alone says it."""
    rows, in_flight, own_lost, disturbed = parse_truth(text, case.how == "thread")
    figures, found = [], []
    for row in rows:
        found += judge_row(case, row, document, figures, dropped)
    found += [(False, e) for e in judge_in_flight(in_flight, document)]
    found += [(False, e) for e in harness.document_errors(
        document, own_lost if lost is None else lost, dropped)]
    # A kernel that keeps switches of its own tasks to itself, or drops events, disturbs counts as
    # well as times; iophase says so, and what is wrong is worth nothing until it runs undisturbed.
    unseen = harness.hidden_switches(document) + dropped.count
    return Verdict([e for _, e in found], all(is_time for is_time, _ in found) or unseen,
                   disturbed + stolen + unseen + EMULATED, figures)


def argv_of(case, args, tmp):
    words = case.command.format(tmp=tmp).split()
    return [str(args.programs / words[0]), *words[1:]]


def options_of(how, args):
    by_thread = ["--by", "process,thread,call"] if how == "thread" else []
    return [*by_thread, *(["--backend", args.backend] if args.backend else [])]


def run_once(case, args, tmp):
    stolen = harness.stolen_ticks()
    run = harness.watch_attached if case.how == "attach" else harness.watch
    document, text = run(args.iophase, argv_of(case, args, tmp), options_of(case.how, args))
    return judge(case, document, text, harness.Dropped(document, args.backend),
                 stolen=harness.stolen_ticks() - stolen)


def to_repeat(outcome):
    """Only where something was seen that disturbed it; see judge()."""
    return (isinstance(outcome, Verdict) and outcome.errors and outcome.only_times and
            outcome.disturbed)


def run_case(case, args, verdicts, table):
    """verdicts: of one try after the other."""
    notes = []
    for verdict in verdicts:
        errors = verdict.errors
        if not to_repeat(verdict):
            break
        notes.append(f"disturbed {verdict.disturbed} times: {errors[0]}")
    if errors:
        if len(errors) > 12 and not args.verbose:
            errors[12:] = [f"... and {len(errors) - 12} more"]
        raise Failure("\n".join(notes + errors))
    merged = merge(verdict.figures)
    table += merged
    return notes + [describe(f) for f in merged if args.verbose or is_timed(f)]


def run_alone(case, args, table):
    # The file not in the page cache lies beside the programs: /tmp may be in memory.
    return run_case(case, args, (run_once(case, args, args.programs) for _ in range(TRIES)), table)


def is_timed(figure):
    return figure.name.endswith("_ns") and figure.hi != figure.lo


def merge(figures):
    """One figure for all rows of a case that have the same call, with the worst single error."""
    merged = {}
    for f in figures:
        old = merged.get((f.call, f.name))
        if f.name in COUNTERS or None in (f.truth, f.measured):
            merged.setdefault((f.call, f.name), f)
            continue
        error = f.measured - f.truth
        if not old:
            merged[f.call, f.name] = f._replace(worst=error)
            continue
        merged[f.call, f.name] = old._replace(
            calls=old.calls + f.calls, truth=old.truth + f.truth, lo=old.lo + f.lo,
            hi=old.hi + f.hi, measured=old.measured + f.measured,
            worst=max(old.worst, error, key=abs))
    return list(merged.values())


def micro(ns):
    return f"{ns / 1000:.1f}"


def describe(f):
    if not is_timed(f):
        return f"{f.call} {f.name}: truth {f.truth}, measured {f.measured}"
    return (f"{f.call} {f.name} of {f.calls} calls: truth {micro(f.truth)} "
            f"[{micro(f.lo)}, {micro(f.hi)}], measured {micro(f.measured)}, "
            f"error {micro(f.measured - f.truth)}, worst {micro(f.worst)} us")


def write_table(path, figures):
    """Markdown: times with their errors; counts, which are exact or the case has failed."""
    lines = ["# Accuracy", "",
             f"Measured on: {harness.machine()}. Repeat with `make accuracy`. Stock kernels, with "
             "each backend: [accuracy-kernels.md](accuracy-kernels.md).", "",
             "## Times", "",
             "In microseconds, summed over the calls. The truth is what the program's own stamps "
             "say, and what they leave open; the worst error is that of one row (of one call, "
             "where rows are threads). An error of 0 against an open truth means: inside it.", "",
             "| case | call | figure | calls | truth | open | measured | error | worst |",
             "|---|---|---|--:|--:|---|--:|--:|--:|"]
    for f in figures:
        if is_timed(f) and f.measured is not None:
            lines.append(f"| {f.case} | {f.call} | {f.name[:-3]} | {f.calls} | {micro(f.truth)} | "
                         f"{micro(f.lo)} .. {micro(f.hi)} | {micro(f.measured)} | "
                         f"{micro(f.measured - f.truth)} | {micro(f.worst)} |")
    lines += ["", "## Counts", "", "| case | call | figures | truth | measured | error |",
              "|---|---|---|---|---|--:|"]
    groups = collections.defaultdict(list)
    for f in figures:
        if not is_timed(f) and f.name not in COUNTERS:
            groups[f.case, f.call].append(f)
    for (case, call), group in groups.items():
        error = sum(abs((f.measured or 0) - (f.truth or 0)) for f in group)
        lines.append(f"| {case} | {call} | {' '.join(f.name for f in group)} | "
                     f"{' '.join(str(f.truth) for f in group)} | "
                     f"{' '.join(str(f.measured) for f in group)} | {error} |")
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iophase", type=pathlib.Path, default=harness.ROOT / "iophase")
    parser.add_argument("--programs", type=pathlib.Path,
                        default=harness.ROOT / ".output/tests/truth")
    parser.add_argument("--only", metavar="PATTERN", default="*",
                        help="cases whose name or command matches, as in a shell")
    parser.add_argument("--table", metavar="FILE", help="write the accuracy table")
    parser.add_argument("--figures", metavar="FILE", help="write all figures, as JSON")
    parser.add_argument("--batch", action="store_true",
                        help="many cases in one run of iophase, where its start is slow")
    parser.add_argument("--backend", help="the backend iophase is to use")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every figure")
    return parser.parse_args()


# A case takes about four of the histograms that one run of iophase has (HIST_ROWS, bpf/wire.h).
SHARED_MAX = 128


def shared_runs(cases):
    """Groups of cases that one run of iophase can serve."""
    for how in ("thread", ""):
        alike = [case for case in cases if case.how == how]
        yield from (alike[i:i + SHARED_MAX] for i in range(0, len(alike), SHARED_MAX))
    yield from ([case] for case in cases if case.how == "attach")


def watch_shared(cases, args, outcomes):
    """
    Adds what one run of iophase comes to for each case: a verdict, by its own part of the document,
    or the exception that says why there is none. What is lost is nobody's part.
    """
    document, parts = batch.watch(
        args.iophase, [argv_of(case, args, args.programs) for case in cases],
        options_of(cases[0].how, args))
    dropped, lost = harness.Dropped(document, args.backend), collections.Counter()
    for case, part in zip(cases, batch.split(document, parts)):
        lost.update(part.lost())
        try:
            outcome = judge(case, part.document, part.text(), dropped, part.document["lost"],
                            part.stolen)
        except (Failure, Skip) as reason:
            outcome = reason
        outcomes[case].append(outcome)
    # No stock kernel keeps switches to itself.
    if not EMULATED:
        lost.update({name: document["lost"][name] for name in harness.HIDDEN})
    errors = list(harness.document_errors({**document, "rows": []}, lost, dropped))
    if errors:
        raise Failure("\n".join(errors))
    return [f"{dropped.count} events dropped, {dropped.count - dropped.left} of them explain what "
            "is missing"]


def told(outcomes):
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        yield outcome
    if not outcomes:
        raise Failure("its run of iophase failed")


def run_shared(cases, args, tap, table):
    """All in one run, and in the next those that are to be repeated."""
    outcomes, left = {case: [] for case in cases}, cases
    for _ in range(TRIES):
        tap.run(f"one run of {len(left)} cases, from {left[0].name} to {left[-1].name}",
                lambda: watch_shared(left, args, outcomes))
        left = [case for case in left if outcomes[case] and to_repeat(outcomes[case][-1])]
        if not left:
            break
    for case in cases:
        tap.run(case.name, lambda: run_case(case, args, told(outcomes[case]), table))


def main():
    args = parse_args()
    reason = harness.check_ready(args.iophase, args.programs,
                                 None if args.batch else options_of("", args))
    tap, table = harness.Tap(), []
    cases = [case for case in CASES if any(fnmatch.fnmatch(text, f"*{args.only}*")
                                           for text in (case.name, case.command))]
    for group in shared_runs(cases) if args.batch else ([case] for case in cases):
        if reason:
            for case in group:
                tap.skip(case.name, reason)
        elif len(group) > 1:
            run_shared(group, args, tap, table)
        else:
            tap.run(group[0].name, lambda: run_alone(group[0], args, table))
    if args.table:
        write_table(args.table, table)
    if args.figures:
        pathlib.Path(args.figures).write_text(json.dumps([f._asdict() for f in table]))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
