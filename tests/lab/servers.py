# SPDX-License-Identifier: GPL-2.0-only
"""The servers of the lab, each in a process of its own, and what the kernel says of them."""

import contextlib
import json
import os
import pathlib
import resource
import select
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / ".output/tests/lab"
sys.path.insert(0, str(HERE.parent / "servers"))

import farm  # noqa: E402

PYTHON_SELECTORS = ("select", "poll", "epoll")
START_S = 10
END_S = 20  # thousands of processes do not end at once
EXIT_LACKING = 77
MEASURED_NICE = -20  # what has a CPU of its own is measured: other work is to disturb it little


class Lacking(Exception):
    """This kernel does not have what the model needs; the text says what."""


def names():
    """Those in C as the server itself lists them, then those in Python."""
    listed = subprocess.run([BUILD / "server", "-l"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    return ([line.partition("\t")[0] for line in listed.splitlines()] +
            [f"python-{selector}" for selector in PYTHON_SELECTORS])


def argv_of(name, port):
    language, _, selector = name.partition("-")
    if language == "python":
        return [farm.PYTHON, HERE / "selector.py", selector, str(port)]
    return [BUILD / "server", name, str(port)]


def come_first():
    """Ahead of what else runs: by niceness, or by that of its session where sessions share."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, MEASURED_NICE)
        pathlib.Path("/proc/self/autogroup").write_text(str(MEASURED_NICE))


def prepare_watcher():
    """The same for iophase, of which the attaching would take long on a busy machine."""
    farm.die_with_parent()
    come_first()


def prepare(cpu, limits):
    """What a child does, in a session of its own, before it becomes the program."""
    def act():
        farm.die_with_parent()
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
            come_first()
        for which, value in (limits or {}).items():
            resource.setrlimit(which, (value, value))
    return act


class Server:
    """Runs on `cpu`, with hard `limits`; says what it is on its first line."""

    def __init__(self, name, port=0, cpu=None, limits=None):
        self.name = name
        self.process = subprocess.Popen(argv_of(name, port), start_new_session=True, text=True,
                                        preexec_fn=prepare(cpu, limits), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        try:
            says = json.loads(self._first_line())
        except BaseException:
            self.stop()
            raise
        self.port = says["port"]
        self.about = says["about"]
        self.clients_max = says.get("clients_max")
        self.clients_why = says.get("clients_why")

    def _first_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_S)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return line
        self.process.kill()
        words = self.process.stderr.read().strip()
        if self.process.wait() == EXIT_LACKING:
            raise Lacking(words)
        raise RuntimeError(words or "the server says nothing")

    def died(self):
        """What it said when it ended by itself, or None."""
        if self.process.poll() is None:
            return None
        return f"the server ended, status {self.process.returncode}: " \
               f"{self.process.stderr.read().strip()[-200:]}"

    def words(self):
        """The first line that it said on standard error, when it has said one."""
        ready, _, _ = select.select([self.process.stderr], [], [], 0)
        return self.process.stderr.readline().strip() if ready else ""

    def stop(self):
        """Ends it and its children, which it started and which are in its process group."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def children_of(pid):
    try:
        return [int(word) for word in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
