# SPDX-License-Identifier: GPL-2.0-only
"""The figures of a run as tables, from its JSON alone."""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

from figures import UNKNOWN, Table, machine  # noqa: E402, F401  (machine is of use to others)

BASE = "epoll-lt"
CALLS_WHOLE = 1.5
PHASES = ("blocked", "runnable", "kernel", "copy")


def digits(value):
    """Three significant ones, and no more of them after the point than that takes."""
    if value is None:
        return UNKNOWN
    if value and abs(value) < 0.01:
        return f"{value:.3f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else \
        f"{value:,.0f}"


def us(value_ns):
    return digits(None if value_ns is None else value_ns / 1000)


def mib(value_kib):
    return digits(None if value_kib is None else value_kib / 1024)


def median(rounds, figure):
    known = [one[figure] for one in rounds if one[figure] is not None]
    return statistics.median(known) if known else None


def spread(rounds, figure, show):
    known = [one[figure] for one in rounds if one[figure] is not None]
    if len(known) < 2:
        return show(known[0]) if known else UNKNOWN
    return f"{show(statistics.median(known))} ({show(min(known))}..{show(max(known))})"


def preface(result):
    limit = result["limits"]
    return (f"{result['machine']}; {result['date']}; load before: {result['load_before']:.2f}\n"
            f"server on CPU {result['server_cpu']}, clients on CPU {result['driver_cpu']} of "
            f"{limit['cpus']}, both ahead of other work (nice -20); messages of "
            f"{result['size_bytes']} bytes\n"
            f"limits met: {limit['descriptors']:,} descriptors a process, {limit['ports']:,} "
            f"ports, {limit['pids']:,} tasks, {limit['backlog']:,} waiting to be accepted, "
            f"{limit['aio_requests']:,} AIO requests, {limit['queued_signals']:,} queued signals; "
            "select: 1,024")


def test_line(name, test):
    said = f"{name}: {test['passed']} cases passed"
    for what, why in test["cannot"]:
        said += f"\n  cannot: {what}: {why}"
    for what, why in test["failed"]:
        said += f"\n  FAILED, and is not measured: {what}: {why}"
    return said


