# SPDX-License-Identifier: GPL-2.0-only
"""The tables of stock.py: what was found in the guests, and the price of each hook out of it."""

import re

from figures import UNKNOWN, Series, Table

BARE, AUTO = "bare", "iophase"
FLOOR, CLASSIC, FUNCTIONS = FLOORS = "floor", "floor, classic", "floor, functions"
TRACEPOINT, TRAMPOLINE = FORCED = "tracepoint", "trampoline"
OWN = (AUTO, *FORCED)
TOOLS = (*FLOORS, *OWN)
NEEDS = "calls|phases|scan|copy|read|sets|ready"
PROGRAM = re.compile(r"iophase: (\w+): (\d+) instructions verified, (\d+) bytes of code")
CHOICE = re.compile(rf"iophase: ({NEEDS}): (.+)")


class Kernel:
    """What inside.py found on one kernel."""

    def __init__(self, found):
        self.name = release(found)
        self.rounds = found["rounds"]

    def series(self, tool, load):
        return Series(each[tool]["loads"][load] for each in self.rounds if "loads" in each[tool])

    def least(self, tool, load):
        """Of the rounds, for whatever comes between only adds; None if the tool did not run."""
        return min(self.series(tool, load).values, default=None)

    def added(self, tool, load):
        """Instructions a step more than without any tool; None if the tool did not run."""
        least = self.least(tool, load)
        return None if least is None else least - self.least(BARE, load)

    def loads(self):
        return list(self.rounds[0][BARE]["loads"])

    def said(self, tool):
        return self.rounds[0][tool].get("said", ())

    def ms(self, tool, what):
        return Series(each[tool][what] for each in self.rounds if what in each[tool])

    def programs(self, tool):
        """{name: (instructions verified, bytes of code)}"""
        found = (PROGRAM.match(line) for line in self.said(tool))
        return {each[1]: (int(each[2]), int(each[3])) for each in found if each}

    def choices(self, tool):
        """{need: the candidate that was chosen}"""
        found = (CHOICE.match(line) for line in self.said(tool))
        return {each[1]: each[2] for each in found if each}

    def missing(self):
        return {tool: self.rounds[0][tool]["missing"] for tool in TOOLS
                if "missing" in self.rounds[0][tool]}

    def spread(self):
        """The figure that the rounds differ most in: (part of it, tool, load)."""
        return max((1 - min(values) / max(values), tool, load)
                   for tool in (BARE, *TOOLS) for load in self.loads()
                   if (values := self.series(tool, load).values))


def release(found):
    """Debian's version of the kernel, out of what uname calls its version."""
    return re.search(r"Debian (\d[^ -]*)", found["kernel"])[1]


def tables(found):
    each = [Kernel(figures) for figures in found.values()]
    return [*(load_table(kernel) for kernel in each), price_table(each), choice_table(each),
            attach_table(each), *(program_table(each, tool) for tool in FORCED)]


def plus(number):
    return UNKNOWN if number is None else f"{number:+,.0f}"


def load_table(kernel):
    part, tool, load = kernel.spread()
    note = (f"The rounds differ by {100 * part:.2f} % at most ({load}, {tool})."
            if len(kernel.rounds) > 1 else "One round.")
    for name, reason in kernel.missing().items():
        note += f" Did not run: {name} ({reason})."
    table = Table(f"Linux {kernel.name}: instructions a step",
                  ("load", BARE, *(f"{tool} adds" for tool in TOOLS), "iophase / floor"), note)
    for load in kernel.loads():
        added = {tool: kernel.added(tool, load) for tool in TOOLS}
        known = added[AUTO] is not None and added[FLOOR]
        table.add(load, f"{kernel.least(BARE, load):,.0f}", *map(plus, added.values()),
                  f"{added[AUTO] / added[FLOOR]:.2f}" if known else UNKNOWN)
    return table


# The read of /dev/null is the plainest of calls; what another load adds beyond it is the price of
# the hooks inside its calls. Every price in one process is followed by that in one not watched.
NULL, OTHER = "read of /dev/null", "not watched: "
TRIO = "write to an item, epoll_wait, read"


