#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What tracing costs a program that makes calls as fast as it can, and how many of them are lost:
medians over interleaved rounds, with the extremes. Prints a table in Markdown.
"""

import argparse
import collections
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BURST = ROOT / ".output/tests/trace/burst"

Run = collections.namedtuple("Run", "rate cpu_ns lost_share")

# By name: options of iophase, None: it does not run.
WAYS = {
    "nothing": None,
    "stat": ["stat", "-q", "-o", "{out}"],
    "stat --by fd": ["stat", "-q", "--by", "fd", "-o", "{out}"],
    "trace -o FILE": ["trace", "-q", "-o", "{out}"],
    "trace -j -o FILE": ["trace", "-q", "-j", "-o", "{out}"],
    "trace -o FILE.pftrace": ["trace", "-q", "-o", "{out}.pftrace"],
}


def lost_share(options, out, err, calls):
    """The part of the calls that was lost, by what iophase says itself."""
    if options[0] == "stat":
        return None
    if "-j" in options:
        with open(out, "rb") as lines:
            lines.seek(-100000, 2)
            return json.loads(lines.read().splitlines()[-1])["calls_lost"] / calls
    text = err if options[-1].endswith(".pftrace") else tail_of(out)
    found = re.search(r"and ([\d,]+) LOST", text)
    return int(found[1].replace(",", "")) / calls if found else 0


def tail_of(path):
    with open(path, "rb") as lines:
        lines.seek(0, 2)
        lines.seek(max(0, lines.tell() - 4000))
        return lines.read().decode()


def run(options, count, threads, tmp):
    argv = [str(BURST), str(count), str(threads)]
    out = tmp / "out"
    if options:
        options = [option.format(out=out) for option in options]
        argv = [str(ROOT / "iophase"), *options, "--", *argv]
    done = subprocess.run(argv, capture_output=True, check=True, text=True)
    calls, wall_ns, cpu_ns = map(int, done.stdout.split())
    return Run(calls / wall_ns * 1e9, cpu_ns / calls,
               lost_share(options, out, done.stderr, calls) if options else None)


def spread(values, unit):
    return f"{unit.format(statistics.median(values))} ({unit.format(min(values))} to " \
           f"{unit.format(max(values))})"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=1000000)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    runs = collections.defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="iophase-bench-", dir=BURST.parent) as tmp:
        for _ in range(args.rounds):
            for name, options in WAYS.items():
                runs[name].append(run(options, args.calls, args.threads, pathlib.Path(tmp)))
    print(f"{args.calls} calls of write(/dev/null) by each of {args.threads} threads, "
          f"{args.rounds} rounds\n")
    print("| watched by | calls/s | CPU time of the program, ns a call | lost |")
    print("|---|---|---|---|")
    for name, found in runs.items():
        lost = [one.lost_share * 100 for one in found if one.lost_share is not None]
        print(f"| {name} | {spread([one.rate / 1000 for one in found], '{:.0f}k')} | "
              f"{spread([one.cpu_ns for one in found], '{:.0f}')} | "
              f"{spread(lost, '{:.1f} %') if lost else '-'} |")


if __name__ == "__main__":
    sys.exit(main())
