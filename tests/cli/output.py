#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Where reports go and what they look like: files, streams, tables, CSV, names, colour."""

import csv
import io
import os
import pathlib
import pty
import re
import stat
import subprocess
import sys

import cli
from cli import Failure, iophase

# What a terminal would act on: controls (but the end of a line), DEL, and all beyond ASCII.
RAW = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")
HOSTILE = [b"\x1b[2J\x1b[31m", b"a\rb\bc", b"nl\nnl", b"\x9b31m\xc2\x9b1m", b'q"u,o;t=e',
           b"\xff\xfe\x7f", b"caf\xc3\xa9", b"=1+1"]
NOBODY = 65534


def watched(*options, **how):
    """A short run on a busy target."""
    with cli.target() as target:
        return iophase("-q", "-p", target.pid, "-d", 0.2, *options, **how)


def only_file(directory, name):
    found = sorted(path.name for path in directory.iterdir())
    if found != [name]:
        raise Failure(f"files {found}, not {name} alone")


def file_new():
    with cli.scratch() as directory:
        out = directory / "out"
        watched("-o", out, umask=0o027).ends(0)
        only_file(directory, "out")
        if b"seen, " not in out.read_bytes() or stat.S_IMODE(out.stat().st_mode) != 0o640:
            raise Failure(f"mode {out.stat().st_mode:o}, {out.read_bytes()[:200]}")


def file_replaced():
    """Until the end the old one is there, whole; then the new one, with its mode."""
    with cli.scratch() as directory, cli.target() as target:
        out = directory / "out"
        out.write_text("old")
        out.chmod(0o604)
        with open(out, encoding="utf-8") as old:
            with cli.watching("-p", target.pid, "-o", out) as watch:
                before = out.read_text()
                watch.stop().ends(0)
            kept = old.read()
        only_file(directory, "out")
        if (before, kept) != ("old", "old"):
            raise Failure(f"changed while it was there: {before!r}, {kept!r}")
        if "seen, " not in out.read_text() or stat.S_IMODE(out.stat().st_mode) != 0o604:
            raise Failure(f"mode {out.stat().st_mode:o}, {out.read_text()[:200]}")


def file_here():
    """A name without a directory."""
    with cli.scratch() as directory:
        watched("-o", "out", cwd=directory).ends(0)
        only_file(directory, "out")


def file_linked():
    """A link stays one: what it leads to is written."""
    with cli.scratch() as directory:
        (directory / "out").write_text("old")
        (directory / "link").symlink_to("out")
        watched("-o", directory / "link").ends(0)
        if not (directory / "link").is_symlink() or "seen, " not in (directory / "out").read_text():
            raise Failure(f"{list(directory.iterdir())}")


def device_stdout():
    """A link to what may be a regular file: it must not be replaced."""
    with cli.scratch() as directory, open(directory / "out", "wb") as out, cli.target() as target:
        child = subprocess.run([cli.IOPHASE, "-q", "-p", str(target.pid), "-d", "0.2", "-o",
                                "/dev/stdout"], stdout=out, timeout=cli.TIMEOUT_S, check=False)
        text = (directory / "out").read_bytes()
        link = pathlib.Path("/dev/stdout").is_symlink()
    if child.returncode or b"seen, " not in text or not link:
        raise Failure(f"status {child.returncode}, {text[:200]}, link {link}")


def device_null():
    watched("-o", "/dev/null").ends(0)
    if not pathlib.Path("/dev/null").is_char_device():
        raise Failure("/dev/null was replaced")


def fifo():
    with cli.scratch() as directory:
        path = directory / "fifo"
        os.mkfifo(path)
        with cli.Started("cat", path) as reader:
            watched("-j", "-o", path).ends(0)
            reader.result().ends(0, out=b'"rows"')
        if not path.is_fifo():
            raise Failure("the FIFO was replaced")


def directory_absent():
    with cli.scratch() as directory:
        watched("-o", directory / "absent/out").ends(1, "iophase: cannot write", "No such file")


def directory_as_file():
    with cli.scratch() as directory:
        watched("-o", directory).ends(1, "iophase: cannot write", ": Is a directory")


def not_writable():
    """Neither a new file nor the old one, whose directory is another's."""
    with cli.as_user(NOBODY, ["bpf", "perfmon"]) as (directory, words):
        old = directory / "old"
        old.write_text("old")
        for name in ("old", "new"):
            cli.run([*words, directory / pathlib.Path(cli.IOPHASE).name, "-q", "-d", "0.2", "-o",
                     directory / name]).ends(1, f"{name}: Permission denied")
        if old.read_text() != "old" or (directory / "new").exists():
            raise Failure("written all the same")


def read_only():
    with cli.scratch() as directory:
        cli.in_namespace('mount -t tmpfs -o ro none "$1"; exec "$2" -q -d 0.2 -o "$1/out"',
                         directory, cli.IOPHASE).ends(1, "out: Read-only file system")