class Price:
    """What `load` adds less `calls` plain calls, a `divisor`-th of it, under some tools."""

    def __init__(self, need, payer, load, calls=1, divisor=1, tools=FORCED):
        self.need = need
        self.payer = payer
        self.load = load
        self.calls = calls
        self.divisor = divisor
        self.tools = tools
        self.plain = OTHER + NULL if load.startswith(OTHER) else NULL

    def on(self, kernel):
        return " / ".join(plus(self.under(kernel, tool)) for tool in self.tools)

    def under(self, kernel, tool):
        mine = kernel.added(tool, self.load)
        if mine is None:
            return None
        return (mine - (self.calls and self.calls * kernel.added(tool, self.plain))) / self.divisor


PRICES = (
    Price("calls", "a call: raw_tp / classic / fentry and fexit, all empty", NULL, 0, 1, FLOORS),
    Price("calls", "a watched call", NULL, 0),
    Price("calls", "the same call, not watched", OTHER + NULL, 0),
    Price("calls", "any other call", OTHER + "getppid", 0),
    Price("scan", "a descriptor of poll: fentry, empty", "poll of 1,000", 1, 1000, [FUNCTIONS]),
    Price("scan", "a descriptor of poll", "poll of 1,000", 1, 1000),
    Price("scan", "the same, not watched", OTHER + "poll of 1,000", 1, 1000),
    Price("scan", "in an epoll_wait that returns 1", "epoll_wait, 1 ready of 10"),
    Price("read", "in a read of an eventfd: fentry and fexit, empty", "read of an eventfd",
          tools=[FUNCTIONS]),
    Price("read", "in a read of an eventfd", "read of an eventfd"),
    Price("read", "the same, not watched", OTHER + "read of an eventfd"),
    Price("sets", "in an epoll_ctl", "epoll_ctl"),
    Price("sets", "the same, not watched", OTHER + "epoll_ctl"),
    Price("copy", "in 64 KiB sent and received: fentry and fexit, empty", "TCP, 64 KiB", 2,
          tools=[FUNCTIONS]),
    Price("copy", "in 64 KiB sent and received", "TCP, 64 KiB", 2),
    Price("copy", "the same, not watched", OTHER + "TCP, 64 KiB", 2),
    Price("scan, read, ready", "in write, epoll_wait, read", TRIO, 3),
    Price("scan, read, ready", "the same, not watched", OTHER + "write, epoll_wait, read", 3),
)


def price_table(each):
    table = Table("What each need costs: tracepoint backend / trampoline backend",
                  ("need", "where", *(kernel.name for kernel in each)),
                  "Instructions, out of the tables above: what a load adds beyond the plainest of "
                  "calls, a read of /dev/null. Of poll, the reading of the set is in it.")
    for price in PRICES:
        table.add(price.need, price.payer, *(price.on(kernel) for kernel in each))
    return table


def choice_table(each):
    table = Table("What iophase chooses there by itself",
                  ("need", *(kernel.name for kernel in each)))
    for need in dict.fromkeys(need for kernel in each for need in kernel.choices(AUTO)):
        table.add(need, *(kernel.choices(AUTO).get(need, UNKNOWN) for kernel in each))
    return table


def attach_table(each):
    table = Table("Programs, and ms of the guest's clock to attach and to detach",
                  ("kernel", "tool", "programs", "instructions verified", "bytes of code",
                   "exec to attached", "signal to end"),
                  "Emulated: a million instructions are a ms, and waiting for other CPUs costs "
                  "nothing, for there are none. The ms are those of each round.")
    for kernel in each:
        for tool in OWN:
            programs = kernel.programs(tool).values()
            table.add(kernel.name, tool, len(programs), f"{sum(one for one, _ in programs):,}",
                      f"{sum(size for _, size in programs):,}",
                      *(", ".join(f"{ms:,.0f}" for ms in kernel.ms(tool, what).values) or UNKNOWN
                        for what in ("attached_ms", "detached_ms")))
    return table


def program_table(each, tool):
    table = Table(f"Instructions verified, bytes of code: --backend {tool}",
                  ("program", *(kernel.name for kernel in each)),
                  "Programs with the same figures on all kernels share a line.")
    found = [kernel.programs(tool) for kernel in each]
    alike = {}
    for name in dict.fromkeys(name for programs in found for name in programs):
        alike.setdefault(tuple(programs.get(name) for programs in found), []).append(name)
    for figures, names in sorted(alike.items(), key=lambda item: -work(item[0])):
        more = f" and {len(names) - 1} like it" if len(names) > 1 else ""
        table.add(names[0] + more, *(f"{one[0]:,}, {one[1]:,}" if one else UNKNOWN
                                     for one in figures))
    return table


def work(figures):
    return max(one[0] for one in figures if one)
