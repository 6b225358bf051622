#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Timelines, read by another library than the one that writes them, and held against the lines of the
same run, in TAP.
"""

import collections
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

import trace
from trace import Failure, PROGRAMS, harness

try:
    sys.path.insert(0, str(PROGRAMS))
    import perfetto_pb2 as perfetto
except ImportError as missing:
    raise SystemExit(f"Bail out! make trace-build was not run: {missing}") from None

PHASES = ("blocked", "runnable", "kernel", "copy")
BEGIN, END, INSTANT, COUNTER = (perfetto.Event.Type.Value(name) for name in (
    "SLICE_BEGIN", "SLICE_END", "INSTANT", "COUNTER"))
MONOTONIC = 3

Slice = collections.namedtuple("Slice", "tgid tid name begin end phases notes flows")


class Timeline:
    """What is in a file: slices of calls with their phases, instants, counters, flows."""

    def __init__(self, data):
        message = perfetto.Trace()
        message.ParseFromString(data)
        self.packets = message.packet
        self.errors = []
        self.tracks, self.threads = {}, {}
        for packet in self.packets:
            if packet.HasField("track"):
                self.tracks[packet.track.uuid] = packet.track
        for uuid, track in self.tracks.items():
            if track.HasField("thread"):
                self.threads[uuid] = (track.thread.pid, track.thread.tid)
        self.events = [packet for packet in self.packets if packet.HasField("event")]
        self._check()
        self.slices = list(self._slices())

    def _check(self):
        """Times are in the clock they are said to be in, on tracks that are described before."""
        known = set()
        for packet in self.packets:
            if packet.HasField("track"):
                known.add(packet.track.uuid)
            elif packet.HasField("event"):
                if packet.timestamp_clock_id != MONOTONIC:
                    self.errors.append(f"clock {packet.timestamp_clock_id}")
                if packet.event.track_uuid not in known:
                    self.errors.append(f"track {packet.event.track_uuid} is not described")
        clocks = [packet.clock_snapshot for packet in self.packets
                  if packet.HasField("clock_snapshot")]
        if len(clocks) != 1 or {c.clock_id for c in clocks[0].clocks} != {1, 3, 6}:
            self.errors.append("one snapshot of three clocks expected")

    def _slices(self):
        """A reader sorts by time, and keeps the order of what is at the same time."""
        stacks = collections.defaultdict(list)
        for packet in sorted(self.events, key=lambda packet: packet.timestamp):
            event, stack = packet.event, stacks[packet.event.track_uuid]
            if event.type == BEGIN:
                stack.append((event, packet.timestamp, collections.Counter()))
            elif event.type == END:
                if not stack:
                    self.errors.append("an end without a begin")
                    continue
                begun, begin, phases = stack.pop()
                if stack:
                    stack[-1][2][begun.name] += packet.timestamp - begin
                    continue
                notes = {note.name: self.value(note) for note in begun.annotations}
                yield Slice(*self.threads[event.track_uuid], begun.name, begin,
                            packet.timestamp, dict(phases), notes,
                            list(begun.terminating_flow_ids))
        for stack in stacks.values():
            if stack:
                self.errors.append(f"{len(stack)} slices without an end")

    @staticmethod
    def value(note):
        for kind in ("uint_value", "int_value", "string_value"):
            if note.HasField(kind):
                return getattr(note, kind)
        return None

    def on(self, name, kind):
        """Events of a kind on tracks of this name."""
        return [packet for packet in self.events if packet.event.type == kind and
                self.tracks[packet.event.track_uuid].name == name]

    def flow_errors(self):
        begun = [flow for packet in self.events for flow in packet.event.flow_ids]
        ended = [flow for packet in self.events for flow in packet.event.terminating_flow_ids]
        if len(set(begun)) != len(begun) or len(set(ended)) != len(ended):
            yield "a flow that begins or ends twice"
        if set(ended) - set(begun):
            yield "flows that end without a begin"


def watch(args, argv, *options):
    """(Timeline, Trace) of one run."""
    with tempfile.TemporaryDirectory(prefix="iophase-timeline-") as tmp:
        path = pathlib.Path(tmp, "run.pftrace")
        lines, _ = trace.watch(args.iophase, argv, ["--timeline", path, *options])
        return Timeline(path.read_bytes()), lines


def expected_slice(call):
    """What the line of a call says that its slice is to be."""
    phases = {name: call[f"{name}_ns"] for name in PHASES if call[f"{name}_ns"]}
    return (call["tgid"], call["tid"], call["call"], call["begin_ns"], call["end_ns"],
            {} if call.get("began_before") else phases)


def compare(found, lines):
    """What of the lines the timeline does not say in the same way."""
    yield from found.errors
    yield from found.flow_errors()
    wanted = sorted(map(expected_slice, lines.calls), key=repr)
    got = sorted((tuple(slice[:6]) for slice in found.slices), key=repr)
    if wanted != got:
        differ = [pair for pair in zip(wanted, got) if pair[0] != pair[1]]
        yield f"{len(wanted)} calls, {len(got)} slices; the first that differ: {differ[:2]}"
    by_begin = {(s.tid, s.begin): s for s in found.slices}
    for call in lines.calls:
        notes = by_begin[call["tid"], call["begin_ns"]].notes
        for key in ("result", "scanned", "asked", "fd"):
            if call.get(key) is not None and notes.get(key) != call[key]:
                yield f"{key} {notes.get(key)}, not {call[key]}: {call['call']}"
    waits = [call for call in lines.calls if call.get("scanned") is not None]
    for name, key in (("scanned", "scanned"), ("reported", "ready")):
        wanted = sorted((call["end_ns"], call[key]) for call in waits)
        got = sorted((packet.timestamp, packet.event.counter_value)
                     for packet in found.on(name, COUNTER))
        if wanted != got:
            yield f"counter {name}: {len(got)} values of sum {sum(v for _, v in got)}, " \
                  f"{len(wanted)} of {sum(v for _, v in wanted)} expected"
    wanted = sorted(call["end_ns"] - event["lag_ns"] for call in waits
                    for event in call["events"] if event["lag_ns"] is not None and
                    event["born_ns"])
    got = sorted(packet.timestamp for packet in found.on("ready", INSTANT))
    if wanted != got:
        yield f"{len(got)} instants of readiness, {len(wanted)} expected"
    lost = [found.value(packet.event.annotations[0]) for packet in found.on("lost calls", INSTANT)]
    if lost != [line["calls"] for line in lines.lost]:
        yield f"losses {lost[:5]}, not {[line['calls'] for line in lines.lost][:5]}"


def judge(found, lines):
    errors = list(compare(found, lines))
    if errors:
        raise Failure("\n".join(map(str, errors[:10])))
    flows = sum(len(packet.event.flow_ids) for packet in found.events)
    return [f"{len(found.slices)} calls, {flows} flows, {len(lines.lost)} losses"]


def same_run(args, argv, *options):
    return judge(*watch(args, argv, *options))


def served(args):
    """From ready to served: the first call on what was reported."""
    found, lines = watch(args, [harness.ROOT / ".output/tests/truth/service", "lag", "pipe", "5",
                                "10", "idle"])
    judge(found, lines)
    flows = {flow: packet for packet in found.on("ready", INSTANT)
             for flow in packet.event.flow_ids}
    ends = [(flow, packet) for packet in found.events for flow in packet.event.terminating_flow_ids
            if packet.event.name not in PHASES]
    seen = {call["begin_ns"]: call for call in lines.calls}
    for flow, packet in ends:
        ready, call = flows[flow], seen[packet.timestamp]
        if not ready.event.name.startswith(f"{call['fd']}<{call['name']}>") or \
           ready.timestamp > packet.timestamp:
            raise Failure(f"{ready.event.name} served by {call}")
    # It reads each time that it is told to.
    if len(ends) < 10:
        raise Failure(f"{len(ends)} of {len(flows)} served")
    return [f"{len(ends)} of {len(flows)} served"]


def woken(args):
    """From who wakes to whom: two threads that talk."""
    found, lines = watch(args, [harness.ROOT / ".output/tests/truth/wake", "epoll_wait", "10", "5"])
    notes = judge(found, lines)
    calls = [call for call in lines.calls if call["waker"] and call["waker"]["kind"] == "task"
             and call["runnable_ns"]]
    ends = {flow: packet for packet in found.events
            for flow in packet.event.terminating_flow_ids}
    for call in calls:
        wakes = [packet for packet in found.events if packet.event.name == "wakes" and
                 call["begin_ns"] <= packet.timestamp <= call["end_ns"] and
                 found.threads[packet.event.track_uuid][1] == call["waker"]["tid"]]
        if not wakes or ends[wakes[0].event.flow_ids[0]].event.name != "runnable":
            raise Failure(f"no flow from its waker: {call}")
    if not calls:
        raise Failure("nobody was woken by a thread")
    return [*notes, f"{len(calls)} woken"]


def alone(args):
    """-o FILE.pftrace: a timeline, and the end of a trace where the lines would be."""
    with tempfile.TemporaryDirectory(prefix="iophase-timeline-") as tmp:
        path = pathlib.Path(tmp, "run.pftrace")
        status, out, err = harness.run_bounded(
            [str(args.iophase), "trace", "-q", "-o", str(path), "--", str(PROGRAMS / "calls")])
        found = Timeline(path.read_bytes())
    if status or found.errors or not found.slices or f"\n{len(found.slices)} calls\n" not in err \
       or b"WALL" in out or "WALL" in err:
        raise Failure(f"status {status}, {found.errors[:3]}, {len(found.slices)} slices\n{err}")
    return [f"{len(found.slices)} calls"]


TESTS = [
    ("each call of a program", lambda args: same_run(args, [PROGRAMS / "calls"])),
    ("flows from wakers to the woken", woken),
    ("flows from ready to served", served),
    ("many threads", lambda args: same_run(
        args, [harness.ROOT / ".output/tests/truth/threads", "50", "leave"])),
    ("losses", lambda args: same_run(args, [PROGRAMS / "burst", 100000, 2], "--buffer", 1)),
    ("a timeline alone", alone),
]


if __name__ == "__main__":
    sys.exit(trace.run_all(trace.arguments(__doc__), TESTS))
