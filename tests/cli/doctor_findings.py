#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What iophase doctor prints, where it goes, and its exit codes. Whether what it says is true is
tested by tests/doctor.
"""

import contextlib
import os
import re
import sys

import cli
from cli import Failure
from documents import Schema, as_json
from subject import (FAULT, FOUND, HUNG, IDLE, NONE, PROGRAMS, QUICK, STALL, UNHURRIED, Subject,
                     diagnosed, doctor, narrow)

HOSTILE = [b"\x1b[2J\x1b[31m", b"a\rb\bc", b"nl\nnl", b"\x9b31m\xc2\x9b1m", b'q"u,o;t\\e',
           b"\xff\xfe\x7f", b"caf\xc3\xa9", b"%s%n", b"a  b"]
RAW = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")


def fail_on(level, program, status, out):
    diagnosed(program, *QUICK, "--fail-on", level)[1].ends(status, out=out)


def critical():
    """A second of waiting, whatever else the machine does."""
    _, result = diagnosed(HUNG, "-q", "-d", 1.2, "--fail-on", "critical")
    result.ends(3, out=b"critical: slow-turn: ")


def where_it_hangs():
    """Since before the watch, in nothing that is watched."""
    truth, result = diagnosed(HUNG, "-q", "-d", 1.2)
    text = " ".join(narrow(result.ends(0, out=b"slow-turn: ")).out.decode().split())
    for part in (rf"slow-turn: turns, pid {truth['pid']} ",
                 r"2 descriptors that it is to watch have something to be read; the only thread ",
                 r" where pause\+0x", r"serve_and_hang\+0x[0-9a-f]+ \(turns\.c:\d+\)",
                 r" confidence medium ", r" watched for [0-9.]+s: 1 process, "):
        result.check(re.search(part, text), f"no {part!r}")


def mild():
    """What is a warning is not critical: no CPU time, and no second of waiting."""
    with Subject("edge", "accept-once", "fault") as subject:
        for level, status in (("info", 3), ("warning", 3), ("critical", 0)):
            doctor("-p", subject.subject, "-q", "-d", 0.8, *UNHURRIED, "--fail-on", level).ends(
                status, out=b"warning: et-accept-once: ")


def silenced():
    """The same program, with patience, and then with none."""
    with Subject(*FAULT) as subject:
        doctor("-p", subject.subject, *QUICK).ends(0, out=FOUND)
        doctor("-p", subject.subject, *QUICK, "--set", "lt-spin.reports=1e9", *UNHURRIED,
               "--fail-on", "info").ends(0, out=NONE)


def provoked():
    """select for descriptor 100, which is far from 1023."""
    with Subject("waits", "setsize-near", "healthy") as subject:
        doctor("-p", subject.subject, *QUICK, *UNHURRIED).ends(0, out=NONE)
        doctor("-p", subject.subject, *QUICK, *UNHURRIED, "--set", "fd-setsize.nfds=100").ends(
            0, out=b"fd-setsize: ")


def last_set_counts():
    diagnosed(FAULT, *QUICK, "--set", "lt-spin.reports=1e9", "--set", "lt-spin.reports=1",
              "--fail-on", "info")[1].ends(3, out=FOUND)


@cli.shared
def fault():
    return diagnosed(FAULT, *QUICK)


def text_found():
    """Who, what, how much, what it costs, where, what to change, and what would disprove it."""
    truth, result = fault()
    result.ends(0, out=FOUND)
    text = " ".join(result.out.decode().split())
    result.check(re.search(rf"(warning|critical): lt-spin: level, pid {truth['pid']}, descriptor "
                           rf"{truth['fd']}, tcp 127\.0\.0\.1:\d+-127\.0\.0\.1:\d+ ", text), "who")
    for part in (r" evidence spins=\d+, spins_per_s=",
                 r'kind="it is at its end, and kept registered", last_call',
                 r" cost [\d.]+ ms of CPU time in each second ",
                 r" where epoll_wait\+0x", r"\(level\.c:\d+\)", r" change close it", r" not so if ",
                 r" watched for \d+ms: 1 process, 1 loop, \d+ descriptors, \d+ calls, \w+ backend"):
        result.check(re.search(part, text), f"no {part!r}")
    result.check(NONE not in result.out, "nothing found, besides")
    narrow(result)


def text_none():
    """One line: what was watched, and for how long."""
    _, result = diagnosed(IDLE, *QUICK)
    narrow(result.ends(0, out=NONE))
    result.check(re.match(r"nothing found; watched for \d+ms: \d+ process(es)?, \d+ loops?, \d+ "
                          r"descriptors?, \d+ calls?, \w+ backend( |$)",
                          " ".join(result.out.decode().split())), "not as it should be")


def note():
    """Without -q, what is watched is said on stderr."""
    _, result = diagnosed(IDLE, "-d", 0.2)
    result.ends(0, "iophase: watching 1 thread", out=NONE)


def file_written(options, wanted):
    with cli.scratch() as directory:
        out = directory / "out"
        out.write_text("old")
        diagnosed(FAULT, *QUICK, "-o", out, *options)[1].ends(0)
        if wanted not in out.read_bytes() or [path.name for path in directory.iterdir()] != ["out"]:
            raise Failure(f"{out.read_bytes()[:300]}")


def file_failing():
    """A finding that cannot be written is a failure, not a finding."""
    diagnosed(FAULT, *QUICK, "--fail-on", "info", "-o", "/dev/full")[1].ends(
        1, "cannot write /dev/full: No space left on device")


def colored(wanted, options=(), **environment):
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    env.update({"TERM": "xterm", **environment})
    _, result = diagnosed(FAULT, *QUICK, *options, env=env)
    result.ends(0, out=FOUND).check((b"\x1b" in result.out) == wanted, f"colour {not wanted}")
    result.check(re.search(rb"(warning|critical)(\x1b\[0m)?: lt-spin", result.out),
                 "the severity is not said in words")


def colored_terminal(wanted, **environment):
    with Subject(*FAULT) as subject:
        out = on_terminal("-p", subject.subject, *QUICK,
                          env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment})
    if FOUND not in out or (b"\x1b" in out) != wanted:
        raise Failure(f"colour {not wanted}: {out[:300]!r}")


def on_terminal(*options, env):
    main, other = os.openpty()
    out = b""
    with cli.Started(cli.IOPHASE, "doctor", *options, env=env, stdout=other) as watch:
        os.close(other)
        # A terminal fails when its other side is closed.
        with contextlib.suppress(OSError):
            while part := os.read(main, 4096):
                out += part
        os.close(main)
        watch.result().ends(0)
    return out


@cli.shared
def hostile(*options):
    """Of programs with these names, which mostly sleep: what is said of them all."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(cli.scratch())
        pids = {}
        for name in HOSTILE:
            path = directory / os.fsdecode(name)
            path.symlink_to(PROGRAMS / STALL[0])
            pids[name] = stack.enter_context(Subject(path, *STALL[1:])).subject
        words = ("-p", ",".join(map(str, pids.values())), "-q", "-d", 1, *UNHURRIED, *options)
        return pids, doctor(*words)


