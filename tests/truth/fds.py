#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Descriptors, event loops and models of input of programs that know what became of them (descriptors.c,
interest.c, service.c, loops.c, models.c, signals.c), in TAP.

A line of a program is {"where": {path: value}, ...}, which selects rows of iophase's output, and
  "is":    {path: truth}   exactly one row is selected, and says so;
  "rows":  N               so many are selected (null: any number), "each" of which says so, and
  "sum":   {path: N}       whose figures add up to so much.
{"lost": {name: N}} says which losses the program causes.
A path is names joined by dots; a truth is a value, or [lo, hi]. "timed" holds where it is known
when the descriptor became ready, "untimed" where it is not.
"""

import argparse
import collections
import contextlib
import fnmatch
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import batch
import harness
from harness import Failure, Skip

TRIES = 3
ATTACHED_S = 90  # at most
SUMMED = ("closed_merged", "loops_full")  # figures are there, in a row with others
DATA_READY = pathlib.Path("/sys/kernel/tracing/events/sock/sk_data_ready")
SOCKETS = ("tcp", "udp", "unix")

# By what is told apart.
PROGRAMS = {"fd": "descriptors", "loop": "loops", "model": "models", "thread,model": "models",
            "fd,model": "models"}

# program: "" = the one of what is told apart.
Case = collections.namedtuple("Case", "name command by how program", defaults=["fd", "", ""])

# how: "alone" = in a run of its own; "attach" = started before iophase, and outlives the watch; "namespace" = in its own;
# "worker" = by the name of one of its threads.
CASES = [
    *(Case(f"lag, {kind}, {ms} ms, {when}", f"lag {kind} {ms} {times} {when}", program="service")
      for kind in ("pipe", "tcp", "udp", "unix", "eventfd")
      for ms, times in ((1, 20), (10, 10), (100, 3)) for when in ("idle", "busy")),
    Case("number used again 2,000 times", "reuse 2000"),
    Case("40,000 closed at once", "churn 40000", how="alone"),
    Case("duplicated", "dup"),
    Case("shared over fork", "fork"),
    Case("passed over a unix socket", "passed"),
    Case("exec in the middle", "exec"),
    *(Case(f"epoll data: {form}", f"data {form}", program="interest")
      for form in ("fd", "pointer", "garbage")),
    Case("epoll data: the same for two", "ambiguous", program="interest"),
    Case("one-shot, armed again", "oneshot", program="interest"),
    Case("exclusive over four threads", "exclusive 50", program="interest"),
    Case("registered and taken out", "registered", program="interest"),
    Case("nested epoll", "nested", program="interest"),
    Case("registered before the watch", "before", how="attach", program="interest"),
    Case("a thread that does not lead", "thread", how="worker"),
    Case("reported and not served", "unserved", program="service"),
    Case("the last report of what is open", "open", how="attach", program="service"),
    Case("closed, and still reported", "stale", how="attach", program="service"),
    Case("datagrams of no bytes, and cut ones", "datagrams", program="service"),
    Case("sendfile and splice", "moved", program="service"),
    Case("in two epoll sets", "twosets", program="interest"),
    Case("epoll instances that end", "instances", program="interest"),
    Case("a listener that was known before it listened", "listens", program="interest"),
    Case("more loops than rows", "threads 600"),
    *(Case(f"left in it: {kind}", f"left {kind} {left}", program="service")
      for kind, left in (("tcp", 60), ("unix", 0), ("pipe", 1), ("udp", 0))),
    Case("edge-triggered, read until EAGAIN", "edge", program="service"),
    *(Case(f"{by}: set and reports", f"sets {by}", program="service") for by in ("poll", "select")),
    Case("9,000 connections", "many 9000 unix", how="attach"),
    Case("in its own PID and network namespace", "edge", how="namespace",
         program="service"),
    Case("turns of a loop", "turns", "loop"),
    Case("waits of a loop", "waits", "loop"),
    Case("1,500 events at once", "batch 1500", "loop"),
    Case("a turn that does not end, and an idle loop", "stuck", "loop", "attach"),
    Case("loops told apart", "loops", "loop"),
    *(Case(f"{what}: {model}", f"{scene} {model}", "model")
      for what, scene in (("7 parts read as they come, 3 when reported", "mix"),
                          ("read when nobody said so", "untold"))
      for model in ("select", "poll", "epoll-lt", "epoll-et")),
    *(Case(f"drained, and then polled: {model}", f"drained {model}", "model")
      for model in ("poll", "epoll-lt", "epoll-et")),
    Case("asked 500 times", "spin 500", "model"),
    Case("a regular file is not waited for", "file", "model"),
    Case("threads of different models", "threads", "thread,model"),
    Case("descriptors of different models", "fds", "fd,model"),
    *(Case(name, command, by, program="signals") for name, command, by in (
        ("plain SIGIO, by a handler", "plain 50", "model"),
        ("signals that say which of two descriptors", "which 40", "fd,model"),
        ("signals that are pending already", "merged 10", "model"),
        ("a queue of signals that overflows", "overflow 5 20", "model"),
        ("signals that are waited for", "wait 30", "model"),
        ("signals that are read", "signalfd 10", "model"),
        ("signals that are blocked, and served late", "late 30", "model"))),
    *(Case(name, command, "model", "attach", "requests") for name, command in (
        ("io_uring: late, and never over", "uring-late 30"),
        ("io_uring: many results of a request", "uring-multishot 20"))),
    *(Case(name, command, by, program="requests") for name, command, by in (
        ("AIO of a file with O_DIRECT", "aio-direct 5", "model"),
        ("AIO of a file that waits in io_submit", "aio-buffered 5", "model"),
        ("AIO: late, refused, and never over", "aio-late 30", "model"),
        ("AIO: results that no call collects", "aio-unseen 4", "model"),
        ("io_uring", "uring 40", "model"),
        ("io_uring: requests for workers", "uring-worker 20", "model"),
        ("io_uring: SQPOLL", "uring-sqpoll 20", "model"),
        ("io_uring: descriptors", "uring-fds 20", "fd,model"))),
]

# More than a process may have open on most machines: for guests.
BIG_CASES = [
    Case("100,000 descriptors", "many 100000 eventfd", how="attach"),
]


def at(row, path):
    """What is at a path; KeyError if nothing is, not even null."""
    for name in path.split("."):
        if row is None:
            raise KeyError(path)
        row = row[name]
    return row


def agrees(truth, measured):
    if isinstance(truth, list) and len(truth) == 2 and isinstance(truth[0], (int, float)):
        return isinstance(measured, (int, float)) and truth[0] <= measured <= truth[1]
    return truth == measured


def differences(row, truths):
    for path, truth in truths.items():
        try:
            measured = at(row, path)
        except KeyError:
            measured = "nothing"
        if not agrees(truth, measured):
            yield f"{path}: {truth} expected, {measured} measured"


def selected(row, line, tgid):
    """tgid: whether the program knows the number of its process as iophase does."""
    def has(path, value):
        try:
            return at(row, path) == value
        except KeyError:
            return False

    kinds = line.get("kinds")
    where = {path: value for path, value in line["where"].items() if path != "tgid" or tgid}
    return all(has(*item) for item in where.items()) and (not kinds or row["kind"] in kinds)


def timing(row):
    """Whether it must be known when the descriptor became ready: "timed", "untimed", or either."""
    if row["tiers"]["lag"] == "exact" or (row["kind"] in SOCKETS and DATA_READY.exists()):
        return ("timed",)
    return ("timed", "untimed")


def judge_one(row, line):
    truths = dict(line["is"])
    choices = {name: truths.pop(name) for name in ("timed", "untimed") if name in truths}
    problems = list(differences(row, truths))
    if choices:
        found = {name: list(differences(row, choices[name])) for name in timing(row)}
        if all(found.values()):
            problems += [f"{name}: {text}" for name, texts in found.items() for text in texts]
    return problems


def judge_many(rows, line):
    if line["rows"] is not None and len(rows) != line["rows"]:
        yield f"{line['rows']} rows expected, {len(rows)} found"
    for row in rows:
        for problem in differences(row, line.get("each", {})):
            yield f"fd {row.get('fd')}: {problem}"
            break
    for path, truth in line["sum"].items():
        total = sum(at(row, path) for row in rows)
        if total != truth:
            yield f"sum of {path}: {truth} expected, {total} measured"


def losses(texts):
    """What the programs say that they cause."""
    lost = collections.Counter()
    for text in texts:
        for line in map(json.loads, text.decode().splitlines()):
            lost.update(line.get("lost", {}))
    return lost


def judge(document, text, tgid=True, lost=None):
    problems = []
    lost = losses([text]) if lost is None else lost
    for name, count in document["lost"].items():
        if count != lost[name] and name not in (*harness.HIDDEN, *SUMMED):
            problems.append(f"lost.{name}: {lost[name]} expected, {count} measured")
    for line in map(json.loads, text.decode().splitlines()):
        if "where" not in line:
            continue
        rows = [row for row in document["rows"] if selected(row, line, tgid)]
        if "is" not in line:
            problems += list(judge_many(rows, line))[:10]
        elif len(rows) != 1:
            problems.append(f"{line['where']}: {len(rows)} rows")
        else:
            problems += [f"{line['where']}: {problem}" for problem in judge_one(rows[0], line)]
    return problems


def argv_of(case, args):
    return [str(args.programs / (case.program or PROGRAMS[case.by])), *case.command.split()]


def run_once(case, args):
    argv = argv_of(case, args)
    options = ["--by", case.by, *(("--backend", args.backend) if args.backend else ())]
    if case.how == "attach":
        return watch_before(args.iophase, argv, options)
    if case.how == "worker":
        return watch_before(args.iophase, argv, [*options, "-n", "fds-worker"])
    if case.how == "namespace":
        argv = ["unshare", "--pid", "--net", "--fork", *argv]
    return harness.watch(args.iophase, argv, options)


def watch_before(iophase, argv, options):
    """The program has registered what it will; it goes on when the watch has begun."""
    target = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with tempfile.TemporaryDirectory(prefix="iophase-truth-") as tmp:
        out = pathlib.Path(tmp, "out.json")
        watcher = subprocess.Popen([str(iophase), "-j", "-o", str(out), "-d", str(ATTACHED_S),
                                    *options, "-p", str(target.pid)],
                                   stderr=subprocess.PIPE, text=True)
        try:
            text = told(watcher, target)
            watcher.send_signal(signal.SIGINT)
            _, said = watcher.communicate(timeout=ATTACHED_S)
            if watcher.returncode:
                raise Failure(f"exit status {watcher.returncode}\n{said}")
            return harness.load_output(out, said), text
        except subprocess.TimeoutExpired:
            raise Failure(f"iophase not over after {ATTACHED_S} s") from None
        finally:
            for process in (watcher, target):
                if process.poll() is None:
                    process.kill()
                process.wait()


def told(watcher, target):
    """What the target prints once it is told that it is watched."""
    for line in watcher.stderr:
        if "watching" in line:
            break
    with contextlib.suppress(BrokenPipeError):	# it may be over: it cannot run here
        target.stdin.write(b"x")
        target.stdin.flush()
    text = b""
    for line in target.stdout:
        text += line
        if b"disturbed" in line:
            return text
    target.wait()
    if target.returncode == harness.SKIP_STATUS:
        raise Skip("the program cannot run here")
    raise Failure(f"exit status {target.returncode} of the program")


def run_batch(cases, args, tap):
    """Those that can share a run do, for where a start takes seconds: one run for each --by."""
    for by in PROGRAMS:
        these = [case for case in cases if case.by == by]
        if not these:
            continue
        options = ["--by", by, *(("--backend", args.backend) if args.backend else ())]
        document, said = batch.watch(args.iophase, [argv_of(case, args) for case in these], options)
        lost = losses(one["stdout"].encode() for one in said if one["status"] == 0)
        for case, one in zip(these, said):
            tap.run(case.name, lambda: judge_part(document, one, lost))


def judge_part(document, one, lost):
    part = batch.Part(one, document)
    problems = judge(document, part.text(), lost=lost)
    if problems:
        raise Failure("\n".join(problems))
    return []


def run_case(case, args):
    for attempt in range(TRIES):
        document, text = run_once(case, args)
        problems = judge(document, text, case.how != "namespace")
        if not problems:
            return [f"{attempt} runs before were disturbed"] if attempt else []
        # Only what the kernel hid, and said so, is worth another run.
        if not harness.hidden_switches(document):
            break
    raise Failure("\n".join(problems))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iophase", type=pathlib.Path, default=harness.ROOT / "iophase")
    parser.add_argument("--programs", type=pathlib.Path,
                        default=harness.ROOT / ".output/tests/truth")
    parser.add_argument("--backend")
    parser.add_argument("--batch", action="store_true", help="as many in one run as can be")
    parser.add_argument("--what", choices=("objects", "models"),
                        help="descriptors and event loops only, or models of input only")
    parser.add_argument("--big", action="store_true", help="those that need many descriptors")
    parser.add_argument("cases", nargs="*", help="names, or patterns of them")
    args = parser.parse_args()
    tap = harness.Tap()
    cases = [case for case in (BIG_CASES if args.big else CASES)
             if not args.cases or any(fnmatch.fnmatch(case.name, p) for p in args.cases)]
    if args.what:
        cases = [case for case in cases if ("model" in case.by) == (args.what == "models")]
    if args.batch:
        together = [case for case in cases if case.how == ""]
        run_batch(together, args, tap)
        cases = [case for case in cases if case not in together]
    for case in cases:
        tap.run(case.name, lambda: run_case(case, args))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
