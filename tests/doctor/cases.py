# SPDX-License-Identifier: GPL-2.0-only
"""
The table of cases: what runs, what the doctor has to find there, and what else is true of it.

What the keys of a truth's evidence mean, by which run.py compares them with those of a finding:
    left                what is left in the descriptor, in the units of docs/descriptors.md
    stall_ms            how long it was left, while the loop slept
    drain_ms            how long one descriptor was drained
    waited_ms           how long a ready one waited for that
    blocked_ms          how long a call, or a turn, slept
    turn_ms, on_cpu_ms  how long a turn took, and how much of it on the CPU
    runnable_ms_per_s   waited for a CPU
    spins_per_s         waits, or reads, that brought nothing
    cpu_ms_per_s        what they cost
    reports_per_s, ebadf_per_s   reports of a file that is closed; attempts to remove it
    eagain_share        of the reads
    workers, wakeups_per_accept, largest_share   of a herd, and of unequal workers
    asked, scanned_per_ready, nfds, maxevents, full_share, ctl_per_event
A key X_ms may be X_ns there, and is looked for in `cost` as well.
"""

import collections
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ROOT / ".output/tests/doctor"
PYTHON = "/usr/bin/python3"

FAULT_S = 3
RARE_S = 6
HEALTHY_S = 3

# rules: must be found (none: the doctor is silent). allowed: true there too. anyone: a finding may
# be of another process or thread than the one that told the truth. needs: a file that must be.
Case = collections.namedtuple("Case", "name argv rules allowed seconds anyone needs")

# What is true of a turn as well when a call in it takes long.
SLOW = ("slow-turn",)
BLOCKS = ("blocking-in-loop", *SLOW)

ALL = ("fault", "rare", "healthy")
NOT_RARE = ("fault", "healthy")


def scene(label, command, rule, *, allowed=(), variants=ALL, seconds=None, anyone=False,
          needs=None):
    """The variants of a scene; in the healthy one nothing is to be said."""
    *argv, name = command
    for variant in variants:
        healthy = variant == "healthy"
        default = {"fault": FAULT_S, "rare": RARE_S, "healthy": HEALTHY_S}[variant]
        yield Case(f"{label} {name} {variant}", [str(word) for word in (*argv, name, variant)],
                   () if healthy or not rule else (rule,), () if healthy else tuple(allowed),
                   seconds or default, anyone, needs or argv[0])


def c(program, name, rule=None, **more):
    return scene(program, (PROGRAMS / program, name), rule, **more)


def quiet(program, name):
    return c(program, name, variants=("healthy",))


def spoken_to(label, command, name, rule, *, size=100, pause_ms=10, patience_ms=0, **more):
    """A program in another language, with its client."""
    return scene(label, (PROGRAMS / "talk", size, pause_ms, patience_ms, *command, name), rule,
                 **more)


def python(name, rule, **more):
    return spoken_to("python", (PYTHON, HERE / "loops.py"), name, rule, **more)


def node(name, rule, **more):
    return spoken_to("node", ("node", HERE / "loop.js"), name, rule,
                     needs=shutil.which("node") or "node", **more)


def java(name, rule, **more):
    return spoken_to("java", ("java", "-XX:TieredStopAtLevel=1", "-cp", PROGRAMS, "Nio"), name,
                     rule, needs=PROGRAMS / "Nio.class", **more)


def go(name, rule, **more):
    return spoken_to("go", (PROGRAMS / "gopher",), name, rule, needs=PROGRAMS / "gopher", **more)


LONG = {"size": 6000, "pause_ms": 1, "patience_ms": 400}  # a question that takes two reads

