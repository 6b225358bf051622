#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The command line: what is refused, with which message and exit code, and the help."""

import pathlib
import re
import subprocess
import sys

import cli
from cli import Failure, iophase

# Arguments, and what must be said about them; all are usage errors.
REFUSED = {
    "unknown long option": (["--nonsense"], "--nonsense"),
    "unknown short option": (["-y"], "'y'"),
    "unknown option of stat": (["stat", "--nonsense"], "iophase: unrecognized option"),
    "option without its argument": (["-p"], "requires an argument"),
    "unknown command": (["frobnicate"], "no such command: 'frobnicate'"),
    "unknown call": (["-e", "read,nonsense"], "no such call or class: 'nonsense'"),
    "no call": (["-e", ""], "no such call or class"),
    "interval 0": (["0"], "interval"),
    "interval 0, stat": (["stat", "0"], "interval"),
    "interval text": (["stat", "abc"], "interval in seconds is needed, not: 'abc'"),
    "interval with a unit": (["1s"], "'1s'"),
    "interval negative": (["-1"], "invalid option -- '1'"),
    "interval endless": (["stat", "inf"], "'inf'"),
    "count 0": (["1", "0"], "count"),
    "count text": (["1", "x"], "count of intervals is needed, not: 'x'"),
    "third number": (["1", "2", "3"], "one argument too many"),
    "duration text": (["-d", "soon"], "-d: seconds are needed, not: 'soon'"),
    "duration 0": (["-d", "0"], "-d"),
    "duration negative": (["-d", "-3"], "-d"),
    "duration empty": (["-d", ""], "-d"),
    "pid text": (["-p", "init"], "-p: no process id: 'init'"),
    "pid 0": (["-p", "0"], "-p"),
    "pid list with a hole": (["-p", "1,,2"], "-p"),
    "pid too large": (["-p", "99999999999"], "-p"),
    "tid text": (["-t", "x"], "-t: no thread id: 'x'"),
    "uid text": (["-u", "root"], "-u: no user id: 'root'"),
    "comm empty": (["-n", ""], "-n"),
    "min-us text": (["-m", "1ms"], "-m: microseconds are needed, not: '1ms'"),
    "by nonsense": (["--by", "nonsense"], "--by: no such row: 'nonsense'"),
    "by empty": (["--by", ""], "--by"),
    "sort nonsense": (["--sort", "nonsense"], "--sort: no such key: 'nonsense'"),
    "format nonsense": (["--format", "xml"], "--format: no such format: 'xml'"),
    "colour nonsense": (["--color", "pink"], "--color"),
    "top 0": (["-N", "0"], "-N"),
    "backend nonsense": (["--backend", "kprobe"], "--backend: no such backend: 'kprobe'"),
    "backend nonsense, probes": (["probes", "--backend", "kprobe"], "no such backend: 'kprobe'"),
    "an interval of top that is none": (["top", "soon"], "interval in seconds is needed, not: 'soon'"),
    "two arguments of top": (["top", "1", "2"], "one argument too many: '2'"),
    "unknown option of top": (["top", "--nonsense"], "--nonsense"),
    "option of stat, top": (["top", "--by", "fd"], "--by"),
    "a command, top": (["top", "--", "true"], "top runs no command"),
    "probes with an argument": (["probes", "all"], "one argument too many: 'all'"),
    "unknown option of probes": (["probes", "--nonsense"], "--nonsense"),
    "output empty": (["-o", ""], "-o"),
    "no command after --": (["--"], "no command after '--'"),
    "no command after options and --": (["-d", "1", "--"], "no command after '--'"),
    "a command and a process": (["-p", "1", "--", "true"], "exclude each other"),
    "a command and a name": (["-n", "x", "--", "true"], "exclude each other"),
}

OPTIONS = """-p --pid -t --tid -n --comm -u --uid -c --cgroup --no-follow -e --calls -m --min-us
-S --stacks -f --folded
-x --failed -d --duration -T --timestamp --by -s --sort -N --top -j --json --format -o --output
--html -S --stacks -f --folded --color --backend -v --verbose -q --quiet -V --version -h --help""".split()


def refused(words, said):
    result = iophase(*words).ends(2, "iophase: ", said)
    result.check(result.err.count("\n") <= 2, "more than two lines")


