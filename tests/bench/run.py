#!/usr/bin/python3
"""What iophase costs, beside the least that any tool on these hooks could cost, and the others.

The figures are printed with the budgets of the design; a budget that is not met is said, and is
no error. These are ratios within one run: absolute times are the machine's.
"""

import argparse
import datetime
import os
import pathlib
import signal
import subprocess
import sys
import time

import compare
import footprint
import growth
import programs
import sections
import tools
import workloads
from figures import machine

LIMIT_S = 1200
PARTS = {
    "roundtrip": compare.run,
    "redis": compare.run,
    "nginx": compare.run,
    "unwatched": compare.run,
    "growth": growth.run,
    "attach": footprint.run_attach,
    "memory": footprint.run_memory,
    "programs": programs.run,
}


class Options:
    def __init__(self, args):
        self.iophase, *self.others = [path.resolve() for path in
                                      args.iophase or [workloads.ROOT / "iophase"]]
        self.quick = args.quick
        self.no_peers = args.no_peers
        self.only = args.only or list(PARTS)
        self.rounds = args.rounds or (2 if args.quick else 7)
        self.rare_rounds = 1 if args.quick else 3

    def wanted(self, *names):
        return [name for name in names if name in self.only]


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under 2 minutes")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part (repeatable)")
    parser.add_argument("--no-peers", action="store_true", help="leave the other tools out")
    parser.add_argument("--rounds", type=int, help="rounds of each tool (default: 7)")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write it there too")
    parser.add_argument("--iophase", type=pathlib.Path, action="append", metavar="PROGRAM",
                        help="the build to measure; given again, a build to compare it with")
    return parser.parse_args()


def markdown(tables, seconds):
    return "\n".join([
        f"{datetime.date.today()}, {machine()}; {seconds:.0f} s.",
        "",
        "Repeat with `make bench ARGS=\"--markdown docs/overhead.md\"`. Only ratios within one run "
        "mean something: the times are this machine's, on that day. The floor is the same workload "
        "with empty programs on sys_enter, sys_exit, sched_switch and sched_waking.",
        *(table.markdown() for table in tables),
    ])


def main():
    options = Options(args := parse_args())
    if os.geteuid():
        sys.exit("the bench needs root: it attaches probes")
    workloads.farm.end_on(signal.SIGALRM, signal.SIGTERM, signal.SIGHUP)
    signal.alarm(LIMIT_S)

    start = time.monotonic()
    tables = []
    print(machine())
    for part in dict.fromkeys(PARTS[name] for name in PARTS if name in options.only):
        for table in part(options):
            print(table.text(), flush=True)
            tables.append(table)
    seconds = time.monotonic() - start
    print(f"\n{seconds:.0f} s")
    if args.markdown:
        sections.rewrite(args.markdown, "bench", markdown(tables, seconds))


if __name__ == "__main__":
    try:
        main()
    except (tools.Missing, RuntimeError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