class Points:
    """The points of a run by what they are, and by model."""

    def __init__(self, result):
        self.found = {}
        for point in result["points"]:
            key = (point["connections"], point["active"], point["think_us"])
            self.found.setdefault(key, {})[point["model"]] = point
        self.keys = sorted(self.found, key=lambda key: (key[2] > 0, key))
        self.models = [name for name in result["models"]
                       if any(name in models for models in self.found.values())]

    @staticmethod
    def title(key):
        connections, active, think_us = key
        said = f"{connections:,} connections, {active:,} active"
        return f"{said}, thinking {think_us / 1000:g} ms" if think_us else said

    @staticmethod
    def head(key):
        connections, active, think_us = key
        return f"{active:,} of {connections:,}" + (" paced" if think_us else "")

    def share(self, percent):
        """Those in which so many of the connections are active, without thinking."""
        return [(connections, active, think_us) for connections, active, think_us in self.keys
                if active == max(1, connections * percent // 100) and not think_us]

    def matrix(self, title, cell, note="", keys=None):
        """A row a model, a column a point; what was not measured is unknown."""
        keys = keys or self.keys
        table = Table(title, ["model", *map(self.head, keys)], note)
        for name in self.models:
            table.add(name, *(cell(self.found[key][name], key) if name in self.found[key]
                              else UNKNOWN for key in keys))
        return table


def watched(point):
    """What iophase saw, if it saw the calls whole: each answer is a read and a write at least.

    A call that began before it was watched does not count: of a thread that sleeps long, none does.
    """
    seen = point["iophase"] or {}
    by_request = "io_uring_enter" in seen.get("waits", ())
    whole = by_request or (seen.get("calls") or 0) >= CALLS_WHOLE
    return seen if whole else {}


def lost(seen):
    """The mark of a figure of iophase that lost events, by its own count."""
    return f" (lost {seen['lost']:,})" if seen.get("lost") else ""


def phases(point):
    seen = watched(point)
    return [*(us(seen.get(phase)) for phase in PHASES),
            digits(seen.get("scanned_per_ready")) + lost(seen)]


def phases_cell(point):
    seen = watched(point)
    return " / ".join(us(seen.get(phase)) for phase in PHASES) + lost(seen) if seen else UNKNOWN


def scanned_cell(point):
    seen = watched(point)
    found = seen.get("scanned_per_ready")
    return digits(found) + lost(seen) if found is not None else UNKNOWN


def point_table(points, key):
    table = Table(points.title(key),
                  ["model", "requests/s", "p50 us", "p99 us", "CPU us/req", "switches/req", "MiB",
                   "kernel MiB", "blocked us", "runnable", "kernel", "copy", "scanned/ready"])
    for name in points.models:
        point = points.found[key].get(name)
        if not point:
            continue
        rounds = point["rounds"]
        table.add(name, spread(rounds, "rate", digits), us(median(rounds, "p50_ns")),
                  us(median(rounds, "p99_ns")), spread(rounds, "cpu_ns", us),
                  digits(median(rounds, "switches")), mib(point["memory"]["resident_kib"]),
                  mib(point["memory"]["kernel_kib"]), *phases(point))
    return table


def scan_tables(result):
    rows = result["scan"]
    sleeping = Table("One wait call, by the size of the set: CPU time in us",
                     ["descriptors", *(f"{way}, {case}" for case in ("sleeps", "one is ready",
                                                                     "all are ready")
                                       for way in ("select", "poll", "epoll"))])
    parts = Table("Of that, when one is ready and it is the last: what goes into the sets, and "
                  "what user space adds",
                  ["descriptors", "select: sets, us", "% of call", "poll: sets, us", "% of call",
                   "user's walk, select", "user's walk, poll"])
    for row in rows:
        sleeping.add(f"{row['descriptors']:,}",
                     *(us(row[f"{way}{case}_ns"]) for case in ("_asleep", "", "_all")
                       for way in ("select", "poll", "epoll")))
        parts.add(f"{row['descriptors']:,}",
                  *(cell for way in ("select", "poll")
                    for cell in (us(row[f"{way}_sets_ns"]),
                                 f"{100 * row[f'{way}_sets_ns'] / row[f'{way}_ns']:.0f}")),
                  us(row["select_walk_ns"]), us(row["poll_walk_ns"]))
    return [sleeping, parts]


def ctl_table(result):
    table = Table("epoll_ctl, by the size of the set: CPU time in us",
                  ["descriptors", "ADD", "MOD", "DEL"])
    for row in result["ctl"]:
        table.add(f"{row['descriptors']:,}",
                  *(us(row[f"{op}_ns"]) for op in ("add", "mod", "del")))
    return table


def recognised_table(result):
    table = Table("What iophase takes each server for (--by process,model): share of its calls",
                  ["server", "model seen", "others seen"])
    for name, seen in result["recognised"].items():
        said = [f"{model} {100 * share:.1f} %" for model, share in seen or []]
        table.add(name, said[0] if said else UNKNOWN, ", ".join(said[1:]) or "none")
    return table


def noise(result):
    others = [one["others"] for point in result["points"] for one in point["rounds"]]
    if not others:
        return "nothing was measured"
    return (f"others used {statistics.median(others):.2f} of the {result['limits']['cpus']} CPUs "
            f"meanwhile (median; at most {max(others):.2f})")


def cannot_table(result):
    table = Table("What could not be measured, and why", ["model", "what", "why"])
    for name, model in result["models"].items():
        if model.get("lacking"):
            table.add(name, "all", model["lacking"])
        for what, why in result["tests"].get(name, {}).get("failed", []):
            table.add(name, "all", f"fails the test of {what}: {why}")
        for what, why in result["tests"].get(name, {}).get("cannot", []):
            table.add(name, f"the test of {what}", why)
    for entry in result["cannot"]:
        table.add(entry["model"], f"{entry['connections']:,} connections", entry["why"])
    for entry in result["left_out"]:
        table.add(*entry.split(", ", 2)[:2], "no time was left: " + entry.split(", ", 2)[2])
    return table


def fdset_lines(result):
    plain, checked = result["fdset"], result["fdset_fortified"]
    return [
        f"FD_SET({plain['descriptor']}) wrote {plain['set_writes_behind_bytes']} byte of the "
        f"memory behind the set; built with _FORTIFY_SOURCE it ended the program by signal "
        f"{checked['set_ends_by_signal']}",
        f"select() of {plain['descriptor'] + 1} descriptors with an fd_set took the memory behind "
        f"it for descriptors: {plain['select_fails_with']} where those are not open; where they "
        f"are, it wrote {plain['select_writes_behind_bytes']} bytes there",
        "the kernel itself served a longer set" if plain["longer_set_works"] else
        "the kernel refused a longer set",
    ]


def claims_lines(result):
    tried = result["claims"]
    return [
        f"mmap() of an epoll descriptor: {tried['epoll_mmap'] or 'works'}; of "
        f"{tried['epoll_asked']} descriptors {tried['epoll_ready']} were ready, and epoll_wait() "
        f"wrote {tried['epoll_written_bytes']} bytes = {tried['epoll_ready']} x "
        f"{tried['epoll_event_bytes']} into the caller's buffer; to a buffer that is not there: "
        f"{tried['epoll_bad_buffer'] or 'no error'}",
        "poll() " + ("remembered" if tried["poll_remembers"] else "remembered nothing of") +
        " the set of the call before; it wrote "
        + ("nothing but the results" if tried["poll_writes_only_results"] else "more than results")
        + f" into the array of {tried['poll_entry_bytes']} bytes an entry; more entries than "
        f"RLIMIT_NOFILE: {tried['poll_more_than_limit'] or 'works'}",
    ]


def text(result):
    points = Points(result)
    every = [*(point_table(points, key) for key in points.keys), *scan_tables(result),
             ctl_table(result), recognised_table(result), cannot_table(result)]
    parts = [table.text() for table in every if table.rows]
    return "\n".join([*parts, "", noise(result), *fdset_lines(result), *claims_lines(result)])


def against(points, figure):
    """The median of each model over that of epoll-lt at the same point."""
    def cell(point, key):
        base = points.found[key].get(BASE)
        mine = median(point["rounds"], figure)
        its = median(base["rounds"], figure) if base else None
        return digits(mine / its) if mine is not None and its else UNKNOWN
    return cell


def markdown_tables(result):
    points = Points(result)
    several = f"Medians of {result['rounds']} rounds, lowest and highest in brackets."
    yield points.matrix("CPU time of the server for a request, us",
                        lambda point, _: spread(point["rounds"], "cpu_ns", us), several)
    yield points.matrix(f"The same, over that of {BASE}", against(points, "cpu_ns"))
    yield points.matrix("Requests a second",
                        lambda point, _: digits(median(point["rounds"], "rate")),
                        "The clients are one thread on the other CPU: see below how much of it "
                        "they used.")
    yield points.matrix("Share of its CPU that the driver of the clients used",
                        lambda point, _: digits(median(point["rounds"], "driver_cpu")),
                        "Close to 1, requests a second are the driver's limit, not the server's.")
    yield points.matrix("Latency, p50 / p99, us",
                        lambda point, _: f"{us(median(point['rounds'], 'p50_ns'))} / "
                                         f"{us(median(point['rounds'], 'p99_ns'))}",
                        "Medians of the rounds. `-`: fewer than 100 answers in a round.")
    yield points.matrix("Times put on a CPU, for a request",
                        lambda point, _: digits(median(point["rounds"], "switches")))
    yield points.matrix("Memory, MiB: of the processes + kernel stacks and page tables",
                        lambda point, _: f"{mib(point['memory']['resident_kib'])} + "
                                         f"{mib(max(point['memory']['kernel_kib'], 0))}",
                        "Shared pages divided among those who share them. The second figure is "
                        "the growth of the whole machine's, once; sockets are in neither.",
                        points.share(100))
    yield points.matrix("iophase: blocked / runnable / kernel / copy, us for a request",
                        lambda point, _: phases_cell(point),
                        "All calls and all threads of the server together, 10 % of the "
                        "connections active: a thousand threads that wait a millisecond each "
                        "were blocked for a second. KERNEL has what was sent in it. Events that "
                        "iophase says it lost are counted; of many processes most are entries of "
                        "histograms, from which no figure is taken here.", points.share(10))
    yield points.matrix("iophase: readiness checks for each descriptor found ready",
                        lambda point, _: scanned_cell(point))
    yield recognised_table(result)
    yield from scan_tables(result)
    yield ctl_table(result)
    yield cannot_table(result)


def markdown(result):
    lines = [*preface(result).splitlines(),
             f"{result['rounds']} rounds of {result['measure_ms']} ms after {result['warm_ms']} ms "
             f"of warming up, the servers in turn; {result['seconds']} s in all; {noise(result)}."]
    parts = ["  \n".join(lines)]
    parts += [table.markdown(level=3) for table in markdown_tables(result)]
    parts += ["", "### What single programs found", ""]
    parts += [f"- {line}" for line in (*fdset_lines(result), *claims_lines(result))]
    return "\n".join(parts)
