#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
iophase top in real terminals: what is on the screen of each size, what each key does, and that the
terminal is given back, however it ends.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from terminal import Terminal, cli, Failure

from cli import Skip

PROGRAMS = cli.ROOT / ".output/tests/doctor"
BLOCKS = "\u2591\u2592\u2593\u2588"
HOSTILE = b"\x1b[2J\x07a\rb\xc3\xa9"


@contextlib.contextmanager
def watched(*options, name="watched", **how):
    """iophase top of a program that makes calls of all kinds, in a loop of epoll and others."""
    with cli.target("--comm", name, "--ms", 5, "--threads", 1) as target:
        with Terminal("-p", target.pid, *options, **how) as terminal:
            yield terminal, target


def first(terminal):
    """The first screen with figures."""
    return terminal.shows("PROCESS", "CALL/S", "PHASES", "watched", "iophase top", "Quit")


def wide(seen, columns):
    lines = [line for line in seen.split("\n") if len(line) > columns]
    if lines:
        raise Failure(f"wider than {columns}: {lines}")


def screen():
    with watched() as (terminal, target):
        seen = first(terminal)
        wide(seen, 80)
        line = next(line for line in seen.split("\n") if "watched" in line and
                    str(target.pid) in line)
        if not any(block in line for block in BLOCKS):
            raise Failure(f"no bar: {line!r}")
        for text in ("nothing lost", "LOST"):
            if text in seen:
                return
        raise Failure(f"what was lost is not said:\n{seen}")


def size(columns, lines):
    with watched(columns=columns, lines=lines) as (terminal, _):
        seen = terminal.shows("PROCESS", "PHASES", "watched", "hHelp")
        wide(seen, columns)


def too_small():
    with watched(columns=20, lines=5) as (terminal, _):
        terminal.shows("20x5 is too small", "needs 40x8")
        terminal.resize(80, 24)
        first(terminal)
        terminal.resize(20, 5).shows("20x5 is too small")
        terminal.keys("q").over(0)


def resized():
    with watched() as (terminal, _):
        first(terminal)
        for columns, lines in ((132, 50), (40, 8), (60, 16), (300, 100), (80, 24)):
            terminal.resize(columns, lines)
            # The last line is that of the keys: so all of the screen is in use.
            cli.await_that(lambda: "hHelp" in terminal.lines()[-1], "the keys on the last line")
            wide(terminal.shows("watched"), columns)


def into():
    with watched() as (terminal, target):
        first(terminal)
        terminal.keys("Enter").shows(f"watched {target.pid}: [loops]", "TURN99", "epoll ")
        choose(terminal, "epoll")
        terminal.keys("Enter").shows("[descriptors]", "unix", "WATCH")
        terminal.keys("Enter").shows("In detail", "non-blocking", "reports")
        terminal.keys("Escape").shows("[descriptors]", absent=("In detail",))
        terminal.keys("Escape").shows("[loops]")
        terminal.keys("Escape").shows("[processes]")
        terminal.keys("Escape").shows("[processes]")


def choose(terminal, text):
    terminal.keys("Home")
    for _ in range(20):
        time.sleep(0.2)
        if text in terminal.chosen():
            return
        terminal.keys("Down")
    raise Failure(f"no line with {text!r} could be chosen\n{terminal.text()}")


def views():
    with watched() as (terminal, target):
        first(terminal)
        terminal.keys("Enter").shows("[loops]")
        for view, head in (("threads", "THREAD"), ("calls", "MEAN"), ("descriptors", "WATCH"),
                           ("findings", "VERDICT"), ("loops", "TURN99")):
            terminal.keys("Tab").shows(f"[{view}]", head)
        terminal.keys("BTab").shows("[findings]")
        terminal.keys("Tab", "Tab").shows("[threads]", str(target.pid))
        choose(terminal, str(target.pid))
        terminal.keys("Enter").shows(f"thread {target.pid}: [calls]", "epoll_wait", "pselect6")
        choose(terminal, "pselect6")
        terminal.keys("Enter").shows("In detail", "ASKED")
        terminal.keys("End").shows("scanned", "passes", absent=("ASKED",))


