#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Runs in a guest whose clock counts instructions (see stock.py): what each load costs under each
tool, and what each tool took to attach. What it found goes to /out/figures.json.
"""

import json
import platform
import signal
import subprocess
import sys
import time

import workloads

OUT = "/out/figures.json"
WATCHING = "watching"
# What a kernel still does after its start, or after probes were taken off. Time without work is
# skipped in such a guest, so this costs nothing.
SETTLE_S = 20
# iophase times its own programs 50 ms after its start for 50 ms, and 2 s later: no load runs then.
QUIET_BEGIN_S, QUIET_END_S = 0.15, 2.0
DETACH_S = 60

IOPHASE = [workloads.ROOT / "iophase", "-v"]
TOOLS = {
    "bare": lambda _: None,
    "floor": lambda _: [workloads.BUILD / "floor"],
    "floor, classic": lambda _: [workloads.BUILD / "floor", "tracepoint"],
    "floor, functions": lambda _: [workloads.BUILD / "floor", "functions"],
    "iophase": lambda pids: [*IOPHASE, "-p", pids],
    "tracepoint": lambda pids: [*IOPHASE, "--backend", "tracepoint", "-p", pids],
    "trampoline": lambda pids: [*IOPHASE, "--backend", "trampoline", "-p", pids],
}

# (label, program, its arguments, steps in each of the slices whose median is taken). A slice is
# shorter than the 4 ms between two clock interrupts, so most have none.
WATCHED = [
    ("event-loop round trip", "roundtrip", (), 50),
    ("read of an eventfd", "calls", ("read",), 700),
    ("read of /dev/null", "calls", ("null",), 700),
    ("epoll_ctl", "calls", ("ctl",), 700),
    ("write to an item, epoll_wait, read", "calls", ("-n", 10, "epoll"), 200),
    ("epoll_wait, 1 ready of 10", "calls", ("-n", 10, "wait"), 300),
    ("epoll_wait, 1 ready of 1,000", "calls", ("-n", 1000, "wait"), 300),
    ("poll of 1", "calls", ("-n", 1, "poll"), 500),
    ("poll of 10", "calls", ("-n", 10, "poll"), 300),
    ("poll of 100", "calls", ("-n", 100, "poll"), 50),
    ("poll of 1,000", "calls", ("-n", 1000, "poll"), 5),
    ("TCP, 64 KiB", "calls", ("tcp",), 5),
]
UNWATCHED = [
    ("not watched: round trip", "roundtrip", (), 50),
    ("not watched: getppid", "calls", ("getppid",), 1000),
    ("not watched: read of an eventfd", "calls", ("read",), 700),
    ("not watched: read of /dev/null", "calls", ("null",), 700),
    ("not watched: write, epoll_wait, read", "calls", ("-n", 10, "epoll"), 200),
    ("not watched: epoll_ctl", "calls", ("ctl",), 700),
    ("not watched: poll of 1,000", "calls", ("-n", 1000, "poll"), 5),
    ("not watched: TCP, 64 KiB", "calls", ("tcp",), 5),
]
SLICES = 21
SPIN_STEPS = SLICES * 500000


class Tool:
    """One that runs, fully attached; `missing` says why if it does not."""

    def __init__(self, argv):
        self.said = []
        self.missing = None
        begin = time.monotonic()
        self.process = subprocess.Popen([str(word) for word in argv], text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if any(self.said.append(line.strip()) or WATCHING in line
               for line in self.process.stderr):
            self.attached_ms = 1000 * (time.monotonic() - begin)
        else:
            self.missing = " ".join(self.said[-2:]) or f"status {self.process.wait()}"

    def end(self):
        """What it has to say, with the ms from the signal to its end."""
        if self.missing:
            return {"missing": self.missing}
        begin = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=DETACH_S)
        return {"said": self.said, "attached_ms": self.attached_ms,
                "detached_ms": 1000 * (time.monotonic() - begin)}


def load(label, program, args, steps):
    return workloads.Load(program, *args, steps=steps * SLICES)


def run_all(loads):
    return {name: each.run()["cpu_ns"] for name, each in loads.items()}


def measure(argv, loads):
    """{"loads": {label: instructions a step}} and what Tool.end() says."""
    if not argv:
        run_all(loads)
        return {"loads": run_all(loads)}
    tool = Tool(argv)
    if not tool.missing:
        begin = time.monotonic()
        time.sleep(QUIET_BEGIN_S)
        run_all(loads)
        found = run_all(loads)
        if time.monotonic() - begin > QUIET_END_S:
            raise RuntimeError("the loads took so long that iophase took its own time meanwhile")
    result = tool.end()
    if not tool.missing:
        result["loads"] = found
    time.sleep(SETTLE_S)
    return result


def main():
    rounds = int(sys.argv[1])
    time.sleep(SETTLE_S)
    with workloads.Load("calls", "spin", steps=SPIN_STEPS) as spin:
        spin.run()
        ns_per_instruction = spin.run()["cpu_ns"] / 2
    watched = {each[0]: load(*each) for each in WATCHED}
    loads = {**watched, **{each[0]: load(*each) for each in UNWATCHED}}
    pids = ",".join(str(each.pid) for each in watched.values())
    time.sleep(SETTLE_S)

    found = {"kernel": platform.version(), "ns_per_instruction": ns_per_instruction, "rounds": []}
    for _ in range(rounds):
        found["rounds"].append({name: measure(command(pids), loads)
                                for name, command in TOOLS.items()})
    with open(OUT, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
