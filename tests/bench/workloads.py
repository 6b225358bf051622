"""What the tools are measured on: small loads that only make calls, and real servers."""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / ".output/tests/bench"
sys.path.insert(0, str(ROOT / "tests/servers"))

import farm  # noqa: E402

PATIENCE_S = 60
SERVER_CPU = max(os.sched_getaffinity(0))
CLIENT_CPU = min(os.sched_getaffinity(0))


class Load:
    """A load in C that stays alive and runs when told to; see load.h."""

    def __init__(self, name, *args, steps, cpu=SERVER_CPU):
        self.steps = steps
        self.process = subprocess.Popen([BUILD / name, "-c", str(cpu), *map(str, args)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{name} {args} cannot be set up")

    def run(self, share=1.0):
        """{"wall_ns", "cpu_ns"} of one step; `share` of the usual number of steps."""
        self.process.stdin.write(f"{int(self.steps * share) + 1}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        farm.stop(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class ServerLoad:
    """A server on one CPU under a client on another; a step is a request."""

    def __init__(self, name):
        self.server = farm.Server(name)
        self.pid = self.server.pid
        for tid in tasks_of(self.pid):
            os.sched_setaffinity(tid, {SERVER_CPU})

    def run(self, share=1.0):
        """{"cpu_ns", "rate"}: the server's CPU time per request, and requests per second."""
        before = cpu_ns(self.pid)
        requests, rate = self.drive(share)
        return {"cpu_ns": (cpu_ns(self.pid) - before) / requests, "rate": rate}

    def drive(self, share):
        raise NotImplementedError

    def stop(self):
        self.server.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Redis(ServerLoad):
    REQUESTS = 50000

    def __init__(self):
        super().__init__("redis")

    def drive(self, share):
        requests = int(self.REQUESTS * share)
        text = client("redis-benchmark", "-p", self.server.port, "-c", 50, "-n", requests,
                      "-t", "get", "--csv")
        return requests, float(text.splitlines()[-1].split(",")[1].strip('"'))


class Nginx(ServerLoad):
    SECONDS = 1

    def __init__(self):
        super().__init__("nginx")

    def drive(self, share):
        # wrk counts whole seconds; a slow tool only makes it serve fewer requests.
        text = client("wrk", "-t", 1, "-c", 32, "-d", f"{self.SECONDS}s",
                      f"http://127.0.0.1:{self.server.port}/page")
        requests = int(re.search(r"(\d+) requests in", text)[1])
        return requests, float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])


def client(*argv):
    def pin():
        farm.die_with_parent()
        os.sched_setaffinity(0, {CLIENT_CPU})

    return subprocess.run([str(word) for word in argv], preexec_fn=pin, timeout=PATIENCE_S,
                          check=True, text=True, stdout=subprocess.PIPE).stdout


def tasks_of(pid):
    return [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]


def cpu_ns(pid):
    """CPU time of a process, in ns: the scheduler's own figure, not clock ticks."""
    return sum(int(path.read_text().split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
