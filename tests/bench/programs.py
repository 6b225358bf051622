"""Where the time goes: each of iophase's programs, by the kernel's own statistics."""

import contextlib
import json
import pathlib
import subprocess

import footprint
import tools
import workloads
from figures import Table

STATISTICS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
TRIPS = 40000


def run(options):
    tool = tools.stat(options.iophase)
    with kept_statistics(), workloads.Load("roundtrip", steps=TRIPS) as load:
        with tool.watching([load.pid]) as process:
            before = statistics_of(process.pid)
            steps = load.run()["steps"]
            after = statistics_of(process.pid)
    return [program_table(before, after, steps)]


@contextlib.contextmanager
def kept_statistics():
    was = STATISTICS.read_text()
    STATISTICS.write_text("1")
    try:
        yield
    finally:
        STATISTICS.write_text(was)


def statistics_of(pid):
    """{program: (runs, ns, misses)} of the programs a process holds."""
    ids = footprint.ids_of(pid, "prog_id")
    shown = subprocess.run(["bpftool", "-j", "prog", "show"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    return {each["name"]: (each.get("run_cnt", 0), each.get("run_time_ns", 0),
                           each.get("recursion_misses", 0))
            for each in json.loads(shown) if str(each["id"]) in ids}


def program_table(before, after, steps):
    table = Table("iophase's programs during the round trip",
                  ("program", "runs/round trip", "ns/run", "ns/round trip", "missed"),
                  "By the kernel's statistics (bpf_stats_enabled), whose own two clock reads are "
                  "in every ns/run; the way into the program is not.")
    for name, (runs, ns, missed) in sorted(after.items(), key=lambda item: -item[1][1]):
        runs, ns, missed = (now - then for now, then in zip((runs, ns, missed), before[name]))
        if runs:
            table.add(name, f"{runs / steps:.2f}", f"{ns / runs:.0f}", f"{ns / steps:.0f}", missed)
    return table
