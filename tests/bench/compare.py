"""iophase against the floor and the other tools: round trip, Redis, nginx, an unwatched process."""

import contextlib
import sys

import tools
import workloads
from figures import UNKNOWN, Series, Table, ratio, verdict

FLOOR, IOPHASE, BPFTRACE = "floor", "iophase", "bpftrace histogram"
WATCH_ALL = ("iophase, all processes", "syscount -L")
NOISE = 1.05
CALLS_A_TRIP = 6


class Results:
    """figures[tool, load, figure][round]; a tool that sat a round out is paired with the others."""

    def __init__(self):
        self.figures = {}
        self.missing = {}

    def add(self, tool, number, load, measured):
        for figure, value in measured.items():
            self.figures.setdefault((tool, load, figure), {})[number] = value

    def series(self, tool, load, figure, against=None):
        mine = self.figures.get((tool, load, figure), {})
        rounds = self.figures.get((against, load, figure), {}) if against else mine
        return Series(value for number, value in mine.items() if number in rounds)

    def base(self, base, tool, load, figure):
        """The figure of `base` in the rounds that `tool` took part in."""
        return self.series(base, load, figure, against=tool)

    def added(self, tool, load, figure):
        return self.series(tool, load, figure).minus(self.base("bare", tool, load, figure))

    def names(self, load, figure):
        return [tool for tool, *rest in self.figures if rest == [load, figure]]


def measure(competitors, loads, unwatched, rounds, rare_rounds):
    """Every load under every tool, again and again."""
    results = Results()
    pids = [load.pid for load in loads.values()]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for tool in competitors:
            if tool.name in results.missing or (tool.rare and number >= rare_rounds):
                continue
            try:
                with tool.watching(pids):
                    for name, load in {**loads, **unwatched}.items():
                        results.add(tool.name, number, name, load.run(tool.share))
            except tools.Missing as error:
                results.missing[tool.name] = str(error)
    return results


def run(options):
    wanted = options.wanted("roundtrip", "redis", "nginx", "unwatched")
    competitors = tools.own_tools(options.iophase, options.others)
    if not options.no_peers:
        competitors += tools.peers(options.iophase)
    with contextlib.ExitStack() as stack:
        def begin(load):
            return stack.enter_context(load)

        loads, unwatched = {}, {}
        if "roundtrip" in wanted or "unwatched" in wanted:
            loads["trip"] = begin(workloads.Load("roundtrip", steps=40000))
        if "roundtrip" in wanted:
            loads["apart"] = begin(workloads.Load("roundtrip", steps=3000, cpu="0,1"))
        if "redis" in wanted:
            loads["redis"] = begin(workloads.Redis())
        if "nginx" in wanted:
            loads["nginx"] = begin(workloads.Nginx())
        if "unwatched" in wanted:
            unwatched["getppid"] = begin(workloads.Load("calls", "getppid", steps=1000000))
            unwatched["other trip"] = begin(workloads.Load("roundtrip", steps=40000))
        results = measure(competitors, loads, unwatched, options.rounds, options.rare_rounds)
    check(results)
    return list(tables(results, wanted, options))


def check(results):
    for name in (FLOOR, IOPHASE):
        if name in results.missing:
            raise RuntimeError(f"{name}: {results.missing[name]}")


def tables(results, wanted, options):
    note = f"Medians of {options.rounds} interleaved rounds and quartiles in brackets."
    if not options.no_peers:
        note += (f" perf trace and strace, being slow, {options.rare_rounds} rounds of a shorter "
                 f"run.")
    for name, reason in results.missing.items():
        note += f" Not run: {name} ({reason})."
    if "roundtrip" in wanted:
        yield roundtrip_table(results, note)
        yield apart_table(results)
    for name in ("redis", "nginx"):
        if name in wanted:
            yield server_table(results, name)
    if "unwatched" in wanted:
        yield unwatched_table(results)


def roundtrip_table(results, note):
    table = Table("Event-loop round trip: both sides' write, epoll_wait, read; 2 switches; one CPU",
                  ("tool", "CPU ns", "added ns", "x floor's added", "wall ns", "budget"), note)
    floor = results.added(FLOOR, "trip", "cpu_ns")
    for tool in results.names("trip", "cpu_ns"):
        added = results.added(tool, "trip", "cpu_ns")
        bare = tool == "bare"
        table.add(tool, results.series(tool, "trip", "cpu_ns").show(),
                  UNKNOWN if bare else added.show(sign="+"),
                  UNKNOWN if bare else ratio(added, floor).show(2),
                  results.series(tool, "trip", "wall_ns").show(),
                  trip_budget(results, tool, added, floor))
    return table


def trip_budget(results, tool, added, floor):
    if tool != IOPHASE:
        return ""
    texts = [verdict(added.median / floor.median, 2.0, "<= 2.0")]
    histogram = results.added(BPFTRACE, "trip", "cpu_ns")
    if histogram:
        share = added.median / histogram.median
        texts.append(verdict(share, 0.5, f"{share:.2f} of bpftrace's, <= 0.5"))
    return "; ".join(texts)


def apart_table(results):
    table = Table("The same with the two sides on two CPUs: idle wake-ups, so mostly the machine",
                  ("tool", "CPU ns", "wall ns", "x floor (CPU)"))
    for tool in results.names("apart", "cpu_ns"):
        mine = results.series(tool, "apart", "cpu_ns")
        table.add(tool, mine.show(), results.series(tool, "apart", "wall_ns").show(),
                  mine.over(results.base(FLOOR, tool, "apart", "cpu_ns")).show(2))
    return table


def server_table(results, name):
    table = Table(f"{name} under full load: CPU time of the server per request",
                  ("tool", "CPU us/request", "x floor", "requests/s", "x floor", "budget"))
    for tool in results.names(name, "cpu_ns"):
        cpu = results.series(tool, name, "cpu_ns")
        rate = results.series(tool, name, "rate")
        slower = cpu.over(results.base(FLOOR, tool, name, "cpu_ns"))
        table.add(tool, cpu.divided_by(1000).show(2), slower.show(3), rate.show(),
                  rate.over(results.base(FLOOR, tool, name, "rate")).show(3),
                  server_budget(tool, slower.median))
    return table


def server_budget(tool, slower):
    if tool in (tools.BY_FD, tools.DOCTOR):
        return verdict(slower, 1.4, "<= 1.4")
    return verdict(slower, 1.15, "<= 1.15") if tool == IOPHASE else ""


def unwatched_table(results):
    table = Table("A process that is not watched", ("tool", "getppid ns", "x floor's added",
                                                    "round trip ns", "x floor's added", "budget"),
                  f"Every process is watched by the tools without a row. Budgets allow "
                  f"{NOISE - 1:.0%} for noise.")
    for tool in results.names("getppid", "cpu_ns"):
        if tool in WATCH_ALL:
            continue
        cells, shares = [], []
        for load in ("getppid", "other trip"):
            added = ratio(results.added(tool, load, "cpu_ns"), results.added(FLOOR, load, "cpu_ns"))
            shares.append(added.median)
            cells += [results.series(tool, load, "cpu_ns").show(),
                      UNKNOWN if tool == "bare" else added.show(2)]
        table.add(tool, *cells,
                  verdict(max(shares), NOISE, "<= 1.0") if tool == IOPHASE else "")
    return table