def sorting():
    with watched() as (terminal, _):
        first(terminal)
        terminal.shows("IOCPUv")
        terminal.keys(">").shows("SCANv")
        terminal.keys("<", "<").shows("RUNQv")
        terminal.keys("F6").shows("IOCPUv")
        terminal.keys("I").shows("IOCPU^")
        terminal.keys("Enter", "Tab", "Tab").shows("[calls]", "IOCPUv")
        terminal.keys("<", "<", "<", "<").shows("CALL        v")
        names = [line.split()[0] for line in terminal.lines()[4:21] if line[:1].isalpha()]
        if names != sorted(names) or len(names) < 3:
            raise Failure(f"not by name: {names}")
        terminal.keys("I").shows("CALL        ^")
        names = [line.split()[0] for line in terminal.lines()[4:21] if line[:1].isalpha()]
        if names != sorted(names, reverse=True):
            raise Failure(f"not by name, the other way round: {names}")


def filtering():
    with watched() as (terminal, _):
        first(terminal)
        terminal.keys("\\", "n", "o", "n", "e").shows("Filter: none_", "nothing matches the filter")
        terminal.keys("BSpace", "BSpace", "BSpace", "BSpace", "W", "a", "t", "c", "h")
        terminal.shows("Filter: Watch_", "watched", absent=("nothing matches",))
        terminal.keys("Enter").shows("Filter (Esc clears): Watch")
        terminal.keys("Escape").shows("hHelp", absent=("Filter (", "Filter:"))
        # A key that is typed is no command.
        terminal.keys("F4", "q").shows("Filter: q_")
        terminal.keys("Escape").shows("hHelp")


def pausing():
    with watched() as (terminal, _):
        first(terminal)
        terminal.keys("Space").shows("PAUSED")
        seen = terminal.text()
        time.sleep(2.5)
        if terminal.text() != seen:
            raise Failure("the screen changed while it was paused")
        # It can be looked at all the same.
        terminal.keys("Enter").shows("[loops]", "PAUSED")
        terminal.keys("Space").shows("[loops]", absent=("PAUSED",))
        clock = terminal.lines()[0]
        cli.await_that(lambda: terminal.lines()[0] != clock, "the screen goes on")


def intervals():
    with watched() as (terminal, _):
        first(terminal)
        terminal.shows("every 1.00s")
        terminal.keys("+").shows("every 2.00s")
        terminal.keys("-", "-", "-").shows("every 200ms")
        terminal.keys("-", "-", "-").shows("every 100ms")


def interval_given():
    with watched(0.3) as (terminal, _):
        first(terminal)
        terminal.shows("every 300ms")


def help_and_losses():
    with watched() as (terminal, _):
        first(terminal)
        for key in ("h", "?", "F1"):
            terminal.keys(key).shows("Help: Esc goes back", "PgUp")
            terminal.keys("NPage").shows("Help", absent=("PgUp",))
            terminal.keys("Escape").shows("[processes]", absent=("Help: Esc",))
        terminal.keys("l").shows("Lost since the start")
        terminal.keys("q").shows("[processes]", absent=("Lost since the start",))


def moving():
    """Many lines: the chosen one is in sight, and stays what it is."""
    with cli.target("--threads", 40, "--comm", "many") as target:
        with Terminal("-p", target.pid, lines=16) as terminal:
            terminal.shows("many")
            terminal.keys("Enter", "Tab").shows("[threads]")
            terminal.keys("<", "<", "<", "<", "<").shows("TIDv")
            terminal.keys("End")
            time.sleep(0.3)
            last = terminal.chosen()
            terminal.keys("PPage")
            time.sleep(0.3)
            other = terminal.chosen()
            terminal.keys("Home", "NPage", "NPage", "NPage", "NPage", "NPage")
            time.sleep(0.3)
            if not last.split() or last.split()[0] == other.split()[0]:
                raise Failure(f"PgUp does nothing: {last!r}, {other!r}")
            if terminal.chosen().split()[0] != last.split()[0]:
                raise Failure(f"{terminal.chosen()!r} is not the last: {last!r}")


def finding():
    program = PROGRAMS / "level"
    if not program.exists():
        raise Skip("make doctor-build")
    with cli.Started(program, "spin-eof", "fault") as fault:
        with Terminal("-p", fault.pid) as terminal:
            terminal.shows("lt-spin, level", "FOUND")
            terminal.keys("f").shows("[findings]", "VERDICT", "lt-spin")
            choose(terminal, "lt-spin")
            terminal.keys("Enter").shows("Finding: Esc goes back", "evidence", "where", "change")
            terminal.keys("Escape").shows("[findings]", absent=("evidence",))
            terminal.keys("C-c")
            seen = terminal.over(0)
            if "lt-spin" not in seen:
                raise Failure(f"the summary does not say it:\n{seen}")


