# SPDX-License-Identifier: GPL-2.0-only
"""One measurement: a server under load, what its clients saw, what it took, and its phases."""

import json
import os
import pathlib
import select
import subprocess
import time

import servers

IOPHASE = servers.ROOT / "iophase"
PATIENCE_S = 120
WATCH_PATIENCE_S = 60
LOST_ELSEWHERE = ("hist_full",)  # no part of these sums
PHASES = ("blocked", "runnable", "kernel", "copy")


class Unserved(Exception):
    """Not all of the connections are served; the text says what was."""


class Unwatched(Exception):
    """iophase does not run; the text says why."""


class Driver:
    """The clients, in a process of their own."""

    def __init__(self, port, connections, size, cpu):
        self.process = subprocess.Popen(
            [servers.BUILD / "driver", "-s", str(size), str(port), str(connections)],
            preexec_fn=servers.prepare(cpu, None), start_new_session=True, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self._answer()
        except BaseException:
            self.stop()
            raise

    def begin(self, active, think_us, warm_ms, measure_ms):
        self.process.stdin.write(f"{active} {think_us} {warm_ms} {measure_ms}\n")

    def end(self):
        return self._answer()

    def _answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError("the driver gives no answer")
        answer = json.loads(line)
        if "error" in answer:
            raise Unserved(f"{answer['served']} clients were served, then: {answer['error']}")
        return answer

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(servers.END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def processes_of(server):
    return [server.pid, *servers.children_of(server.pid)]


def spent(pids):
    """(CPU ns, times put on a CPU) of all threads of some processes, by the scheduler's account."""
    cpu_ns = switches = 0
    for pid in pids:
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            on_cpu, _, times = path.read_text().split()
            cpu_ns += int(on_cpu)
            switches += int(times)
    return cpu_ns, switches


def resident_kib(pids):
    """What it has in memory; what several processes share is divided between them."""
    return sum(int(line.split()[1]) for pid in pids
               for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
               if line.startswith("Pss:"))


def kernel_kib():
    """Kernel stacks and page tables of the whole machine: what threads and processes take there."""
    with open("/proc/meminfo") as info:
        return sum(int(line.split()[1]) for line in info
                   if line.startswith(("KernelStack:", "PageTables:", "SecPageTables:")))


def busy_s():
    """CPU time that all of the machine has used, in seconds."""
    with open("/proc/stat") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    idle, waiting = ticks[3:5]
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def load(server, driver, active, think_us, warm_ms, measure_ms):
    """One run of the load, with what the server took for it, and what else ran meanwhile."""
    pids = processes_of(server)
    before, busy, start = spent(pids), busy_s(), time.monotonic()
    driver.begin(active, think_us, warm_ms, measure_ms)
    answer = driver.end()
    wall_s, busy = time.monotonic() - start, busy_s() - busy
    cpu_ns, switches = (now - then for now, then in zip(spent(pids), before))
    total = max(answer["total"], 1)
    others = busy - cpu_ns / 1e9 - answer["driver_cpu"] * answer["seconds"]
    return {"rate": answer["rate"], "p50_ns": answer["p50_ns"], "p99_ns": answer["p99_ns"],
            "requests": answer["requests"], "driver_cpu": answer["driver_cpu"],
            "cpu_ns": round(cpu_ns / total), "switches": round(switches / total, 3),
            "others": round(max(others, 0) / wall_s, 2)}


def watched(server, driver, active, think_us, seconds, *options):
    """What iophase says of the server, in a run of its own, and how many answers were given."""
    told = subprocess.Popen([IOPHASE, "-j", "-d", str(seconds), "-p", str(server.pid), *options],
                            text=True, preexec_fn=servers.prepare_watcher, start_new_session=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        attached = told.stderr.readline()
        if "watching" not in attached:
            raise Unwatched(attached.strip() or "it ended")
        driver.begin(active, think_us, 0, int(seconds * 1000))
        try:
            report, words = told.communicate(timeout=WATCH_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Unwatched(f"it does not end in {WATCH_PATIENCE_S} s") from None
        finally:
            answers = driver.end()["total"]
    finally:
        servers.farm.stop(told)
    if told.returncode:
        raise Unwatched(words.strip()[-200:])
    return json.loads(report), answers


def phases(server, driver, active, think_us, seconds):
    return summary(*watched(server, driver, active, think_us, seconds))


def recognised(server, driver, active, seconds):
    """The models of input that iophase sees, with their shares of the calls, the largest first."""
    report, _ = watched(server, driver, active, 0, seconds, "--by", "process,model")
    shares = {}
    for row in report["rows"]:
        share = (row.get("share") or {}).get("calls")
        if share is not None:
            shares[row["model"]] = max(share, shares.get(row["model"], 0))
    return sorted(shares.items(), key=lambda item: -item[1])


def summary(report, answers):
    """Nanoseconds of each phase for a request, all calls together; None where nothing was seen.

    Each answer is one output call; where a model sends without one, those are counted that the
    clients had.
    """
    rows = report["rows"]
    requests = sum(row["calls"] for row in rows if row["class"] == "output") or answers

    def total(name):
        known = [row[name] for row in rows if row.get(name) is not None]
        return sum(known) if known else None

    def per_request(value):
        return round(value / requests, 1) if requests and value is not None else None

    scanned, ready = total("scanned"), total("ready")
    return {**{phase: per_request(total(f"{phase}_ns")) for phase in PHASES},
            "requests": requests, "calls": per_request(total("calls")),
            "scanned_per_ready": round(scanned / ready, 2) if scanned and ready else None,
            "waits": sorted({row["call"] for row in rows if row["class"] == "wait"}),
            "lost": sum(number for name, number in report["lost"].items()
                        if name not in LOST_ELSEWHERE)}
