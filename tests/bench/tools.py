"""The tools that are compared: how each is started, known to watch, and ended."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import workloads

HERE = pathlib.Path(__file__).resolve().parent
ATTACH_S = 30
DETACH_S = 60
SETTLED_S = 0.4
WATCHING = "watching"
# The processes that latency.bt has parameters for.
LATENCY_PIDS = 4
BY_FD = "iophase --by fd"
DOCTOR = "iophase doctor"
LONG_S = 600  # the doctor ends by itself; longer than anything here takes
# What a descriptor of an attached probe is called in /proc/PID/fd.
PROBES = ("perf_event", "bpf_link", "bpf-raw-tracepoint", "bpf_raw_tp")


class Missing(Exception):
    """A tool that cannot run here, and why."""


class Tool:
    """`share` is the part of a round's work it is given, `rare` whether it sits out most rounds."""

    def __init__(self, name, command, share=1.0, rare=False, says=None):
        self.name = name
        self.command = command
        self.share = share
        self.rare = rare
        self.says = says

    @contextlib.contextmanager
    def watching(self, pids):
        """Yields the tool's process once every probe is in place; None for no tool at all."""
        if not self.command:
            yield None
            return
        process = self.start(self.command(pids))
        try:
            yield process
            self.check_alive(process)
        finally:
            end(process)

    def start(self, argv):
        argv = [str(word) for word in argv]
        if not shutil.which(argv[0]):
            raise Missing(f"{argv[0]} is not installed")
        process = subprocess.Popen(argv, text=True, errors="replace", stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   preexec_fn=workloads.farm.die_with_parent)
        try:
            self.await_probes(process)
        except BaseException:
            end(process)
            raise
        return process

    def await_probes(self, process):
        if self.says:
            await_line(process, self.says)
            drain(process.stderr)
            time.sleep(SETTLED_S)
        else:
            drain(process.stderr)
            await_settled(process)
        self.check_alive(process)

    def check_alive(self, process):
        if process.poll() is not None:
            raise Missing(f"{self.name} ended early, status {process.returncode}")


def await_line(process, text):
    said = []
    for line in process.stderr:
        said.append(line.strip())
        if text in line:
            return
    raise Missing(" ".join(said)[-300:] or "ended without a word")


def await_settled(process):
    """For tools that do not say when they are ready: no new probe for a while."""
    deadline = time.monotonic() + ATTACH_S
    count, since = 0, time.monotonic()
    while time.monotonic() < deadline and process.poll() is None:
        now_open = count_probes(process.pid)
        if now_open != count:
            count, since = now_open, time.monotonic()
        if count and time.monotonic() - since > SETTLED_S:
            return
        time.sleep(0.02)
    raise Missing("opened no probe")


def count_probes(pid):
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            count += any(kind in os.readlink(f"/proc/{pid}/fd/{fd}") for kind in PROBES)
    return count


def drain(stream):
    """Reads on, so that the tool never waits for us."""
    threading.Thread(target=lambda: all(True for _ in stream), daemon=True).start()


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(DETACH_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def comma(pids):
    return ",".join(map(str, pids))


def strace(pids):
    targets = [word for pid in pids for word in ("-p", pid)]
    return ["strace", "-c", "-w", "-f", "-o", "/dev/null", *targets]


def bpftrace(pids):
    # A process left out is not watched, and would make the tool look cheaper than the floor.
    if len(pids) > LATENCY_PIDS:
        raise RuntimeError(f"latency.bt looks at {LATENCY_PIDS} processes, not {len(pids)}")
    return ["bpftrace", "-q", HERE / "latency.bt", *pids]


def own_tools(iophase, others=()):
    return [
        Tool("bare", None),
        Tool("floor", lambda _: [workloads.BUILD / "floor"], says=WATCHING),
        stat(iophase),
        Tool(BY_FD, lambda pids: [iophase, "--by", "fd", "-p", comma(pids)], says=WATCHING),
        Tool(DOCTOR, lambda pids: [iophase, "doctor", "-d", LONG_S, "-p", comma(pids)],
             says=WATCHING),
        *(stat(other, f"iophase {number}") for number, other in enumerate(others, 2)),
    ]


def peers(iophase):
    return [
        Tool("iophase, all processes", lambda _: [iophase], says=WATCHING),
        Tool("bpftrace histogram", bpftrace),
        Tool("syscount -L", lambda _: ["/usr/sbin/syscount", "-L"]),
        Tool("perf trace -s", lambda pids: ["perf", "trace", "-s", "-o", "/dev/null",
                                            "-p", comma(pids)], share=0.3, rare=True),
        Tool("strace -c -w -f", strace, share=0.05, rare=True, says="attached"),
    ]


def stat(iophase, name="iophase"):
    return Tool(name, lambda pids: [iophase, "-p", comma(pids)], says=WATCHING)