def quits():
    with watched() as (terminal, _):
        first(terminal)
        seen = terminal.keys("q").over(0)
        if "seen," in seen:
            raise Failure(f"a summary after q:\n{seen}")


def signalled(number):
    with watched() as (terminal, _):
        first(terminal)
        os.kill(terminal.pid(), number)
        seen = terminal.over(0)
        if "seen," not in seen or "epoll_wait" not in seen:
            raise Failure(f"no summary:\n{seen}")


def interrupted():
    with watched() as (terminal, _):
        first(terminal)
        terminal.keys("C-c")
        terminal.over(0)


def killed(number):
    """It can do nothing itself: its guard does."""
    with watched() as (terminal, _):
        first(terminal)
        os.kill(terminal.pid(), number)
        terminal.over(128 + number)


def target_ends():
    with watched() as (terminal, target):
        first(terminal)
        target.send(signal.SIGKILL)
        seen = terminal.over(0)
        if "seen," not in seen:
            raise Failure(f"no summary:\n{seen}")


def duration_ends():
    with watched("-d", 1.5) as (terminal, _):
        if "seen," not in terminal.over(0):
            raise Failure("no summary")


def hangs_up():
    """The terminal is gone: so is iophase, and its guard."""
    with watched() as (terminal, _):
        first(terminal)
        pid = terminal.pid()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        terminal.tmux("kill-server")
        for one in (str(pid), *children):
            cli.await_that(lambda one=one: not pathlib.Path("/proc", one).exists(),
                           f"the end of process {one}")


def stopped():
    with watched() as (terminal, _):
        first(terminal)
        terminal.keys("C-z").shows("Stopped")
        if terminal.ask("#{alternate_on} #{cursor_flag}") != "0 1":
            raise Failure("stopped, and the terminal is not as it was")
        terminal.keys("f", "g", "Enter")
        first(terminal)


def absent():
    beyond = pathlib.Path("/proc/sys/kernel/pid_max").read_text().strip()
    with Terminal("-p", beyond) as terminal:
        seen = terminal.over(1)
        if f"no such process: {beyond}" not in seen:
            raise Failure(seen)


def bad_terminal(name, said):
    with Terminal(env={"TERM": name}) as terminal:
        seen = terminal.over(1)
        if said not in seen.replace("\n", " "):
            raise Failure(seen)


def simple_terminal(name):
    """One without colours, or without a second screen to return from, is a terminal as well."""
    with watched(env={"TERM": name}) as (terminal, _):
        seen = first(terminal)
        wide(seen, 80)
        terminal.keys("Enter").shows("[loops]")
        terminal.keys("q").over(0)


def messages():
    """What is said on standard error while the screen is shown comes after it."""
    with watched("-v") as (terminal, _):
        first(terminal)
        wide(terminal.text(), 80)
        terminal.keys("q").over(0)


def errors_elsewhere():
    with watched(stderr="2>errors") as (terminal, _):
        first(terminal)
        terminal.keys("q").over(0)


def plain():
    """Without Unicode: letters; without colours: none."""
    with watched(env={"LC_ALL": "C", "NO_COLOR": "1"}) as (terminal, _):
        seen = first(terminal)
        if not seen.isascii():
            raise Failure(f"not ASCII:\n{seen}")
        if not re.search(r"\b[brkc]{5,}\b", seen):
            raise Failure(f"no bar of letters:\n{seen}")
        colors = [line for line in terminal.lines(colors=True)
                  if re.search(r"\x1b\[(\d+;)*[34][0-7]", line)]
        if colors:
            raise Failure(f"colours: {colors}")


def flicker():
    """The screen is cleared when it is taken, and never again; what stays is not sent again."""
    with watched() as (terminal, _):
        first(terminal)
        time.sleep(0.5)
        before = len(terminal.sent())
        time.sleep(4)
        sent = terminal.sent()[before:]
        if re.search(rb"\x1b\[(2|3)?J|\x1bc", sent):
            raise Failure(f"cleared: {sent[:400]!r}")
        if len(sent) > 4 * 5 * 600:
            raise Failure(f"{len(sent)} bytes sent in 4 s, of a screen of 1920 characters")


