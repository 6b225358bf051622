#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""iophase doctor on the command line: what is refused, its help, its rules and thresholds."""

import pathlib
import re
import subprocess
import sys

import cli
from cli import Failure
from documents import DOCS
from subject import doctor, narrow, rules, thresholds

# Arguments, and what must be said about them; all are usage errors.
REFUSED = {
    "unknown long option": (["--nonsense"], "--nonsense"),
    "unknown short option": (["-y"], "'y'"),
    "option of stat": (["--by", "fd"], "--by"),
    "an interval": (["1"], "no arguments, but options: -d SEC, -p PID: '1'"),
    "an argument": (["nginx"], "'nginx'"),
    "duration text": (["-d", "soon"], "-d: seconds are needed, not: 'soon'"),
    "duration 0": (["-d", "0"], "-d"),
    "set nothing": (["--set"], "requires an argument"),
    "set empty": (["--set", ""], "--set: no such threshold, see --rules: ''"),
    "set unknown": (["--set", "nonsense.ms=1"], "no such threshold, see --rules: 'nonsense.ms=1'"),
    "set a rule": (["--set", "lt-spin=1"], "no such threshold, see --rules: 'lt-spin=1'"),
    "set without a name": (["--set", "=1"], "no such threshold"),
    "set the beginning of a name": (["--set", "lt-spin.rep=1"], "no such threshold"),
    "set without a value": (["--set", "lt-spin.reports"], "--set: a number is needed"),
    "set an empty value": (["--set", "lt-spin.reports="], "--set: a number is needed"),
    "set text": (["--set", "lt-spin.reports=few"], "a number is needed: 'lt-spin.reports=few'"),
    "set with a unit": (["--set", "slow-turn.ms=50ms"], "--set: a number is needed"),
    "set negative": (["--set", "slow-turn.ms=-1"], "--set: a number is needed"),
    "set not a number": (["--set", "slow-turn.ms=nan"], "--set: a number is needed"),
    "set endless": (["--set", "slow-turn.ms=inf"], "--set: a number is needed"),
    "set too much": (["--set", "slow-turn.ms=1e10"], "--set: a number is needed"),
    "set, the second of two": (["--set", "slow-turn.ms=1", "--set", "x"], "no such threshold"),
    "fail-on nothing": (["--fail-on"], "requires an argument"),
    "fail-on unknown": (["--fail-on", "fatal"], "info, warning or critical, not: 'fatal'"),
    "fail-on empty": (["--fail-on", ""], "info, warning or critical, not: ''"),
    "colour nonsense": (["--color", "pink"], "--color"),
    "pid text": (["-p", "init"], "-p: no process id: 'init'"),
    "output empty": (["-o", ""], "-o"),
    "no command after --": (["--"], "no command after '--'"),
    "a command and a process": (["-p", "1", "--", "true"], "exclude each other"),
}

OPTIONS = """-p --pid -t --tid -n --comm -u --uid -c --cgroup --no-follow -d --duration -j --json
-o --output --color --backend -v --verbose -q --quiet -V --version -h --help --set --fail-on
--rules""".split()


def refused(words, said):
    result = doctor(*words).ends(2, "iophase: ", said)
    result.check(result.err.count("\n") <= 2, "more than two lines")


def help_text():
    result = narrow(doctor("--help").ends(0, out=b"Usage: iophase"))
    missing = [word for word in OPTIONS
               if not re.search(rf"(?m)^ .*{word}\b", result.out.decode())]
    result.check(not missing, f"not in the help: {missing}")
    taken = set(re.findall(r"--[a-z-]+", doctor("--usage").ends(0, out=b"Usage").out.decode()))
    result.check(taken <= set(OPTIONS), f"options not documented: {taken - set(OPTIONS)}")
    if doctor("-h").out != result.out:
        raise Failure("-h and --help differ")


def rules_listed():
    """All rules, in their order, with all thresholds, each below its rule."""
    result = narrow(doctor("--rules").ends(0, out=b"needs: "))
    listed, said = [], {}
    for line in result.out.decode().splitlines():
        if not line.startswith(" "):
            listed.append(line)
        elif found := re.match(r"    (\S+) = (\S+) ", line):
            said[found[1]] = found[2]
            result.check(found[1].startswith(listed[-1] + "."), f"{line} below {listed[-1]}")
    result.check(listed == rules() and listed, f"rules {listed}")
    result.check(said == thresholds() and said, f"thresholds {said}")
    needs = result.out.count(b"\n    needs: ")
    result.check(needs == len(listed), f"{needs} needs")


def documented():
    """docs/doctor.md has each rule in both tables, and each threshold with its default."""
    text = (DOCS / "doctor.md").read_text(encoding="utf-8")
    missing = [rule for rule in rules() if len(re.findall(rf"(?m)^\| {rule} \|", text)) != 2]
    missing += [name for name, value in thresholds().items()
                if not re.search(rf"(?m)^\| `{re.escape(name)}` \| {re.escape(value)} ", text)]
    if missing:
        raise Failure(f"not in docs/doctor.md: {missing}")


def rules_unwritten():
    with open("/dev/full", "wb") as full:
        child = subprocess.run([cli.IOPHASE, "doctor", "--rules"], stdout=full,
                               stderr=subprocess.PIPE, timeout=cli.TIMEOUT_S, check=False)
    if child.returncode != 1 or b"No space left" not in child.stderr:
        raise Failure(f"status {child.returncode}, {child.stderr!r}")


def all_set():
    """Each threshold that is listed can be set."""
    words = [word for name, value in thresholds().items() for word in ("--set", f"{name}={value}")]
    doctor(*words, "--rules").ends(0, out=b"needs: ")


def absent():
    beyond = pathlib.Path("/proc/sys/kernel/pid_max").read_text().strip()
    doctor("-d", 5, "-p", beyond).ends(1, f"iophase: no such process: {beyond}")


TESTS = [
    *((f"refused: {name}", lambda words=words: refused(*words)) for name, words in REFUSED.items()),
    ("help: complete, 80 columns", help_text),
    ("--rules: all rules and thresholds", rules_listed),
    ("--rules that cannot be written", rules_unwritten),
    ("docs/doctor.md: all rules and thresholds", documented),
    ("--set: all thresholds", all_set),
    ("absent process", absent),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
