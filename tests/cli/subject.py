# SPDX-License-Identifier: GPL-2.0-only
"""Programs of tests/doctor, for iophase doctor to watch, and its tables of rules and thresholds."""

import json
import os
import pathlib
import re
import select

import cli
from cli import Failure, iophase

USER = cli.ROOT / "user/doctor"
PROGRAMS = cli.ROOT / ".output/tests/doctor"
FAULT = ("level", "spin-eof", "fault")  # a spin: found in an instant
STALL = ("edge", "undrained-unix", "fault")  # it sleeps, and something waits
IDLE = ("quiet", "idle", "healthy")
HUNG = ("turns", "hung", "fault")  # it has waited once, and will not again
FOUND, NONE = b"lt-spin: ", b"nothing found; watched for "
QUICK = ("-q", "-d", 0.3)
# The tests beside it take its CPU, which is true, and not what is asked here.
UNHURRIED = ("--set", "cpu-starved.share=1e9", "--set", "slow-turn.ms=1e9")


def doctor(*options, **how):
    return iophase("doctor", *options, **how)


def narrow(result):
    """80 columns, but for a word, or a frame of a stack, that is longer; no blanks at the end."""
    lines = result.out.decode("ascii").splitlines()
    bad = [line for line in lines if line != line.rstrip()
           or (len(line) > 80
               and not re.fullmatch(r" +\S+|  where +.*| {12}\S+\+0x.*|LOST: .*", line))]
    return result.check(not bad, f"wider than 80 columns, or ends in blanks: {bad}")


def rows_of(name, macro):
    """The rows of a table of the program: the strings of each, joined as C does."""
    text = (USER / name).read_text(encoding="utf-8")
    for row in re.findall(rf"(?ms)^{macro}\((.*?)\)$", text):
        words = re.findall(r'(?s)"(?:[^"]|"\s+")*"', row)
        yield [re.sub(r'"\s*"', "", word) for word in words], row


def rules():
    return [words[0].strip('"') for words, _ in rows_of("rules.def", "RULE")]


def thresholds():
    """{name: (default, least)}"""
    found = {}
    for words, row in rows_of("thresholds.def", "THRESHOLD"):
        found[words[0].strip('"')] = re.search(r'", ([0-9.]+), ([0-9.]+),', row).groups()
    return found


class Subject(cli.Started):
    """A program of tests/doctor that told the truth already: `subject` is whom to watch."""

    def __init__(self, program, *words):
        if not os.access(PROGRAMS / program, os.X_OK):
            raise Failure("make doctor-build was not run")
        super().__init__(PROGRAMS / program, *words)
        try:
            self.truth = self._hear()
        except BaseException:
            self.__exit__()
            raise
        self.subject = self.truth["pid"]

    def _hear(self):
        if not select.select([self.process.stdout], [], [], cli.TIMEOUT_S)[0]:
            raise Failure("no truth")
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"no truth: {self.process.communicate()[1]}")
        return json.loads(line)


def diagnosed(program, *options, **how):
    with Subject(*program) as subject:
        return subject.truth, doctor("-p", subject.subject, *options, **how)


def await_reports(subject):
    """Until it has spun some more, of which the clock of its process tells."""
    stat = pathlib.Path(f"/proc/{subject.subject}/schedstat")
    begin = int(stat.read_text().split()[0])
    cli.await_that(lambda: int(stat.read_text().split()[0]) > begin + 100_000_000, "100 ms of CPU")
