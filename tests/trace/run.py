#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Traces of programs that know what each of their calls did, in TAP."""

import importlib.util
import json
import sys

sys.dont_write_bytecode = True

import trace
from trace import Failure, PROGRAMS, harness

TRUTH = harness.ROOT / "tests/truth/run.py"
KINDS = trace.call_kinds()

# Programs of tests/truth whose sums a trace must come to as well.
SUMS = [
    "wake pipe 10 5", "wake tcp 10 5", "wake tcp-read 10 5", "wake accept4 10 5",
    "wake full-pipe 10 5", "wake epoll_wait 10 5", "wake poll-timeout 10 5", "wake select 10 5",
    "scan poll 500 1 20 now", "scan select 1000 1 20 now", "scan poll 1000 0 3 spurious3",
    "scan ppoll 10 0 3 eintr", "refused early", "refused late", "epoll level", "epoll edge",
    "epoll oneshot", "epoll stale", "epoll timeout", "epoll failed", "epoll many 1000", "results",
    "family exit", "every 20", "threads 200 leave",
]
# What a trace has of each call, and what is summed from that.
PHASES = ("wall_ns", "blocked_ns", "runnable_ns", "kernel_ns", "blocked_d_ns")
SUMMED = (*PHASES, "copy_ns", "asked", "scanned", "ready", "passes")
FIGURES = ("calls", *SUMMED, "results", "unfinished")


