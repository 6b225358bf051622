#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""iophase doctor on the command line: what is refused, its help, its rules and thresholds."""

import collections
import pathlib
import re
import subprocess
import sys

import cli
from cli import Failure
from documents import DOCS
from subject import doctor, narrow, rules, thresholds

# A rule that goes by the thresholds of another.
SHARED = {"et-accept-once": "et-undrained"}

# Arguments, and what must be said about them; all are usage errors.
REFUSED = {
    "unknown long option": (["--nonsense"], "--nonsense"),
    "unknown short option": (["-y"], "'y'"),
    "option of stat": (["--by", "fd"], "--by"),
    "an interval": (["1"], "no arguments, but options: -d SEC, -p PID: '1'"),
    "an argument": (["nginx"], "'nginx'"),
    "duration text": (["-d", "soon"], "-d: seconds are needed, not: 'soon'"),
    "duration 0": (["-d", "0"], "-d"),
    "duration hexadecimal": (["-d", "0x1"], "-d: seconds are needed, not: '0x1'"),
    "set nothing": (["--set"], "requires an argument"),
    "set empty": (["--set", ""], "--set: no such threshold, see --rules: ''"),
    "set unknown": (["--set", "nonsense.ms=1"], "no such threshold, see --rules: 'nonsense.ms=1'"),
    "set a rule": (["--set", "lt-spin=1"], "no such threshold, see --rules: 'lt-spin=1'"),
    "set without a name": (["--set", "=1"], "no such threshold"),
    "set the beginning of a name": (["--set", "lt-spin.rep=1"], "no such threshold"),
    **{f"set {what}": (["--set", f"{name}{value}"],
                       f"--set: a number from {least} to 1e+09 is needed ({unit}): '{name}{value}'")
       for what, name, value, least, unit in (
           ("without a value", "lt-spin.reports", "", 1, "reports"),
           ("an empty value", "lt-spin.reports", "=", 1, "reports"),
           ("text", "lt-spin.reports", "=few", 1, "reports"),
           ("with a unit", "slow-turn.ms", "=50ms", 1, "ms"),
           ("negative", "slow-turn.ms", "=-1", 1, "ms"),
           ("with a sign", "slow-turn.ms", "=+1", 1, "ms"),
           ("with a blank", "slow-turn.ms", "= 1", 1, "ms"),
           ("hexadecimal", "slow-turn.ms", "=0x10", 1, "ms"),
           ("not a number", "slow-turn.ms", "=nan", 1, "ms"),
           ("endless", "slow-turn.ms", "=inf", 1, "ms"),
           ("too much", "slow-turn.ms", "=1e10", 1, "ms"),
           ("0", "fd-setsize.nfds", "=0", 100, "descriptors"),
           ("too little", "cpu-starved.share", "=0.0009", 0.001, "of the time"))},
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
-o --output --html --color --backend -v --verbose -q --quiet -V --version -h --help --set --fail-on
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
    listed, said = [], collections.defaultdict(dict)
    text = re.sub(r"\n {8}", " ", result.out.decode())
    for line in text.splitlines():
        if not line.startswith(" "):
            listed.append(line)
        elif found := re.match(r"    (\S+) = (\S+) .*\((\S+) or more\)$", line):
            said[listed[-1]][found[1]] = found[2], found[3]
        elif line == "    no threshold: one is enough":
            said[listed[-1]] = {}
    result.check(listed == rules() and listed, f"rules {listed}")
    wanted = {rule: {name: value for name, value in thresholds().items()
                     if name.startswith(SHARED.get(rule, rule) + ".")} for rule in rules()}
    result.check(said == wanted, f"thresholds {dict(said)}")
    needs = text.count("\n    needs: ")
    result.check(needs == len(listed), f"{needs} needs")


def documented():
    """docs/doctor.md has each rule in both tables, each threshold with its default and least."""
    text = (DOCS / "doctor.md").read_text(encoding="utf-8")
    missing = [rule for rule in rules() if len(re.findall(rf"(?m)^\| {rule} \|", text)) != 2]
    missing += [name for name, (value, least) in thresholds().items()
                if not re.search(rf"(?m)^\| `{re.escape(name)}` \| {re.escape(value)} [^|]*\| "
                                 rf"{re.escape(least)} \|", text)]
    if missing:
        raise Failure(f"not in docs/doctor.md: {missing}")


def rules_unwritten():
    with open("/dev/full", "wb") as full:
        child = subprocess.run([cli.IOPHASE, "doctor", "--rules"], stdout=full,
                               stderr=subprocess.PIPE, timeout=cli.TIMEOUT_S, check=False)
    if child.returncode != 1 or b"No space left" not in child.stderr:
        raise Failure(f"status {child.returncode}, {child.stderr!r}")


def all_set():
    """Each threshold that is listed can be set, down to the least value."""
    words = [word for name, values in thresholds().items() for value in values
             for word in ("--set", f"{name}={value}")]
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