def hostile():
    with cli.target("--comm", os.fsdecode(HOSTILE)) as target:
        with Terminal("-p", target.pid) as terminal:
            seen = terminal.shows("\\x1b[2J\\x07")
            wide(seen, 80)
            if "\x1b" in seen or "\x07" in seen:
                raise Failure(f"a control character:\n{seen}")
            if re.search(rb"\x07|\x1b\[2Ja", terminal.sent()[-20000:].split(b"1049h")[-1][10:]):
                raise Failure("the name was sent as it is")
            terminal.keys("Enter").shows("[loops]", "\\x1b[2J")


def tables():
    with cli.target() as target:
        result = cli.iophase("top", "-q", "-p", target.pid, "-d", 1, 0.3).ends(0, out=b"WALL")
        result.check(result.out.count(b"seen, ") == 4, "four reports expected")
        result = cli.iophase("top", "-q", "-j", "-p", target.pid, "-d", 0.6, 0.3)
        documents = [json.loads(line) for line in result.out.splitlines()]
        result.check(len(documents) == 2, "two documents expected")
        with cli.scratch() as directory:
            cli.iophase("top", "-q", "-p", target.pid, "-d", 0.3, "-o", directory / "x").ends(0)
            if b"WALL" not in (directory / "x").read_bytes():
                raise Failure("nothing in the file")


def redis():
    """A real server under load, by name: all from its process to one connection."""
    if not shutil.which("redis-server") or not shutil.which("redis-benchmark"):
        raise Skip("no Redis")
    with cli.scratch() as directory:
        socket = directory / "socket"
        server = cli.Started("redis-server", "--port", 0, "--unixsocket", socket, "--save", "",
                             stdout=subprocess.DEVNULL)
        with server:
            cli.await_that(socket.exists, "Redis listens")
            load = cli.Started("redis-benchmark", "-s", socket, "-c", 5, "-n", 10000000, "-q",
                               "-t", "get", stdout=subprocess.DEVNULL)
            with load, Terminal("-p", server.pid) as terminal:
                seen = terminal.shows("redis-server", "k", "%")
                wide(seen, 80)
                terminal.keys("Enter").shows("[loops]", "epoll")
                choose(terminal, "epoll")
                terminal.keys("Enter").shows("[descriptors]", "unix", "LT")
                terminal.keys("Enter").shows("In detail", "non-blocking")


TESTS = [
    ("the first screen", screen),
    *((f"{columns}x{lines}", lambda columns=columns, lines=lines: size(columns, lines))
      for columns, lines in ((40, 8), (60, 12), (80, 24), (132, 43), (250, 70))),
    ("20x5 is too small, and says so", too_small),
    ("another size", resized),
    ("Enter and Esc: process, loop, descriptor", into),
    ("Tab: views; thread, calls", views),
    ("sorting", sorting),
    ("filter", filtering),
    ("pause", pausing),
    ("intervals", intervals),
    ("an interval that is given", interval_given),
    ("help and losses", help_and_losses),
    ("moving through many lines", moving),
    ("a finding as it arrives", finding),
    ("ends by q", quits),
    ("ends by Ctrl-C", interrupted),
    ("ends by SIGTERM", lambda: signalled(signal.SIGTERM)),
    ("ends by SIGHUP", lambda: signalled(signal.SIGHUP)),
    ("ends by SIGKILL", lambda: killed(signal.SIGKILL)),
    ("ends by SIGSEGV", lambda: killed(signal.SIGSEGV)),
    ("ends with its target", target_ends),
    ("ends with its time", duration_ends),
    ("ends with its terminal", hangs_up),
    ("stopped and continued", stopped),
    ("absent process", absent),
    ("TERM of nothing known", lambda: bad_terminal("nonsense", "no terminal of type 'nonsense'")),
    ("TERM=dumb", lambda: bad_terminal("dumb", "type 'dumb' (TERM) cannot show a screen")),
    ("TERM not set", lambda: bad_terminal(None, "TERM is not set")),
    ("vt100", lambda: simple_terminal("vt100")),
    ("linux", lambda: simple_terminal("linux")),
    ("messages come after it", messages),
    ("messages to a file", errors_elsewhere),
    ("letters and no colours", plain),
    ("no flicker", flicker),
    ("a hostile name", hostile),
    ("tables where there is no terminal", tables),
    ("Redis under load", redis),
]


def main():
    wanted = sys.argv[1:]
    tests = [test for test in TESTS if not wanted or any(word in test[0] for word in wanted)]
    return cli.run_all(tests, jobs=4)


if __name__ == "__main__":
    sys.exit(main())
