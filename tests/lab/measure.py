# SPDX-License-Identifier: GPL-2.0-only
"""One measurement: a server with its clients, what the clients saw, what it took, and its phases."""

import json
import pathlib
import select
import subprocess

import servers

IOPHASE = servers.ROOT / "iophase"
PATIENCE_S = 120
WATCH_PATIENCE_S = 60
PHASES = ("blocked", "runnable", "kernel", "copy")


class Unserved(Exception):
    """Not all of the connections are served; the text says what was."""


class Driver:
    """The clients, in a process of their own."""

    def __init__(self, port, connections, size, cpu):
        self.process = subprocess.Popen(
            [servers.BUILD / "driver", "-s", str(size), str(port), str(connections)],
            preexec_fn=servers.prepare(cpu, None), text=True, bufsize=1,
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


def load(server, driver, active, think_us, warm_ms, measure_ms):
    """One run of the load, with what the server took for it."""
    pids = processes_of(server)
    before = spent(pids)
    driver.begin(active, think_us, warm_ms, measure_ms)
    answer = driver.end()
    cpu_ns, switches = (now - then for now, then in zip(spent(pids), before))
    total = max(answer["total"], 1)
    return {"rate": answer["rate"], "p50_ns": answer["p50_ns"], "p99_ns": answer["p99_ns"],
            "requests": answer["requests"], "driver_cpu": answer["driver_cpu"],
            "cpu_ns": round(cpu_ns / total), "switches": round(switches / total, 3)}


def watch(server, driver, active, think_us, seconds):
    """The phases of the server under the same load, by iophase, in a run of its own."""
    told = subprocess.Popen([IOPHASE, "-j", "-d", str(seconds), "-p", str(server.pid)], text=True,
                            preexec_fn=servers.farm.die_with_parent, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    try:
        attached = told.stderr.readline()
        if "watching" not in attached:
            return {"error": attached.strip() or "iophase ended"}
        driver.begin(active, think_us, 0, int(seconds * 1000))
        report, words = told.communicate(timeout=WATCH_PATIENCE_S)
        driver.end()
    finally:
        servers.farm.stop(told)
    return {"error": words.strip()[-200:]} if told.returncode else summary(json.loads(report))


def summary(report):
    """Nanoseconds of each phase for a request, all calls together; None where nothing was seen.

    Each answer is one output call; a model that sends without one has no figures here.
    """
    rows = report["rows"]
    requests = sum(row["calls"] for row in rows if row["class"] == "output")

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
            "lost": sum(report["lost"].values())}