def disk_full(options):
    """The old file is as it was, and nothing else is left."""
    script = ('mount -t tmpfs -o size=8k none "$1"; printf old >"$1/out"; '
              'head -c 4096 /dev/zero >"$1/filler"; status=0; "$2" -q -d 0.2 '
              f'{options} -o "$1/out" || status=$?; cat "$1/out"; echo; ls -A "$1"; exit $status')
    with cli.scratch() as directory, cli.target():
        result = cli.in_namespace(script, directory, cli.IOPHASE)
    result.ends(1, "iophase: cannot write", "out: No space left on device", out=b"old\n")
    result.check(result.out == b"old\nfiller\nout\n", "old file and filler alone expected")


def device_full(options):
    watched("-o", "/dev/full", *options).ends(1, "cannot write /dev/full: No space left on device")


def stdout_full():
    with open("/dev/full", "wb") as full, cli.target() as target:
        child = subprocess.run([cli.IOPHASE, "-q", "-p", str(target.pid), "-d", "0.2"], stdout=full,
                               stderr=subprocess.PIPE, timeout=cli.TIMEOUT_S, check=False)
    if child.returncode != 1 or b"No space left on device" not in child.stderr:
        raise Failure(f"status {child.returncode}, {child.stderr}")


def stdout_closed(options, status, said):
    with cli.target() as target:
        cli.run(["sh", "-c", 'exec "$0" "$@" >&-', cli.IOPHASE, "-q", "-p", target.pid, "-d", 0.2,
                 *options]).ends(status, said)


def others_closed():
    with cli.target() as target:
        cli.run(["sh", "-c", 'exec "$0" "$@" <&- 2>&-', cli.IOPHASE, "-p", target.pid, "-d",
                 0.2]).ends(0, out=b"seen, ")


def reader_gone(options):
    """Quiet: no message, no signal, an end at the next report."""
    with cli.target() as target:
        reader, writer = os.pipe()
        os.close(reader)
        with cli.Started(cli.IOPHASE, "-q", "-p", target.pid, *options, stdout=writer) as watch:
            os.close(writer)
            result = watch.result()
    result.check(result.status == 1 and not result.err, "status 1 without a word expected")


def table_width(options):
    """80 columns, heads and rows of one width, no blanks at the end of a line."""
    with cli.target("--comm", "a-name-of-15-by") as target:
        result = iophase("-p", target.pid, "-d", 0.3, *options).ends(0, out=b"PROCESS")
    lines = result.out.decode("ascii").splitlines()
    bad = [line for line in lines if len(line) > 80 or line != line.rstrip()]
    result.check(not bad, f"{bad}")
    heads = [at for at, line in enumerate(lines) if line.startswith("PROCESS")]
    for head in heads:
        rows = [line for line in lines[head:lines.index("", head)] if len(line) != len(lines[head])]
        result.check(not rows, f"not as wide as the head: {rows}")


def names(options):
    for name in HOSTILE:
        with cli.target("--comm", os.fsdecode(name)) as target:
            result = iophase("-q", "-p", target.pid, "-d", 0.2, *options).ends(0, out=b"seen, ")
        result.check(not RAW.search(result.out), f"raw bytes of {name!r}")
        result.check(b"poll" in result.out, "no row")


def name_in_flight():
    with cli.target("--comm", "\x1b[2J", "--ms", 60000) as target:
        cli.await_that(lambda: open(f"/proc/{target.pid}/syscall").read().startswith("7 "), "poll")
        result = iophase("-q", "-p", target.pid, "-d", 0.2).ends(0, out=b"still inside poll: 1 th")
    result.check(not RAW.search(result.out), "raw bytes")


def csv_rows(text):
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for row in rows:
        if None in row or None in row.values():
            raise Failure(f"fields do not match the head: {row}")
    return rows


def csv_table():
    """RFC 4180: one head, as many fields in each row; a figure that is not known is empty."""
    for name in HOSTILE:
        with cli.target("--comm", os.fsdecode(name)) as target:
            result = iophase("-q", "--format", "csv", "-p", target.pid, "-d", 0.2).ends(
                0, out=b"tgid,tid,comm")
        bare = result.out.replace(b"\r\n", b"")
        result.check(not re.search(rb"[\x00-\x1f\x7f]", bare), f"controls of {name!r}")
        rows = csv_rows(result.out.decode("utf-8"))
        result.check({"poll", "read", "sendto"} <= {row["call"] for row in rows}, "rows missing")
        for row in rows:
            result.check(row["tgid"] == str(target.pid) and int(row["calls"]) > 0, f"{row}")
            if row["class"] == "output":
                result.check(row["copy_ns"] == "", f"the copy of a write is not known: {row}")
            else:
                result.check(row["copy_ns"].isdigit(), f"{row}")
    return [f"{len(rows)} rows"]


def csv_intervals():
    with cli.target() as target:
        result = iophase("-q", "--format", "csv", "-p", target.pid, 0.2, 3).ends(0, out=b"tgid,")
    result.check(result.out.count(b"tgid,") == 1, "more than one head")
    result.check(len({row["time"] for row in csv_rows(result.out.decode())}) == 3, "not 3 times")


