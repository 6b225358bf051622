# SPDX-License-Identifier: GPL-2.0-only
"""A terminal of any size, by tmux: keys go in, and what is to be seen comes out."""

import contextlib
import itertools
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

import cli
from cli import Failure

NUMBERS = itertools.count()
SECONDS = 20


class Terminal:
    """
    iophase top in a shell in a terminal. Its settings before and after, and its exit status, are
    noted by that shell; what was sent to the terminal is recorded.
    """

    def __init__(self, *options, columns=80, lines=24, env=None, stderr=""):
        self.options, self.size = [str(word) for word in options], (columns, lines)
        self.env = {"LC_ALL": "C.UTF-8", "TERM": "tmux-256color", **(env or {})}
        self.stderr = stderr
        self.socket = f"iophase-{os.getpid()}-{next(NUMBERS)}"

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="iophase-screen-")
        self.path = pathlib.Path(self.directory.name)
        columns, lines = self.size
        try:
            self.tmux("-f", "/dev/null", "-u", "new-session", "-d", "-s", "t", "-x", columns,
                      "-y", lines, "bash --norc --noprofile", ";", "set", "-g", "status", "off",
                      ";", "set", "-sg", "escape-time", "0", env={"LC_ALL": "C.UTF-8"})
            self.tmux("resize-window", "-t", "t", "-x", columns, "-y", lines)
            self.tmux("pipe-pane", "-t", "t", f"cat >{self.path}/sent")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Failure):
            self.tmux("kill-server")
        self.directory.cleanup()

    def tmux(self, *words, env=None):
        done = subprocess.run(["tmux", "-L", self.socket, *map(str, words)], capture_output=True,
                              text=True, timeout=cli.TIMEOUT_S, check=False,
                              env={**os.environ, **env} if env else None)
        if done.returncode:
            raise Failure(f"tmux {words}: {done.stderr}")
        return done.stdout

    def start(self):
        command = " ".join(shlex.quote(word) for word in [cli.IOPHASE, "top", *self.options])
        words = " ".join([f"-u {name}" for name, value in self.env.items() if value is None] +
                         [f"{name}={shlex.quote(value)}" for name, value in self.env.items()
                          if value is not None])
        script = self.path / "script"
        script.write_text(f"stty -g >{self.path}/before\n"
                          f"env {words} {command} {self.stderr}\n"
                          f"echo $? >{self.path}/status\nstty -g >{self.path}/after\n"
                          f"echo was over\n")
        self.tmux("send-keys", "-t", "t", f"PS1=; clear; . {script}", "Enter")

    def keys(self, *keys):
        for key in keys:
            self.tmux("send-keys", "-t", "t", key)
        return self

    def resize(self, columns, lines):
        self.size = columns, lines
        self.tmux("resize-window", "-t", "t", "-x", columns, "-y", lines)
        return self

    def lines(self, colors=False):
        text = self.tmux("capture-pane", "-p", *(["-e"] if colors else []), "-t", "t")
        return text.split("\n")[:self.size[1]]

    def chosen(self):
        """The line that is chosen, as its background shows."""
        background = ""
        for number, line in enumerate(self.lines(colors=True)):
            text, first = "", None
            for style, letter in re.findall(r"\x1b\[([0-9;]*)m|(.)", line):
                if letter:
                    first = background if first is None else first
                    text += letter
                    continue
                for code in style.split(";"):
                    if code in ("", "0", "49") or code[0] == "4" and len(code) == 2:
                        background = code
            # The heads, and the keys, have it as well.
            if first == "46" and 3 < number < self.size[1] - 1:
                return text
        return ""

    def text(self):
        return "\n".join(self.lines())

    def shows(self, *texts, absent=()):
        """Until all of the texts are on the screen, and none of the absent ones is."""
        limit = time.monotonic() + SECONDS
        while True:
            seen = self.text()
            missing = [text for text in texts if text not in seen]
            if not missing and not any(text in seen for text in absent):
                return seen
            if time.monotonic() > limit:
                raise Failure(f"not on the screen: {missing}, or there: {absent}\n{seen}")
            time.sleep(0.05)

    def ask(self, format_text):
        return self.tmux("display", "-p", "-t", "t", format_text).strip()

    def pid(self):
        """Of iophase, not of who guards the terminal for it."""
        shell = int(self.ask("#{pane_pid}"))
        children = pathlib.Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        if not children:
            raise Failure(f"iophase does not run\n{self.text()}")
        return int(children[0])

    def sent(self):
        return (self.path / "sent").read_bytes()

    def over(self, status):
        """Waits for its end: the terminal is as it was, and this is its status."""
        cli.await_that(lambda: (self.path / "after").exists() and
                       (self.path / "after").read_text().endswith("\n"), "the end of iophase top")
        seen = self.shows("was over")
        before, after = ((self.path / name).read_text() for name in ("before", "after"))
        if before != after:
            raise Failure(f"settings of the terminal: {before} before, {after} after")
        if self.ask("#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}") != "0 1 0":
            raise Failure("the screen, the cursor or the keypad is not as it was before: " +
                          self.ask("#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}"))
        found = int((self.path / "status").read_text())
        if found != status:
            raise Failure(f"status {found}, not {status}\n{seen}")
        return self.tmux("capture-pane", "-p", "-S", "-500", "-t", "t")
