#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What the doctor says of real servers in which nothing is known to be wrong: long runs, outside CI.
Each finding above info is printed in full, to be examined (docs/doctor-healthy.md); a table ends it.
"""

import argparse
import collections
import contextlib
import fnmatch
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/servers"))

import clients  # noqa: E402
import farm  # noqa: E402
from clients import Crowd  # noqa: E402

SECONDS = 600
GRACE_S = 60
SETTLE_S = 1
QUIET = "info"
STARVED = "cpu-starved"
LOAD = ROOT / "tests/servers/load.py"

Case = collections.namedtuple("Case", "server state scene")
Outcome = collections.namedtuple("Outcome", "seconds calls findings")


class Unable(Exception):
    pass


class Busy:
    """A load generator that runs until the block ends, begun again whenever it ends."""

    def __init__(self, *argv):
        self.argv = [str(word) for word in argv]
        self.over = threading.Event()
        self.process = None

    def __enter__(self):
        self.thread = threading.Thread(target=self._drive, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        process = self.process
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self.thread.join(5)

    def _drive(self):
        while not self.over.is_set():
            self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                            start_new_session=True)
            self.process.wait()
            self.over.wait(0.1)


def wrk(port, path="/page", connections=16):
    return Busy("wrk", "-t", 1, "-c", connections, "-d", 10, f"http://127.0.0.1:{port}{path}")


def talkers(port, *more):
    return Busy(farm.PYTHON, LOAD, "echo", "--port", port, "--connections", 10, "--seconds", 10,
                *more)


class Talk:
    """Sets and gets, by a client that verifies all answers."""

    def __init__(self, port):
        self.code = (f"import sys; sys.path.insert(0, {str(LOAD.parent)!r}); import load; "
                     f"load.memcached(load.connect({port}, 10), 20000)")

    def begin(self):
        return Busy(farm.PYTHON, "-c", self.code)


# Scenes: each yields the server to watch while its clients are at work.

@contextlib.contextmanager
def serve(name, *begin, setup=b"", **options):
    with farm.Server(name, **options) as server, contextlib.ExitStack() as stack:
        if setup:
            clients.say(server.port, setup)
        for each in begin:
            stack.enter_context(each(server))
        yield server


def crowd(questions, *kinds):
    return lambda server: Crowd(server.port, questions, *kinds)


def common(name, questions, load, **options):
    """The states that every server is met in."""
    scene = functools.partial(serve, name, **options)
    yield "load", lambda: scene(load)
    yield "idle", lambda: scene(crowd(questions, *clients.IDLE))
    yield "slow clients", lambda: scene(crowd(questions, *clients.SLOW * 2))
    yield "vanishing clients", lambda: scene(crowd(questions, *clients.VANISHING * 2))
    yield "large requests", lambda: scene(crowd(questions, *clients.LARGE))
    yield "all at once", lambda: scene(
        load, crowd(questions, *clients.SLOW, *clients.VANISHING, *clients.LARGE))


@contextlib.contextmanager
def behind(front, *begin, **options):
    """A server in front of an nginx."""
    with farm.Server("nginx", **options) as back, \
            serve(front, *begin, backend=back.port) as server:
        yield server


WEB = clients.http("/page", "/large")
DRIPPED = clients.http("/page", "/dripped")
BUFFERED = clients.http("/proxy/page", "/proxy/large")
THROUGH = clients.http("/through/page", "/through/large")
SLOW_BACK = clients.http("/proxy/page", "/proxy/dripped")
SLOW_THROUGH = clients.http("/through/page", "/through/dripped")


def nginx():
    yield from common("nginx", WEB, lambda server: wrk(server.port))
    yield "four workers", lambda: serve(
        "nginx", lambda server: wrk(server.port), crowd(WEB, *clients.VANISHING * 2), workers=4)
    yield "sendfile", lambda: serve("nginx", lambda server: wrk(server.port, "/large", 4),
                                    crowd(WEB, *clients.SLOW * 2))
    yield "limited rate", lambda: serve(
        "nginx", crowd(DRIPPED, *clients.SLOW, *clients.LARGE, *clients.VANISHING))
    yield "proxy load", lambda: behind("nginx", lambda server: wrk(server.port, "/proxy/page"))
    for label, questions in (("proxy", BUFFERED), ("unbuffered proxy", THROUGH),
                             ("proxy, slow upstream", SLOW_BACK),
                             ("unbuffered proxy, slow upstream", SLOW_THROUGH)):
        yield label, functools.partial(behind, "nginx", crowd(
            questions, *clients.SLOW, *clients.LARGE, *clients.VANISHING))


def haproxy():
    slow_back = clients.http("/page", "/dripped")
    load = (lambda server: wrk(server.port),)
    for state, begin in (("load", load), ("idle", (crowd(WEB, *clients.IDLE),)),
                         ("slow clients", (crowd(WEB, *clients.SLOW * 2),)),
                         ("vanishing clients", (crowd(WEB, *clients.VANISHING * 2),)),
                         ("large requests", (crowd(WEB, *clients.LARGE),)),
                         ("slow backend", (crowd(slow_back, *clients.SLOW, *clients.LARGE,
                                                 *clients.VANISHING),)),
                         ("all at once", (*load, crowd(WEB, *clients.SLOW, *clients.VANISHING,
                                                       *clients.LARGE)))):
        yield state, functools.partial(behind, "haproxy", *begin)


def bench(server, *more):
    return Busy("redis-benchmark", "-p", server.port, "-q", "-n", 200000, "-t", "set,get,lpush",
                *more)


FILL = (b"EVAL \"for i=1,300000 do redis.call('set','k'..i,i) redis.call('lpush','list',i) end\" 0"
        b"\r\n")


def keys(server):
    """A true slow turn: all of the keys, and a long sort, while others ask."""
    ask = f"redis-cli -p {server.port}"
    return Busy("sh", "-c", f"{ask} keys '*' | tail -1; sleep 0.5; {ask} sort list limit 0 9;"
                            " sleep 1")


def redis():
    start = functools.partial(serve, "redis")
    yield from common("redis", clients.REDIS, bench, setup=clients.REDIS_SETUP)
    yield "pipelines", lambda: start(lambda server: bench(server, "-P", 64))
    yield "append-only file", lambda: start(bench, appendonly="yes")
    yield "KEYS (a true slow turn)", lambda: start(
        lambda server: Busy("redis-benchmark", "-p", server.port, "-q", "-n", 50000, "-c", 5,
                            "-t", "get"), keys, setup=FILL)


def pgbench(server, *more):
    return Busy("pgbench", "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", "-n", "-T", 10,
                "-c", 4, *more, "postgres")


def sql(server, text, reader="cat >/dev/null", end=""):
    return Busy("sh", "-c", f"{end} psql -h 127.0.0.1 -p {server.port} -U postgres -qc \"{text}\" |"
                f" {reader}; sleep 0.5")


COPY = "copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"
SLOW_READER = "while head -c 4096 >/dev/null && sleep 0.02; do :; done"
NOISE = clients.same(b"\0\0\0\x08\x04\xd2\x16\x2f")  # asks for TLS


def filled(server):
    """It accepts connections before it takes questions."""
    where = ("-h", "127.0.0.1", "-p", str(server.port))
    while subprocess.run(["pg_isready", "-q", *where], check=False).returncode:
        if server.process.poll() is not None:
            raise Unable("postgres does not serve")
        time.sleep(0.1)
    subprocess.run(["pgbench", *where, "-U", "postgres", "-iq", "-s", "5", "postgres"], check=True,
                   capture_output=True, timeout=GRACE_S)
    return contextlib.nullcontext()


def postgres():
    start = functools.partial(serve, "postgres", filled)
    yield "load", lambda: start(pgbench)
    yield "idle", lambda: start(lambda server: pgbench(server, "-R", 1))
    yield "slow clients", lambda: start(
        *(lambda server: sql(server, COPY, SLOW_READER),) * 3,
        lambda server: Crowd(server.port, NOISE, clients.speaks_slowly))
    yield "vanishing clients", lambda: start(
        *(lambda server: sql(server, COPY, SLOW_READER, "timeout -s KILL 0.7"),) * 3,
        lambda server: Crowd(server.port, NOISE, *clients.VANISHING))
    yield "large requests", lambda: start(
        *(lambda server: sql(server, COPY),) * 2, lambda server: pgbench(server, "-M", "prepared"))
    yield "all at once", lambda: start(
        lambda server: pgbench(server, "-C"), lambda server: sql(server, COPY, SLOW_READER),
        lambda server: Crowd(server.port, NOISE, *clients.VANISHING))


SERVERS = {
    "nginx": nginx,
    "redis": redis,
    "haproxy": haproxy,
    "memcached": lambda: common("memcached", clients.MEMCACHED,
                                lambda server: Talk(server.port).begin(),
                                setup=clients.MEMCACHED_SETUP),
    "postgres": postgres,
    **{name: functools.partial(common, name, clients.ECHO, lambda server: talkers(server.port))
       for name in ("node", "java", "go", "asyncio")},
}


def cases():
    for name, states in SERVERS.items():
        for state, scene in states():
            yield Case(name, state, scene)


def diagnose(iophase, pid, seconds):
    """The document of a run of the doctor on a process and its children."""
    with tempfile.TemporaryDirectory(prefix="iophase-healthy-") as tmp:
        out = pathlib.Path(tmp, "out.json")
        done = subprocess.run([iophase, "doctor", "-j", "-o", out, "-p", str(pid), "-d",
                               str(seconds)], capture_output=True, text=True, check=False,
                              timeout=seconds + GRACE_S, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise Unable(f"iophase doctor: exit status {done.returncode}: {done.stderr.strip()}")
        return json.loads(out.read_text())


def run_delays(pid):
    """{(process, thread): ns} that these and their children have waited for a CPU so far."""
    delays = {}
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            delays[pid, int(task.name)] = int((task / "schedstat").read_text().split()[1])
            for child in (task / "children").read_text().split():
                delays |= run_delays(int(child))
    return delays


class RunDelays:
    """
    What threads wait for a CPU during the block; of those that end before it does, until they were
    looked at last.
    """
    EVERY_S = 0.5

    def __init__(self, pid):
        self.pid = pid
        self.over = threading.Event()

    def __enter__(self):
        self.before = self.after = run_delays(self.pid)
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.after = self.after | run_delays(self.pid)

    def _look(self):
        while not self.over.wait(self.EVERY_S):
            self.after = self.after | run_delays(self.pid)

    def witness(self, finding, seconds):
        """Of a loop that says it has no CPU: what the scheduler says, in the same words."""
        if finding["rule"] != STARVED:
            return
        threads = finding["evidence"]["threads"]
        ns = sum(ns - self.before.get(who, 0) for who, ns in self.after.items()
                 if who[0] == finding["tgid"] and (threads > 1 or who[1] == finding["tid"]))
        finding["schedstat_ms_per_s"] = ns / 1e6 / seconds / threads


def starved_indeed(finding):
    return finding["schedstat_ms_per_s"] > 0.7 * finding["evidence"]["runnable_ms_per_s"]


def examine(case, args, seconds):
    with case.scene() as server:
        time.sleep(SETTLE_S)
        root = server.process.pid
        if args.show:
            print(f"# {case.server}, {case.state}: process {root}, port {server.port}", flush=True)
        with RunDelays(root) as delays:
            document = diagnose(args.iophase, root, seconds)
        if server.process.poll() is not None:
            raise Unable(f"{case.server} ended under the watch")
    for finding in document["findings"]:
        delays.witness(finding, document["duration_ns"] / 1e9)
    lost = {name: count for name, count in document["lost"].items() if count}
    if lost:
        print(f"# {case.server}, {case.state}: lost {lost}", flush=True)
    return Outcome(document["duration_ns"] / 1e9, document["watched"]["calls"],
                   document["findings"])


def print_findings(case, outcome):
    for finding in outcome.findings:
        if finding["severity"] != QUIET:
            print(f"{case.server}, {case.state}: {json.dumps(finding)}", flush=True)


def label(finding):
    true = finding["rule"] == STARVED and starved_indeed(finding)
    return f"{finding['rule']} (true)" if true else finding["rule"]


def counts(findings, loud):
    rules = collections.Counter(label(finding) for finding in findings
                                if (finding["severity"] != QUIET) == loud)
    return ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items())) or "-"


def table(outcomes):
    yield "| server | state | seconds | calls | findings | remarks (info) |"
    yield "|---|---|---:|---:|---|---|"
    for case, outcome in outcomes:
        yield (f"| {case.server} | {case.state} | {outcome.seconds:.0f} | {outcome.calls} |"
               f" {counts(outcome.findings, True)} | {counts(outcome.findings, False)} |")


def chosen(args):
    for case in cases():
        name = f"{case.server} {case.state}"
        if not args.only or any(fnmatch.fnmatch(name, f"*{only}*") for only in args.only):
            yield case


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iophase", type=pathlib.Path, default=ROOT / "iophase")
    parser.add_argument("--seconds", type=float, metavar="N",
                        help="for each state (default: 10 minutes for each server)")
    parser.add_argument("--only", action="append", metavar="PATTERN",
                        help="servers and states by their names")
    parser.add_argument("--show", action="store_true", help="say what is watched, to look there too")
    parser.add_argument("--list", action="store_true", help="name the states and run none")
    return parser.parse_args()


def main():
    args = parse_args()
    wanted, outcomes = list(chosen(args)), []
    states = collections.Counter(case.server for case in wanted)
    if args.list:
        for case in wanted:
            print(case.server, case.state, sep="\t")
        return 0
    if os.geteuid():
        raise SystemExit("needs root")
    farm.end_on(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for case in wanted:
        if not farm.installed(case.server):
            print(f"# {case.server} is not installed", flush=True)
            continue
        try:
            outcome = examine(case, args, args.seconds or SECONDS / states[case.server])
        except (Unable, OSError, subprocess.SubprocessError, RuntimeError) as error:
            print(f"# {case.server}, {case.state}: not run: {error}", flush=True)
            continue
        print_findings(case, outcome)
        outcomes.append((case, outcome))
    print(*table(outcomes), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