def load_truth():
    spec = importlib.util.spec_from_file_location("truth_run", TRUTH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result_of(call):
    """Under which of the results of a row the call is counted."""
    if call.get("restarted"):
        return "restarted"
    if call["result"] < 0:
        named = {"EAGAIN": "eagain", "EINTR": "eintr"}
        return named.get(call["error"], str(-call["result"]))
    nothing = KINDS[call["call"]][1] in ("READY", "MSGS", "BYTES") and call.get("length") != 0
    return "zero" if not call["result"] and nothing else "ok"


def add(row, call):
    """Adds one call to the figures of a row."""
    if call.get("unfinished"):
        row["unfinished"] += 1
        return
    row["calls"] += 1
    for name in SUMMED:
        if call.get(name) is not None:
            row[name] = (row[name] or 0) + call[name]
    kind = result_of(call)
    results = row["results"]
    if kind in harness.RESULTS:
        results[kind] = results.get(kind, 0) + 1
    else:
        results["errors"][kind] = results["errors"].get(kind, 0) + 1


def fold(found):
    """The document of `iophase -j --by process,thread,call` that these calls would have made."""
    rows = {}
    for call in found.calls:
        key = (call["tgid"], call["tid"], call["call"], call["comm"])
        row = rows.setdefault(key, {
            "tgid": key[0], "tid": key[1], "call": key[2], "comm": key[3], "calls": 0,
            "unfinished": 0, "results": {"errors": {}}, **dict.fromkeys(SUMMED),
            **dict.fromkeys(PHASES, 0)})
        add(row, call)
    return {**found.end, "rows": list(rows.values())}


def sums(truth, command, args):
    """A truth program is traced; the sums of its calls are judged as rows are."""
    words = command.split()
    case = truth.Case(command, command, "thread")
    for _ in range(truth.TRIES):
        stolen = harness.stolen_ticks()
        found, text = trace.watch(args.iophase, [truth_programs() / words[0], *words[1:]],
                                  args.options)
        errors = list(trace.errors(found))
        if errors:
            raise Failure("\n".join(errors[:10]))
        rows = []
        for line in text.decode().splitlines():
            row = json.loads(line)
            if "call" in row:
                row = {key: value for key, value in row.items()
                       if key in FIGURES + ("call", "tid", "tgid", "comm")}
            rows.append(json.dumps(row))
        verdict = truth.judge(case, fold(found), "\n".join(rows).encode(),
                              harness.Dropped(found.end, args.backend),
                              stolen=harness.stolen_ticks() - stolen)
        if not truth.to_repeat(verdict):
            break
    if verdict.errors:
        raise Failure("\n".join(verdict.errors[:12]))
    return [f"{len(found.calls)} calls"]


def truth_programs():
    return harness.ROOT / ".output/tests/truth"


def first_word(name):
    return name and name.split(":")[0].split()[0]


def seen_events(call):
    return [[event["fd"], "|".join(event["events"])] for event in call.get("events", ())]


def differences(expected, call, calls):
    """What of a line of calls.c the traced call does not say."""
    for key, value in expected.items():
        if key == "kind":
            measured = first_word(call.get("name"))
        elif key == "accepted_kind":
            measured = first_word(call["accepted_name"])
        elif key == "events":
            measured = seen_events(call)
        elif key == "port":
            measured, value = call["name"].endswith(f":{value}"), True
        elif key in ("same", "other"):
            measured, value = call["born_ns"] == calls[value]["born_ns"], key == "same"
        else:
            measured = call.get(key, "nothing")
        if measured != value:
            yield f"{key}: {value} expected, {measured} measured"


def each_call(args):
    """All calls of a program, in their order."""
    found, text = trace.watch(args.iophase, [PROGRAMS / "calls"], args.options)
    expected = [json.loads(line) for line in text.decode().splitlines()]
    expected = [line for line in expected if "call" in line]
    calls = found.calls[:-1]
    errors = list(trace.errors(found))
    names = [call["call"] for call in calls]
    if names != [line["call"] for line in expected]:
        errors.append(f"calls {names}")
    for number, (line, call) in enumerate(zip(expected, calls)):
        errors += [f"call {number}, {line['call']}: {error}"
                   for error in differences(line, call, calls)]
    if errors:
        raise Failure("\n".join(errors[:20]))
    return [f"{len(calls)} calls"]


def burst(args, count, threads, *options):
    """As fast as it can: each call is a line, or is lost where it is said."""
    found, text = trace.watch(args.iophase, [PROGRAMS / "burst", count, threads],
                              ["-e", "write", *options, *args.options])
    errors = list(trace.errors(found))
    made = int(text.split()[0])
    shown = sum(call["name"] == "/dev/null" for call in found.calls)
    rest = len(found.calls) - shown
    lost = found.end["calls_lost"]
    # Its last write, of the number, can be a lost one too.
    if not made <= shown + lost <= made + 1 - rest or rest > 1:
        errors.append(f"{made} calls, {shown} shown, {rest} others, {lost} lost")
    if errors:
        raise Failure("\n".join(errors[:10]))
    return found, [f"{made} calls, {shown} shown, {lost} lost in {len(found.lost)} places"]


def burst_whole(args):
    return burst(args, 100000, 2)[1]


def burst_lost(args):
    """A ring that is too small: what is lost is told where it is, among the calls."""
    found, notes = burst(args, 1000000, 2, "--buffer", 1)
    kinds = [line["type"] for line in found.lines]
    if "lost" not in kinds or "call" not in kinds[kinds.index("lost"):]:
        raise Failure("nothing was lost between calls: the test proves nothing")
    return notes


def filtered(args, options, wanted):
    """Of the calls of the program those are shown that `wanted` says, and no others."""
    everything, _ = trace.watch(args.iophase, [PROGRAMS / "calls"], args.options)
    found, _ = trace.watch(args.iophase, [PROGRAMS / "calls"], [*options, *args.options])
    expected = [call["call"] for call in everything.calls if wanted(call)]
    got = [call["call"] for call in found.calls]
    if got != expected or not got or len(got) == len(everything.calls):
        raise Failure(f"{len(expected)} of {len(everything.calls)} calls expected: {expected}\n"
                      f"{len(got)} shown: {got}")
    return [f"{len(got)} of {len(everything.calls)} calls"]


def on_descriptor(call, fds):
    numbers = [call.get("fd"), call.get("other_fd"), *(e["fd"] for e in call.get("events", ()))]
    if call.get("accepted_born_ns"):
        numbers.append(call["result"])
    return any(number in fds for number in numbers)


FILTERS = {
    "-e wait": lambda call: KINDS[call["call"]][0] == "WAIT",
    "-e accept4,connect": lambda call: call["call"] in ("accept4", "connect"),
    "-x": lambda call: call["result"] < 0,
    "--fd 22": lambda call: on_descriptor(call, (22,)) or call.get("events_cut"),
    "--fd 4,900": lambda call: on_descriptor(call, (4, 900)),
    "-e read --fd 5": lambda call: call["call"] == "read" and on_descriptor(call, (5,)),
}


def tests():
    truth = load_truth()
    yield "each call of a program", each_call
    for text, wanted in FILTERS.items():
        yield f"only {text}", lambda args, t=text, w=wanted: filtered(args, t.split(), w)
    yield "as fast as it can", burst_whole
    yield "faster than there is room", burst_lost
    for command in SUMS:
        yield f"sums: {command}", lambda args, c=command: sums(truth, c, args)


if __name__ == "__main__":
    sys.exit(trace.run_all(trace.arguments(__doc__), tests()))
