#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The same echo and chat service in every model of I/O, tested, then measured side by side.

Server and clients have a CPU each, the servers take turns, and figures are medians of rounds with
their lowest and highest in brackets. Loopback only.
"""

import argparse
import datetime
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import clients  # noqa: E402
import measure  # noqa: E402
import plan  # noqa: E402
import servers  # noqa: E402
import tables  # noqa: E402
import document  # noqa: E402
import tap  # noqa: E402

SIZE_BYTES = 64
DRIVER_CPU, SERVER_CPU = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
RECOGNISE_S = 0.5
RESULT = servers.BUILD / "lab.json"


def limits():
    """What this machine allows a process, as far as it bounds the number of connections."""
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())

    def number(path):
        return int(pathlib.Path(path).read_text())

    return {"descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
            "ports": high - low + 1, "cpus": len(os.sched_getaffinity(0)),
            "pids": number("/proc/sys/kernel/pid_max"),
            "backlog": number("/proc/sys/net/core/somaxconn"),
            "aio_requests": number("/proc/sys/fs/aio-max-nr"),
            "queued_signals": resource.getrlimit(resource.RLIMIT_SIGPENDING)[0]}


def examine(name):
    """The client test: {"passed": n, "cannot": [[what, why]], "failed": [[what, why]]}."""
    verdict = {"passed": 0, "cannot": [], "failed": []}
    for what, test in clients.tests_of(name):
        case = tap.Case()
        what = what.partition(": ")[2]
        try:
            test(case)
        except tap.Skip as reason:
            verdict["cannot"].append([what, str(reason)])
            continue
        except Exception as error:  # a server that breaks the test is not measured, others are
            case.fail(f"{type(error).__name__}: {error}")
        if case.failures:
            verdict["failed"].append([what, " ".join(case.lines)])
        else:
            verdict["passed"] += 1
    return verdict


def attempt(look, *args):
    """What iophase says; None if it cannot be run, which costs no other figure."""
    try:
        return look(*args)
    except measure.Unwatched as reason:
        print(f"iophase: {reason}", file=sys.stderr)
        return None


class Lab:
    def __init__(self, chosen, names):
        self.plan = chosen
        self.names = names
        self.start = time.monotonic()
        self.points = {}
        self.models = {}
        self.tests = {}
        self.cannot = {}
        self.left_out = []
        self.recognised = {}

    def late(self):
        return time.monotonic() - self.start > self.plan.budget_s

    def test_all(self):
        for name in self.names:
            try:
                with servers.Server(name) as server:
                    self.models[name] = {"about": server.about, "clients_max": server.clients_max,
                                         "clients_why": server.clients_why}
            except servers.Lacking as reason:
                self.models[name] = {"about": None, "lacking": str(reason)}
                continue
            self.tests[name] = examine(name)
            print(tables.test_line(name, self.tests[name]), flush=True)

    def measurable(self):
        return [name for name in self.names
                if name in self.tests and not self.tests[name]["failed"]]

    def run_all(self):
        for number in range(self.plan.rounds):
            for connections in self.plan.connections:
                for name in self.measurable():
                    if self.overcrowded(name, connections):
                        continue
                    if self.late():
                        self.left_out.append(f"{name}, {connections} connections, "
                                             f"round {number + 1}")
                        continue
                    self.visit(name, connections, number)
            print(f"round {number + 1} of {self.plan.rounds} after "
                  f"{time.monotonic() - self.start:.0f} s", flush=True)

    def overcrowded(self, name, connections):
        """Who cannot serve fewer is not tried with more."""
        fewer = [known for known in self.plan.connections
                 if known <= connections and (name, known) in self.cannot]
        if fewer:
            self.cannot.setdefault((name, connections), f"not with {fewer[0]} either")
        return bool(fewer)

    def visit(self, name, connections, number):
        """All points of one server with so many connections, in one round."""
        try:
            self.measure(name, connections, number)
        except measure.Unserved as reason:
            self.cannot[name, connections] = str(reason)
        except (servers.Lacking, RuntimeError) as reason:
            self.cannot[name, connections] = str(reason)

    def measure(self, name, connections, number):
        kernel_kib = measure.kernel_kib()
        with (servers.Server(name, cpu=SERVER_CPU) as server,
              measure.Driver(server.port, connections, SIZE_BYTES, DRIVER_CPU) as driver):
            memory = {"resident_kib": measure.resident_kib(measure.processes_of(server)),
                      "kernel_kib": measure.kernel_kib() - kernel_kib}
            for point in self.plan.points(connections):
                known = self.points.setdefault((name, point), {"rounds": [], "iophase": None})
                known.setdefault("memory", memory)
                load = (server, driver, point.active, point.think_us)
                known["rounds"].append(measure.load(*load, self.plan.warm_ms,
                                                    self.plan.measure_ms))
                if number == 0 and self.plan.watched(point):
                    known["iophase"] = attempt(measure.phases, *load, self.plan.watch_s)
            if number == 0 and connections <= self.plan.recognised_at:
                active = max(1, connections // 2)
                self.recognised[name] = attempt(measure.recognised, server, driver, active,
                                                RECOGNISE_S)

    def result(self):
        return {
            "models": self.models, "tests": self.tests, "left_out": self.left_out,
            "recognised": self.recognised,
            "cannot": [{"model": name, "connections": connections, "why": why}
                       for (name, connections), why in self.cannot.items()],
            "points": [{"model": name, "connections": point.connections, "active": point.active,
                        "think_us": point.think_us, **figures}
                       for (name, point), figures in self.points.items() if figures["rounds"]],
        }


def lines_of(*argv):
    told = subprocess.run([str(word) for word in argv], check=True, text=True,
                          preexec_fn=servers.prepare(SERVER_CPU, None),
                          start_new_session=True, stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in told.splitlines()]


def single_calls(chosen):
    """What wait calls and epoll_ctl cost by themselves, and what the limit of fd_set does."""
    return {"scan": lines_of(servers.BUILD / "scan", chosen.scan_largest),
            "ctl": lines_of(servers.BUILD / "ctl", chosen.ctl_largest),
            "fdset": lines_of(servers.BUILD / "fdset")[0],
            "fdset_fortified": lines_of(servers.BUILD / "fdset-fortified")[0],
            "claims": lines_of(servers.BUILD / "claims")[0]}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few points, once: under 2 minutes")
    parser.add_argument("--model", action="append", metavar="NAME",
                        help="only this server (repeatable)")
    parser.add_argument("--write", action="store_true",
                        help="write docs/models.json, the tables of docs/models.md and the charts")
    return parser.parse_args()


def main():
    args = parse_args()
    if os.geteuid():
        sys.exit("lab: it needs root, for iophase attaches probes")
    names = servers.names()
    for name in args.model or []:
        if name not in names:
            sys.exit(f"lab: no model {name}; there are {', '.join(names)}")
    chosen = plan.QUICK if args.quick else plan.FULL
    servers.farm.end_on(signal.SIGALRM, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    signal.alarm(chosen.limit_s)

    lab = Lab(chosen, [name for name in names if name in (args.model or names)])
    about = {"date": str(datetime.date.today()), "machine": tables.machine(),
             "quick": args.quick, "size_bytes": SIZE_BYTES, "rounds": chosen.rounds,
             "measure_ms": chosen.measure_ms, "warm_ms": chosen.warm_ms,
             "server_cpu": SERVER_CPU, "driver_cpu": DRIVER_CPU,
             "load_before": os.getloadavg()[0], "limits": limits()}
    print(tables.preface(about), flush=True)
    lab.test_all()
    singles = single_calls(chosen)
    lab.run_all()
    result = {**about, "seconds": round(time.monotonic() - lab.start), **singles, **lab.result()}
    RESULT.write_text(json.dumps(result, indent=1))
    print(tables.text(result))
    print(f"\n{result['seconds']} s; all figures: {RESULT}")
    if args.write:
        document.write(result)
    return 1 if any(test["failed"] for test in lab.tests.values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(f"lab: {error}")
