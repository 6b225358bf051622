#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The manual page and the completions of shells: complete, sound, and where make install puts them."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

import cli
from cli import Failure, Skip

MADE = cli.ROOT / ".output/packaging"
COMMANDS = re.findall(r"(?m)^\t\{ \"([a-z]+)\", \w+_main,",
                      (cli.ROOT / "user/commands.c").read_text(encoding="utf-8"))
# The section is wanted by that name.
ACCEPTED = "possible typo in section name: Sh FIELDS instead of FILES"


def made(name):
    path = MADE / name
    if not path.exists():
        raise Skip("make docs-build")
    return path


def needs(program):
    if not shutil.which(program):
        raise Skip(f"no {program}")


def options_of(command):
    """The long options that the parser itself lists."""
    usage = cli.iophase(command, "--usage").out.decode() if command != "probes" else \
        cli.iophase(command, "--help").out.decode()
    return sorted(set(re.findall(r"--[a-z][a-z-]*", usage)))


def manual_lint():
    needs("mandoc")
    result = cli.run(["mandoc", "-Tlint", "-W", "style", made("iophase.8")])
    said = [line for line in result.out.decode().splitlines()
            if line and ACCEPTED not in line and "mandoc.db" not in line]
    if said:
        raise Failure("\n".join(said))


def manual_complete():
    needs("mandoc")
    text = cli.run(["mandoc", "-Tutf8", made("iophase.8")]).out.decode()
    text = re.sub(r".\x08", "", text)
    for command in COMMANDS:
        missing = [option for option in options_of(command)
                   if not re.search(rf"(?m)^ +(-\w, )?{option}( |$)", text)]
        if missing:
            raise Failure(f"options of {command} that are not in the manual: {missing}")
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "REQUIREMENTS", "OPTIONS", "EXAMPLES",
                    "FIELDS", "OVERHEAD", "CAVEATS", "EXIT STATUS", "SEE ALSO"):
        if not re.search(rf"(?m)^{section}$", text):
            raise Failure(f"no section {section}")
    if "@options" in text:
        raise Failure("a list that was not filled in")


def bash_offers(*words):
    """What the function of bash offers for the last of the words."""
    script = (f"source {made('iophase.bash')}\n"
              f"COMP_WORDS=({' '.join(shlex.quote(word) for word in words)})\n"
              f"COMP_CWORD={len(words) - 1}\ncompopt() {{ :; }}\n_iophase\n"
              "printf '%s\\n' \"${COMPREPLY[@]}\"\n")
    result = cli.run(["bash", "--norc", "-c", script])
    result.check(not result.err and not result.status, "the function fails")
    return result.out.decode().split("\n")[:-1]


def bash_is(words, *offered):
    found = bash_offers(*words)
    if sorted(found) != sorted(offered):
        raise Failure(f"{words}: {found}, not {list(offered)}")


def bash_complete():
    for command in COMMANDS:
        found = [word.rstrip("=") for word in bash_offers("iophase", command, "--")]
        missing = set(options_of(command)) - set(found) - {"--usage"}
        if missing:
            raise Failure(f"options of {command} that bash does not offer: {missing}")
    bash_is(["iophase", ""], *COMMANDS)
    bash_is(["iophase", "st"], "stat")
    bash_is(["iophase", "--back"], "--backend=")
    bash_is(["iophase", "--rules"], "")
    bash_is(["iophase", "doctor", "--rul"], "--rules")


def bash_words():
    bash_is(["iophase", "--format", "nd"], "ndjson")
    bash_is(["iophase", "--format", "=", "nd"], "ndjson")
    bash_is(["iophase", "--format", "="], "table", "json", "ndjson", "csv")
    bash_is(["iophase", "--by", "process,th"], "process,thread")
    bash_is(["iophase", "-e", "wait,epoll_pwait"], "wait,epoll_pwait", "wait,epoll_pwait2")
    bash_is(["iophase", "doctor", "--fail-on", ""], "info", "warning", "critical")
    bash_is(["iophase", "doctor", "--set", "slow-t"], "slow-turn.ms=")
    # It is no option of this command.
    bash_is(["iophase", "top", "--format", ""], "")
    bash_is(["iophase", "-d", ""], "")
    if str(os.getpid()) not in bash_offers("iophase", "-p", str(os.getpid())):
        raise Failure("a process is not offered")
    if f"1,{os.getpid()}" not in bash_offers("iophase", "-p", f"1,{os.getpid()}"):
        raise Failure("the second process of a list is not offered")
    if "true" not in bash_offers("iophase", "-j", "--", "tru"):
        raise Failure("a command behind -- is not offered")
    with cli.scratch() as directory:
        (directory / "a file").write_text("")
        (directory / "sub").mkdir()
        if bash_offers("iophase", "-c", f"{directory}/") != [f"{directory}/sub"]:
            raise Failure("directories alone are wanted")


