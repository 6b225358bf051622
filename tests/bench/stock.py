#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What iophase costs on stock kernels, in instructions.

Each kernel runs in a guest whose clock goes on by 1 ns with each instruction, so the same run
gives the same figures whatever else this machine does. inside.py is what runs there.
"""

import argparse
import concurrent.futures
import datetime
import json
import pathlib
import signal
import sys
import threading
import time

import prices
import sections
import workloads

sys.path.insert(0, str(workloads.ROOT / "tests/vm"))

import guest  # noqa: E402
import initramfs  # noqa: E402
import kernels  # noqa: E402

NAMES = ("6.1", "6.12", "6.18", "7.x")
GUESTS_AT_A_TIME = 2
GUEST_S = 600
LIMIT_S = 1200
# The clock counts instructions, and waits for nothing.
COUNTING = ("-icount", "shift=0,sleep=off")
SCRIPTS = ("tests/bench/inside.py", "tests/bench/workloads.py", "tests/servers/farm.py")
PROGRAMS = ("roundtrip", "calls", "floor")
TITLE = "Deterministic cost on stock kernels"


class Stopped(Exception):
    """The run ends before its guests."""


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="this kernel (repeatable)")
    parser.add_argument("--rounds", type=int, default=2, help="how often to repeat (default: 2)")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE",
                        help="put it there too, between the marks that are there for it")
    return parser.parse_args()


def guest_files():
    files = [(workloads.ROOT / name, f"iophase/{name}") for name in SCRIPTS]
    return files + [(workloads.BUILD / name, f"iophase/.output/tests/bench/{name}")
                    for name in PROGRAMS]


def run_guest(name, rounds, base, stop):
    """What inside.py found on one kernel; raises kernels.Unfetched or RuntimeError."""
    def watch(_):
        if stop.is_set():
            raise Stopped

    kernel = kernels.by_name(name)
    result = guest.boot(kernels.image_path(kernel), f"python3 tests/bench/inside.py {rounds}", base,
                        watch, files=guest_files(), qemu=COUNTING, cpus=1, timeout_s=GUEST_S)
    if result.error or result.status:
        said = result.stderr.decode(errors="replace").splitlines()
        raise RuntimeError(f"{name}: {result.error or ' '.join(said[-1:]) or result.status}")
    print(f"{name}: {result.seconds:.0f} s", file=sys.stderr)
    return json.loads(result.files["figures.json"])


def run_guests(names, rounds):
    """({name: what was found}, [why a kernel was not to be had], [what went wrong])."""
    base, stop = initramfs.base(), threading.Event()
    found, left_out, failed = {}, [], []
    with concurrent.futures.ThreadPoolExecutor(GUESTS_AT_A_TIME) as pool:
        running = {name: pool.submit(run_guest, name, rounds, base, stop) for name in names}
        try:
            for name, future in running.items():
                try:
                    found[name] = future.result()
                except kernels.Unfetched as reason:
                    left_out.append(f"{name} is left out: {reason}.")
                except RuntimeError as error:
                    failed.append(str(error))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return found, left_out, failed


def introduction(found, rounds, seconds):
    names = ", ".join(map(prices.release, found.values()))
    clock = max(abs(each["ns_per_instruction"] - 1) for each in found.values())
    return [
        f"{datetime.date.today()}, Debian's cloud kernels {names} in qemu's emulation, one CPU; "
        f"{seconds:.0f} s. Repeat with `make bench-kernels ARGS=\"--markdown docs/overhead.md\"`.",
        f"The clock of such a guest goes on by 1 ns with each instruction ({100 * clock:.1f} % off "
        "in a loop of known length), so these are **instructions**, not time: a cache miss, a "
        "mispredicted jump and a clock read, 33 ns on a virtual machine, count 1 each. They "
        "compare hooks and kernels; what a server feels is in the times above. Every tool is "
        f"measured {rounds} times, each time the median of 21 slices too short for most "
        "clock interrupts to fall in, and the least of these is given; no wake-up of "
        "iophase is in them. Figures of steps that take above 100,000 instructions are up to 200 "
        "too high, and what a tool adds to them up to 100.",
        "floor: empty raw_tp programs; floor, classic: the same on the classic raw_syscalls "
        "tracepoints; floor, functions: empty fentry and fexit programs on the calls and functions "
        "that these loads come through. tracepoint, trampoline: iophase with that --backend.",
    ]


def main():
    args = parse_args()
    workloads.farm.end_on(signal.SIGALRM, signal.SIGTERM, signal.SIGHUP)
    signal.alarm(LIMIT_S)
    begin = time.monotonic()
    found, left_out, failed = run_guests(args.only or NAMES, args.rounds)
    if failed or not found:
        sys.exit("bench-kernels: " + "; ".join(failed + left_out))
    seconds = time.monotonic() - begin
    words = introduction(found, args.rounds, seconds) + left_out
    tables = prices.tables(found)
    print("\n\n".join(words))
    for table in tables:
        print(table.text())
    if args.markdown:
        sections.rewrite(args.markdown, "bench-kernels", "\n\n".join([f"## {TITLE}", *words]) +
                         "\n" + "\n".join(table.markdown(3) for table in tables))


if __name__ == "__main__":
    main()