def names_text():
    _, result = hostile()
    narrow(result.ends(0, out=b"et-undrained: "))
    result.check(not RAW.search(result.out), "raw bytes")
    result.check(result.out.count(b": et-undrained: ") == len(HOSTILE), "not one for each")
    result.check(b": et-undrained: a  b, pid " in result.out, "blanks lost")


def names_json():
    pids, result = hostile("-j")
    found = Schema("doctor.schema.json").validated(result.ends(0, out=b"{").out)["findings"]
    said = {finding["tgid"]: finding["comm"] for finding in found}
    wanted = {pid: as_json(name) for name, pid in pids.items()}
    result.check(said == wanted, f"{said}, not {wanted}")


TESTS = [
    ("text, with a finding", text_found),
    ("text, with none", text_none),
    ("note", note),
    *((f"--fail-on {level}, with a finding", lambda level=level: fail_on(level, FAULT, 3, FOUND))
      for level in ("info", "warning")),
    ("--fail-on critical, with a finding", critical),
    ("text, of what hangs", where_it_hangs),
    *((f"--fail-on {level}, with none", lambda level=level: fail_on(level, IDLE, 0, NONE))
      for level in ("info", "warning", "critical")),
    ("--fail-on, a warning", mild),
    ("--set silences", silenced),
    ("--set provokes", provoked),
    ("--set twice", last_set_counts),
    ("-o", lambda: file_written([], FOUND)),
    ("-o, -j", lambda: file_written(["-j"], b'"lt-spin"')),
    ("-o, file system full", file_failing),
    ("colour, not a terminal", lambda: colored(False)),
    ("colour, --color=always", lambda: colored(True, ["--color=always"], NO_COLOR="1")),
    ("colour, --color=never", lambda: colored(False, ["--color=never"])),
    ("colour, a terminal", lambda: colored_terminal(True)),
    ("colour, a terminal, NO_COLOR", lambda: colored_terminal(False, NO_COLOR="1")),
    ("colour, a terminal, TERM=dumb", lambda: colored_terminal(False, TERM="dumb")),
    ("names in text", names_text),
    ("names in JSON", names_json),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
