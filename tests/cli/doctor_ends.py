#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""How iophase doctor ends: by a signal, with its targets, with its command."""

import os
import signal
import sys

import cli
from documents import Schema
from subject import (FAULT, FOUND, IDLE, NONE, PROGRAMS, Subject, await_reports, doctor)


def interrupted(number, options, status):
    """In the middle: what was found so far."""
    with Subject(*FAULT) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-p", subject.subject, "-d", 60, *options) as watch:
            watch.await_word(b"iophase: watching")
            await_reports(subject)
            watch.stop(number).ends(status, out=FOUND)


def target_ends(number):
    """It is over when the target is, and what it did before is told."""
    with Subject(*FAULT) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-p", subject.subject, "-d", 60) as watch:
            watch.await_word(b"iophase: watching")
            await_reports(subject)
            os.kill(subject.subject, number)
            watch.result().ends(0, out=FOUND)


def target_ends_json():
    with Subject(*FAULT) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-j", "-p", subject.subject, "-d", 60) as watch:
            watch.await_word(b"iophase: watching")
            await_reports(subject)
            os.kill(subject.subject, signal.SIGKILL)
            result = watch.result().ends(0, out=b"{")
    document = Schema("doctor.schema.json").validated(result.out)
    rules_found = [finding["rule"] for finding in document["findings"]]
    result.check("lt-spin" in rules_found, f"{rules_found}")


def target_dead_at_once():
    """Before anything was seen of it."""
    with Subject(*IDLE) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-p", subject.subject, "-d", 60) as watch:
            watch.await_word(b"iophase: watching")
            os.kill(subject.subject, signal.SIGKILL)
            watch.result().ends(0, out=NONE)


def ended_before():
    """While the hooks were attached, as it seems: nothing was found, for nothing was watched."""
    with cli.ended() as pid:
        doctor("-p", pid, "--fail-on", "info").ends(
            1, f"iophase: process {pid} ended before it could be watched")


def command(script, status, *options):
    """Its own status is passed on, and its stdout is its own."""
    result = doctor(*options, "--", "sh", "-c", f"echo through; {script}")
    result.ends(status, "nothing found; watched for ", out=b"through\n")
    result.check(result.out == b"through\n", "something else on stdout")


def command_absent():
    doctor("-q", "--", "iophase-absent").ends(127, "iophase-absent: No such")


def command_found():
    """A command that is at fault, for as long as it runs; its own status comes first."""
    with cli.scratch() as directory:
        out = directory / "out"
        program = ("timeout", "1", PROGRAMS / FAULT[0], *FAULT[1:])
        for words, wanted in ((program, 124), (("sh", "-c", '"$@"; exit 0', "sh", *program), 3)):
            result = doctor("-q", "-o", out, "--fail-on", "warning", "--", *words)
            result.check(result.status == wanted and FOUND in out.read_bytes(),
                         f"{wanted} and a finding expected: {out.read_bytes()[:300]}")


TESTS = [
    ("SIGINT in the middle", lambda: interrupted(signal.SIGINT, (), 0)),
    ("SIGTERM in the middle", lambda: interrupted(signal.SIGTERM, (), 0)),
    ("SIGINT in the middle, --fail-on",
     lambda: interrupted(signal.SIGINT, ("--fail-on", "warning"), 3)),
    ("the target is killed", lambda: target_ends(signal.SIGKILL)),
    ("the target ends", lambda: target_ends(signal.SIGTERM)),
    ("the target is killed, JSON", target_ends_json),
    ("the target is killed, nothing was seen", target_dead_at_once),
    ("the target ended before the watch", ended_before),
    ("status of the command", lambda: command("exit 7", 7)),
    ("status 0 of the command", lambda: command(":", 0)),
    ("status of the command, --fail-on", lambda: command("exit 7", 7, "--fail-on", "info")),
    ("command killed", lambda: command("kill -9 $$", 137)),
    ("command not found", command_absent),
    ("command with a fault", command_found),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