FAULTS = [
    *(c("edge", f"undrained-{kind}", "et-undrained")
      for kind in ("tcp", "unix", "pipe", "udp", "garbage", "threads")),
    c("edge", "accept-once", "et-accept-once"),
    c("edge", "oneshot", "oneshot-not-rearmed"),
    *(c("edge", f"lost-out-{kind}", "lost-out-edge") for kind in ("tcp", "unix")),
    c("edge", "starvation", "et-starvation", allowed=SLOW, variants=NOT_RARE),
    *(c("edge", name, "et-blocking-fd", allowed=BLOCKS, variants=NOT_RARE)
      for name in ("blocking-fd", "blocking-for-ever")),

    *(c("level", f"spin-{kind}", "lt-spin")
      for kind in ("out", "threads", "hup", "mask0", "err", "errqueue", "timerfd", "eventfd", "eof",
                   "emfile")),
    c("level", "stale-dup", "stale-fd", allowed=("lt-spin",), variants=NOT_RARE),
    # What comes for the closed file is left in it.
    *(c("level", name, "stale-fd", allowed=("et-undrained",), variants=NOT_RARE)
      for name in ("stale-dup-et", "stale-fork")),

    *(c("waits", f"busy-{call}", "zero-timeout", variants=NOT_RARE)
      for call in ("epoll", "poll", "select")),
    *(c("waits", name, "eagain-polling", variants=NOT_RARE)
      for name in ("eagain-polling", "eagain-napping")),
    *(c("waits", f"scan-{call}", "scan-waste", variants=NOT_RARE) for call in ("poll", "select")),
    *(c("waits", f"setsize-{how}", "fd-setsize", variants=NOT_RARE) for how in ("over", "near")),
    c("waits", "batch-full", "batch-full", variants=NOT_RARE),
    c("waits", "ctl-churn", "ctl-churn", variants=NOT_RARE),

    *(c("turns", f"slow-{how}", "slow-turn") for how in ("cpu", "sleep", "lock")),
    c("turns", "hung", "slow-turn", variants=NOT_RARE),
    *(c("blocks", how, "blocking-in-loop", allowed=SLOW) for how in ("pipe", "write")),
    *(c("blocks", how, "blocking-in-loop", allowed=SLOW, variants=NOT_RARE, seconds=4)
      for how in ("connect", "disk-read", "fsync", "read", "accept")),
    c("turns", "cpu-starved", "cpu-starved", allowed=SLOW, variants=NOT_RARE),

    *(c("herd", name, "herd", variants=NOT_RARE, anyone=True) for name in ("threads", "fork")),
    c("herd", "accept-skew", "accept-skew", variants=NOT_RARE, anyone=True, seconds=4),
]

LANGUAGES = [
    python("undrained", "et-undrained", **LONG),
    python("spin-out", "lt-spin"),
    python("zero-timeout", "zero-timeout", variants=NOT_RARE),
    python("asleep", "slow-turn", pause_ms=5),
    python("blocking-recv", "blocking-in-loop", pause_ms=5, allowed=SLOW),
    node("busy", "slow-turn", pause_ms=5),
    node("fifo", "blocking-in-loop", pause_ms=5, allowed=SLOW),
    java("select-now", "zero-timeout", variants=NOT_RARE),
    java("op-write", "lt-spin"),
    java("unread", "lt-spin"),
    go("undrained", "et-undrained", **LONG),
    go("eagain", "eagain-polling", variants=NOT_RARE),
]

BUGS = [
    c("bugs", "kecho", "et-accept-once", variants=NOT_RARE),
    *(c("bugs", name, "lt-spin", variants=NOT_RARE) for name in ("libuv", "cups", "node")),
    c("bugs", "uwsgi", "herd", variants=NOT_RARE, anyone=True),
    c("bugs", "quickjs", "fd-setsize", variants=NOT_RARE),
    scene("bugs", (PYTHON, HERE / "prefork.py", "gunicorn"), "herd", variants=NOT_RARE,
          anyone=True),
    python("asyncore", "lt-spin", variants=NOT_RARE),
]

SILENCE = [
    *(quiet("quiet", name) for name in (
        "eventfd-et", "timerfd-et", "out-et", "one-read", "capped", "short-read", "exact-read",
        "one-accept", "ready-bits", "rate-limit", "rate-out", "pipelined", "backpressure-short",
        "backpressure-long", "user-buffer", "several-sets", "idle", "nested", "inherited")),
    *(quiet("edge", name) for name in ("oneshot-worker", "dontwait")),
    *(quiet("waits", name) for name in (
        "look-then-wait", "scan-few", "scan-seldom", "setsize-constant", "batch-of-one",
        "ctl-rearm")),
    *(quiet("herd", name) for name in ("blocking-accept", "shared-set")),
]

CASES = [case for scenes in (FAULTS, LANGUAGES, BUGS, SILENCE) for each in scenes for case in each]
