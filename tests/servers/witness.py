# SPDX-License-Identifier: GPL-2.0-only
"""What others know of a process: the kernel's accounts, the server's own, strace, bpftrace."""

import collections
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

import load

PATIENCE_S = 15
EPOLL_WAITS = ("232", "281", "441")  # epoll_wait, epoll_pwait, epoll_pwait2


# The kernel's accounts.

def process_io(pid):
    """Calls and bytes of read, readv, pread, write, writev, sendfile; not of recv and send."""
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def run_times(pid):
    """Nanoseconds on a CPU, and runnable but not on one, of all its threads."""
    run_ns = delay_ns = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        words = (task / "schedstat").read_text().split()
        run_ns += int(words[0])
        delay_ns += int(words[1])
    return {"run_ns": run_ns, "delay_ns": delay_ns}


def inside(pid):
    """For each thread the number of the system call it sleeps in (None: it runs)."""
    numbers = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        word = (task / "syscall").read_text().split()[0]
        numbers[int(task.name)] = None if word == "running" else int(word)
    return numbers


def children(pid):
    """Of a process with one thread."""
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def descriptors(pid):
    """Of each open descriptor what it leads to, and its flags, as of open(2)."""
    seen = {}
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        text = entry.read_text()
        flags = int(re.search(r"^flags:\s*(\d+)", text, re.M).group(1), 8)
        seen[int(entry.name)] = (os.readlink(f"/proc/{pid}/fd/{entry.name}"), flags)
    return seen


def epoll_sets(pid):
    """The registrations with each epoll instance, by its descriptor: (descriptor, mask, data)."""
    sets = {}
    for fd, (link, _) in descriptors(pid).items():
        if link == "anon_inode:[eventpoll]":
            text = pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
            sets[fd] = {(int(tfd), int(mask, 16), int(data, 16)) for tfd, mask, data in
                        re.findall(r"^tfd:\s*(\d+) events:\s*(\w+) data:\s*(\w+)", text, re.M)}
    return sets