def csv_losses():
    """What is lost is said on stderr, quiet or not, and is no line of figures."""
    program = cli.ROOT / ".output/tests/truth/compat"
    result = iophase("-q", "--format", "csv", "-o", "/dev/stdout", "--", program)
    result.check("LOST: " in result.err, "no loss")
    result.check(b"LOST" not in result.out, "a loss among the figures")


def colored(wanted, options=(), tty=True, **environment):
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    env.update({"TERM": "xterm", **environment})
    with cli.target() as target:
        argv = [cli.IOPHASE, "-q", "-p", str(target.pid), "-d", "0.2", *options]
        if not tty:
            out = cli.run(argv, env=env).ends(0, out=b"seen, ").out
        else:
            out = on_terminal(argv, env)
    if (b"\x1b" in out) != wanted:
        raise Failure(f"colour {not wanted}: {out[:300]!r}")


def on_terminal(argv, env):
    main, other = pty.openpty()
    out = b""
    with cli.Started(*argv, env=env, stdout=other) as watch:
        os.close(other)
        try:
            while True:
                part = os.read(main, 4096)
                if not part:
                    break
                out += part
        except OSError:		# what a terminal says when its other side is closed
            pass
        os.close(main)
        watch.result().ends(0)
    if b"seen, " not in out:
        raise Failure(f"no report: {out!r}")
    return out


def timestamps():
    with cli.target() as target:
        out = iophase("-q", "-p", target.pid, "-T", 0.2, 2).ends(0, out=b"seen, ").out
    if len(re.findall(rb"(?m)^\d\d:\d\d:\d\d  ", out)) != 2:
        raise Failure(f"no two times of day: {out!r}")


def quiet():
    watched().ends(0, out=b"seen, ").check(True, "")
    if watched().err:
        raise Failure("something on stderr")


def verbose():
    watched("-v").ends(0, out=b"P99")
    if b"P99" in watched().out:
        raise Failure("latencies without -v")


def notes():
    """Without -q, what is watched is said on stderr, and only there."""
    with cli.target("--threads", 2) as target:
        result = iophase("-p", target.pid, "-d", 0.2)
    result.ends(0, "iophase: watching 3 threads", out=b"seen, ")
    result.check(b"watching" not in result.out, "a note on stdout")


TESTS = [
    ("-o, new file", file_new),
    ("-o, replaced, mode kept", file_replaced),
    ("-o, name without a directory", file_here),
    ("-o, link", file_linked),
    ("-o /dev/stdout", device_stdout),
    ("-o /dev/null", device_null),
    ("-o, FIFO", fifo),
    ("-o, directory absent", directory_absent),
    ("-o, a directory", directory_as_file),
    ("-o, not permitted", not_writable),
    ("-o, read-only file system", read_only),
    *((f"-o, disk full {options}", lambda options=options: disk_full(options))
      for options in ("", "-j", "--format=csv", "-j 0.1")),
    *((f"-o /dev/full {' '.join(options)}", lambda options=options: device_full(options))
      for options in ([], ["-j"], ["--format=csv"])),
    ("stdout full", stdout_full),
    ("stdout closed", lambda: stdout_closed([], 1, "cannot write the output")),
    ("stdout closed, -j", lambda: stdout_closed(["-j"], 1, "cannot write the output")),
    ("stdout closed, -o", lambda: stdout_closed(["-o", "/dev/null"], 0, "")),
    ("stdin and stderr closed", others_closed),
    ("reader gone", lambda: reader_gone(["-d", "0.2"])),
    ("reader gone, -j", lambda: reader_gone(["-j", "-d", "0.2"])),
    ("reader gone, intervals", lambda: reader_gone(["0.1"])),
    ("table: 80 columns", lambda: table_width([])),
    ("table: 80 columns, -v", lambda: table_width(["-v"])),
    ("table: names", lambda: names([])),
    ("table: names of threads", lambda: names(["--by", "thread,call", "-v"])),
    ("table: name of a thread in flight", name_in_flight),
    ("CSV", csv_table),
    ("CSV, losses", csv_losses),
    ("CSV, intervals", csv_intervals),
    ("colour on a terminal", lambda: colored(True)),
    ("colour, NO_COLOR", lambda: colored(False, NO_COLOR="1")),
    ("colour, NO_COLOR empty", lambda: colored(True, NO_COLOR="")),
    ("colour, TERM=dumb", lambda: colored(False, TERM="dumb")),
    ("colour, --color=never", lambda: colored(False, ["--color=never"])),
    ("colour, not a terminal", lambda: colored(False, tty=False)),
    ("colour, --color=always", lambda: colored(True, ["--color=always"], tty=False, NO_COLOR="1")),
    ("-T", timestamps),
    ("-q", quiet),
    ("-v", verbose),
    ("notes", notes),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