def help_text():
    """Every option there is, on at most 80 columns, on stdout."""
    result = iophase("--help").ends(0, out=b"Usage: iophase")
    text = result.out.decode()
    result.check(not result.err, "something on stderr")
    missing = [word for word in OPTIONS if not re.search(rf"(?m)^ .*{word}\b", text)]
    result.check(not missing, f"not in the help: {missing}")
    # What the parser takes is what --usage lists.
    taken = set(re.findall(r"--[a-z-]+", iophase("--usage").ends(0, out=b"Usage").out.decode()))
    result.check(taken <= set(OPTIONS), f"options not documented: {taken - set(OPTIONS)}")
    long = [line for line in text.splitlines() if len(line) > 80 or line != line.rstrip()]
    result.check(not long, f"wider than 80 columns, or ends in blanks: {long}")
    if iophase("-h").out != result.out or iophase("stat", "-h").out != result.out:
        raise Failure("-h, --help and stat -h differ")


def version():
    for option in ("-V", "--version"):
        result = iophase(option).ends(0, out=b"iophase ")
        result.check(re.fullmatch(rb"iophase \d+\.\d+\.\d+\n", result.out), "no version")


def unwritten(option):
    with open("/dev/full", "wb") as full:
        child = subprocess.run([cli.IOPHASE, option], stdout=full, stderr=subprocess.PIPE,
                               timeout=cli.TIMEOUT_S, check=False)
    if child.returncode != 1 or b"No space left" not in child.stderr:
        raise Failure(f"status {child.returncode}, {child.stderr!r}")


def absent(option, what):
    beyond = pathlib.Path("/proc/sys/kernel/pid_max").read_text().strip()
    iophase("-d", 5, option, beyond).ends(1, f"iophase: no such {what}: {beyond}")


def one_absent():
    beyond = pathlib.Path("/proc/sys/kernel/pid_max").read_text().strip()
    with cli.target() as target:
        iophase("-d", 5, "-p", f"{target.pid},{beyond}").ends(1, f"no such process: {beyond}")


def thread_for_process():
    with cli.target("--threads", 1) as target:
        cli.await_that(lambda: target.err.endswith(b"\n"), "the thread's id")
        tid = target.err.split()[-1].decode()
        iophase("-d", 5, "-p", tid).ends(1, f"no such process: {tid}", f"-t {tid}")


def command_fault(argv, status, said):
    result = iophase("-q", "--", *argv).ends(status, said)
    result.check("seen," not in result.err, "a table of nothing")


def command_status(script, status):
    iophase("--", "sh", "-c", script).ends(status, "seen, ")


def command_streams():
    """Its streams are its own: it reads our stdin, and only it writes to stdout."""
    result = cli.run([cli.IOPHASE, "--", "tr", "a-z", "A-Z"], stdin=subprocess.DEVNULL)
    result.ends(0, "seen, ")
    child = subprocess.run([cli.IOPHASE, "-q", "--", "tr", "a-z", "A-Z"], input=b"through\n",
                           capture_output=True, timeout=cli.TIMEOUT_S, check=False)
    if child.stdout != b"THROUGH\n" or child.returncode:
        raise Failure(f"status {child.returncode}, stdout {child.stdout!r}")


def no_cgroup(path, said):
    iophase("-d", 5, "-c", path).ends(1, f"iophase: {path}: {said}")


TESTS = [
    *((f"refused: {name}", lambda words=words: refused(*words)) for name, words in REFUSED.items()),
    ("help: complete, 80 columns", help_text),
    ("version", version),
    ("help that cannot be written", lambda: unwritten("--help")),
    ("version that cannot be written", lambda: unwritten("--version")),
    ("absent process", lambda: absent("-p", "process")),
    ("absent thread", lambda: absent("-t", "thread")),
    ("one of two processes absent", one_absent),
    ("a thread where a process is needed", thread_for_process),
    ("no cgroup of version 2", lambda: no_cgroup("/proc", "not a cgroup of version 2")),
    ("absent cgroup", lambda: no_cgroup("/sys/fs/absent", "No such file or directory")),
    ("command not found",
     lambda: command_fault(["iophase-absent"], 127, "iophase-absent: No such")),
    ("command not found, path",
     lambda: command_fault(["/absent/iophase"], 127, "/absent/iophase: No such")),
    ("command not executable",
     lambda: command_fault(["/etc/passwd"], 126, "/etc/passwd: Permission denied")),
    ("command is a directory", lambda: command_fault(["/etc"], 126, "/etc: Permission denied")),
    ("status of the command", lambda: command_status("exit 7", 7)),
    ("status 0 of the command", lambda: command_status(":", 0)),
    ("command killed by SIGKILL", lambda: command_status("kill -9 $$", 137)),
    ("command killed by SIGTERM", lambda: command_status("kill $$", 143)),
    ("streams of the command", command_streams),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