def runs(pid):
    """Whether one of its threads runs, or would if there were a CPU for it."""
    return any((task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def waited(pid):
    """The epoll instances, by their descriptors, in which a thread sleeps (x86-64)."""
    calls = [(task / "syscall").read_text().split()
             for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    return {int(call[1], 16) for call in calls if call[0] in EPOLL_WAITS}


def settle(pid, quiet_s=0.03, patience_s=1):
    """Waits until the process has nothing to do any more; a timer of its own may keep it busy."""
    deadline = time.monotonic() + patience_s
    seen, since = None, 0
    while time.monotonic() < deadline:
        now = run_times(pid)
        if now != seen or runs(pid):
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > quiet_s:
            return
        time.sleep(quiet_s / 5)


# The servers' accounts: each function asks over an open connection.

def redis_info(sock):
    sock.sendall(b"*2\r\n$4\r\nINFO\r\n$3\r\nall\r\n")
    size = int(load.receive_line(sock)[1:])
    text = load.receive(sock, size + 2).decode()
    figures = {name: int(value) for name, value in re.findall(r"^(\w+):(\d+)\r$", text, re.M)}
    for name, calls in re.findall(r"^cmdstat_([\w|]+):calls=(\d+)", text, re.M):
        figures[f"calls_{name}"] = int(calls)
    return figures


def nginx_status(sock):
    words = load.http_get(sock, "/status").split()
    return dict(zip(("accepts", "handled", "requests"), map(int, words[7:10])))


def memcached_stats(sock):
    sock.sendall(b"stats\r\n")
    figures = {}
    while (line := load.receive_line(sock)) != b"END\r\n":
        _, name, value = line.decode().split(None, 2)
        if value.strip().isdigit():
            figures[name] = int(value)
    return figures


def haproxy_stat(path):
    """Figures named FRONTEND.req_tot and the like."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"show stat\n")
        text = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    head, *lines = [line.split(",") for line in text.split("\n") if line]
    return {f"{line[1]}.{name}": int(value)
            for line in lines for name, value in zip(head, line) if value.isdigit()}


class Account:
    """What a server counted in the block, less what it counts for being asked."""

    def __init__(self, ask):
        self.ask = ask

    def __enter__(self):
        first = self.ask()
        self.before = self.ask()
        self.cost = difference(self.before, first)
        return self

    def __exit__(self, *_):
        self.counted = difference(difference(self.ask(), self.before), self.cost)

    def __getitem__(self, name):
        return self.counted.get(name, 0)


class Growth:
    """How much the figures of `ask()` grew in the block; asking costs the process nothing."""

    def __init__(self, ask):
        self.ask = ask

    def __enter__(self):
        self.before = self.ask()
        return self

    def __exit__(self, *_):
        self.figures = difference(self.ask(), self.before)

    def __getitem__(self, name):
        return self.figures[name]


def difference(after, before):
    return {name: value - before.get(name, 0) for name, value in after.items()}


# Other tracers.

class Tracer:
    """A tracer that runs for the block; afterwards parse() reads what it `said`."""

    def __enter__(self):
        self.said = b""
        self.output = tempfile.NamedTemporaryFile(prefix="iophase-witness-", mode="r")
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        try:
            self._await_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, *_):
        self._end()
        if kind is None:
            self.parse()
        self.output.close()

    def _await_ready(self):
        deadline = time.monotonic() + PATIENCE_S
        stdout = self.process.stdout
        while not re.search(self.READY, self.said, re.S):
            left = deadline - time.monotonic()
            part = left > 0 and select.select([stdout], [], [], left)[0] and stdout.read1()
            if not part:
                raise RuntimeError(f"{self.command()[0]} does not attach: {self.said[-300:]!r}")
            self.said += part

    def _end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.said += self.process.communicate(timeout=PATIENCE_S)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


class Strace(Tracer):
    """`counts[call]` says for each system call: calls, eagain, eintr, zero, ok, value.

    `value` sums what the successful calls returned: bytes, or ready descriptors."""

    READY = rb"attached"
    LINE = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed).* = (-?\d+)(?: (E\w+))?")

    def __init__(self, pid, calls):
        self.pid = pid
        self.calls = calls
        self.counts = collections.defaultdict(collections.Counter)

    def command(self):
        return ["strace", "-f", "-s", "0", "-e", "trace=" + ",".join(self.calls),
                "-o", self.output.name, "-p", str(self.pid)]

    def parse(self):
        for line in self.output:
            if match := self.LINE.match(line):
                call, value, error = match.groups()
                self._count(self.counts[call], int(value), error)

    @staticmethod
    def _count(counts, value, error):
        counts["calls"] += 1
        if error:
            counts[{"EAGAIN": "eagain", "EINTR": "eintr"}.get(error, "errors")] += 1
        else:
            counts["ok" if value else "zero"] += 1
            counts["value"] += value


class Bpftrace(Tracer):
    """Count and wall time of a single thread's system calls, and how often and long it was
    runnable inside them, in slices of time of CLOCK_MONOTONIC."""

    READY = rb"(tick.*){3}"
    SLICE_NS = 10_000_000
    PREEMPTED = 0x100  # as sched_switch reports it; 0 is a thread that yields
    PROGRAM = """
interval:ms:50 { printf("tick\\n"); }
tracepoint:sched:sched_waking /args->pid == TID/ { @runnable = nsecs; }
tracepoint:sched:sched_switch
/args->prev_pid == TID && (args->prev_state % PREEMPTED == 0 || @runnable)/ { @runnable = nsecs; }
tracepoint:sched:sched_switch /args->next_pid == TID && @runnable/ {
    if (@inside) { @slices["runnable", nsecs / SLICE] = stats(nsecs - @runnable); }
    @runnable = 0;
}
"""
    PROBES = """
tracepoint:syscalls:sys_enter_CALL /tid == TID/ { @begun = nsecs; @inside = 1; @runnable = 0; }
tracepoint:syscalls:sys_exit_CALL /tid == TID && @inside/ {
    @slices["CALL", nsecs / SLICE] = stats(nsecs - @begun);
    @inside = 0;
}
"""

    def __init__(self, tid, calls):
        program = self.PROGRAM + "".join(self.PROBES.replace("CALL", call) for call in calls)
        self.program = program.replace("TID", str(tid)).replace("SLICE", str(self.SLICE_NS))
        self.program = self.program.replace("PREEMPTED", str(self.PREEMPTED))
        self.slices = collections.defaultdict(dict)

    def command(self):
        return ["bpftrace", "-f", "json", "-e", self.program]

    def parse(self):
        for line in self.said.splitlines():
            if b'"@slices"' in line:
                for key, figures in json.loads(line)["data"]["@slices"].items():
                    call, number = key.split(",")
                    self.slices[call][int(number)] = figures["count"], figures["total"]

    def total(self, call, from_ns, to_ns):
        """Count and nanoseconds in the slices that lie wholly between the two moments."""
        first, last = -(-from_ns // self.SLICE_NS), to_ns // self.SLICE_NS
        inner = [figures for number, figures in self.slices[call].items() if first <= number < last]
        return [sum(column) for column in zip(*inner)] or [0, 0]