def bash_hostile():
    """Names of processes are not run."""
    with cli.scratch() as directory:
        name = f"$(>{directory}/x)"[:15]
        with cli.target("--comm", "$(>x)"), contextlib.chdir(directory):
            bash_offers("iophase", "-n", "")
            if any(directory.iterdir()):
                raise Failure(f"{name} was run")


def fish_complete():
    needs("fish")
    script = made("iophase.fish")

    def offers(line):
        result = cli.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"])
        result.check(not result.err and not result.status, "fish fails")
        return [line.split("\t")[0] for line in result.out.decode().splitlines()]

    for command in COMMANDS:
        missing = set(options_of(command)) - set(offers(f"iophase {command} --")) - {"--usage"}
        if missing:
            raise Failure(f"options of {command} that fish does not offer: {missing}")
    for line, word in (("iophase ", "doctor"), ("iophase --format nd", "ndjson"),
                       ("iophase --by process,th", "process,thread"),
                       ("iophase doctor --fail-on w", "warning"), ("iophase -s wa", "wall"),
                       (f"iophase -p {os.getpid()}", str(os.getpid()))):
        if word not in offers(line):
            raise Failure(f"{line!r}: {offers(line)}, without {word!r}")
    if "--format" in offers("iophase top --f"):
        raise Failure("an option of another command")


def zsh_types(keys, seconds):
    """What zsh makes of what is typed, tabs included."""
    with cli.scratch() as directory:
        shutil.copy(made("iophase.zsh"), directory / "_iophase")
        script = directory / "type.zsh"
        script.write_text(
            "zmodload zsh/zpty\n"
            f"zpty z 'TERM=dumb zsh -f -i'\n"
            f"zpty -w z 'PS1= fpath=({directory} $fpath); autoload -U compinit; compinit -u -D; "
            "setopt no_list_beep; unsetopt auto_list auto_menu; print re''ady'\n"
            "zpty -r -m z t '*ready*'\n"
            f"zpty -w -n z $'{keys}'\nsleep {seconds}\nzpty -w -n z $'\\n'\nsleep 0.5\n"
            "while zpty -r -t z line; do print -r -- $line; done\nzpty -d z\n")
        return cli.run(["zsh", "-f", script]).out.decode(errors="replace")


def zsh_complete():
    needs("zsh")
    for keys, word in ((r"echo; iophase doct\t", "iophase doctor"),
                       (r"echo; iophase --backe\t", "--backend="),
                       (r"echo; iophase --format nd\t", "--format ndjson"),
                       (r"echo; iophase doctor --fail-on w\t", "--fail-on warning"),
                       (r"echo; iophase --by process,th\t", "--by process,thread"),
                       (r"echo; iophase top --no-f\t", "--no-follow")):
        # It takes its time on a busy machine.
        for seconds in (2, 6, 15):
            seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\x07\x08]", "", zsh_types(keys, seconds))
            if word in seen:
                break
        else:
            raise Failure(f"{keys!r}: {seen!r}, without {word!r}")


def zsh_sound():
    """Each specification is one that _arguments takes."""
    needs("zsh")
    cli.run(["zsh", "-fn", made("iophase.zsh")]).ends(0)
    for line in made("iophase.zsh").read_text().splitlines():
        if line.startswith("\t\t'") and not re.fullmatch(
                r"\t\t'\*'?(\{-\w\+?,--[a-z-]+=?\}'|--[a-z-]+=?)\[.*\](:.+:.+)?'", line):
            raise Failure(f"not a specification: {line!r}")


def installed():
    with cli.scratch() as directory:
        result = cli.run(["make", "-s", "-C", cli.ROOT, "install", f"DESTDIR={directory}",
                          "PREFIX=/usr"])
        result.check(not result.status, "make install fails")
        for path in ("sbin/iophase", "share/man/man8/iophase.8",
                     "share/bash-completion/completions/iophase",
                     "share/zsh/site-functions/_iophase",
                     "share/fish/vendor_completions.d/iophase.fish"):
            if not (directory / "usr" / path).stat().st_size:
                raise Failure(f"{path} is empty")


TESTS = [
    ("manual: lint", manual_lint),
    ("manual: complete", manual_complete),
    ("bash: options and commands", bash_complete),
    ("bash: words", bash_words),
    ("bash: names are not run", bash_hostile),
    ("fish: options and words", fish_complete),
    ("zsh: typed", zsh_complete),
    ("zsh: specifications", zsh_sound),
    ("make install", installed),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
