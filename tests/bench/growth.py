"""How the cost of a call grows with threads and with descriptors."""

import contextlib

import compare
import tools
import workloads
from figures import Table, verdict

FLAT = 1.1
PART = 0.10
EPOLL_CALLS = 3
SIZES = (1, 10, 100, 1000, 15000)
# Each has two descriptors, and a process may have 20,000 here.
THREADS = (2, 10, 100, 1000, 9900)


class Case:
    """One kind of load at several sizes; `calls` is how many watched calls a step makes."""

    def __init__(self, kind, sizes, calls, make):
        self.kind = kind
        self.sizes = sizes
        self.calls = calls
        self.make = make


def scan(kind):
    return lambda size: workloads.Load("calls", kind, "-n", size,
                                       steps=max(300, 200000 // (size + 10)))


CASES = (
    Case("epoll", SIZES[1:], EPOLL_CALLS,
         lambda size: workloads.Load("calls", "epoll", "-n", size, steps=50000)),
    Case("threads", THREADS, compare.CALLS_A_TRIP,
         lambda size: workloads.Load("roundtrip", "-t", size, steps=15000)),
    Case("poll", SIZES, 1, scan("poll")),
    Case("select", SIZES, 1, scan("select")),
)


def run(options):
    if options.quick:
        for case in CASES:
            case.sizes = case.sizes[::len(case.sizes) - 1]
    with contextlib.ExitStack() as stack:
        loads = {(case.kind, size): stack.enter_context(case.make(size))
                 for case in CASES for size in case.sizes}
        results = compare.measure(tools.own_tools(options.iophase), loads, {}, options.rounds, 0)
    compare.check(results)
    return [flat_table(results), part_table(results)]


def per_call(results, tool, case, size):
    return results.added(tool, (case.kind, size), "cpu_ns").divided_by(case.calls)


def flat_table(results):
    table = Table("Growth: ns added to each call of epoll_wait + read + write",
                  ("load", "bare", "floor adds", "iophase adds", "x smallest (floor)",
                   "x smallest (iophase)", "budget"),
                  "epoll: descriptors in the set, one ready. threads: in a ring, one byte going "
                  "round; every call finds its caches cold, the kernel's own as well.")
    for case in CASES[:2]:
        first = {tool: per_call(results, tool, case, case.sizes[0]).median
                 for tool in (compare.FLOOR, compare.IOPHASE)}
        for size in case.sizes:
            bare = results.series("bare", (case.kind, size), "cpu_ns").divided_by(case.calls)
            floor = per_call(results, compare.FLOOR, case, size)
            mine = per_call(results, compare.IOPHASE, case, size)
            growth = mine.median / first[compare.IOPHASE]
            table.add(f"{case.kind} {size:,}", bare.show(), floor.show(sign="+"),
                      mine.show(sign="+"), f"{floor.median / first[compare.FLOOR]:.2f}",
                      f"{growth:.2f}", verdict(growth, FLAT, "<= 1.1"))
    return table


def part_table(results):
    table = Table("Growth: part of the call's own time added to poll and select",
                  ("load", "bare ns", "floor adds %", "iophase adds %", "budget"),
                  "One descriptor is ready, so no call sleeps.")
    for case in CASES[2:]:
        for size in case.sizes:
            name = (case.kind, size)
            bare = results.series("bare", name, "cpu_ns")
            percent = {tool: percent_of(results.added(tool, name, "cpu_ns"), bare)
                       for tool in (compare.FLOOR, compare.IOPHASE)}
            mine = percent[compare.IOPHASE]
            table.add(f"{case.kind} {size:,}", bare.show(), percent[compare.FLOOR].show(1, "+"),
                      mine.show(1, "+"), verdict(mine.median, 100 * PART, "<= 10 %"))
    return table


def percent_of(added, bare):
    return added.divided_by(bare.median / 100)
