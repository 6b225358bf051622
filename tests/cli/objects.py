#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Rows of descriptors and of event loops, in every form they are printed in."""

import csv
import io
import os
import re
import socket
import sys

import cli
import schema
from cli import Failure, iophase

RAW = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")
KINDS = ("fd", "loop", "model", "thread,model", "fd,model")
HOSTILE = [b"\x1b[31mred", b'a"b,c', b"\xff\xfe", b"nl\nnl", b"%s%n"]


def watched(*options):
    with cli.target("--threads", 2) as target:
        return iophase("-q", "-p", target.pid, "-d", 0.4, *options)


def valid(by):
    with cli.target():	# so that something happens on an idle machine
        found = schema.document("--by", by, "-d", 0.4)
    if not found["rows"] or set(found["by"]) != {"process", *by.split(",")}:
        raise Failure(f"{len(found['rows'])} rows by {found['by']}")
    return [f"{len(found['rows'])} rows"]


def table(by):
    result = watched("--by", by).ends(0, out=b"ID ")
    bad = [line for line in result.out.decode("ascii").splitlines()
           if len(line) > 80 or line != line.rstrip()]
    result.check(not bad, f"{bad}")


def intervals(by):
    with cli.target() as target:
        result = iophase("-q", "-j", "--by", by, "-p", target.pid, 0.3, 3).ends(0, out=b"{")
    documents = [schema.validated(line) for line in result.out.splitlines()]
    if len(documents) != 3:
        raise Failure(f"{len(documents)} reports, not 3")
    for document in documents:
        for row in document["rows"]:
            if row["blocked_ns"] + row["runnable_ns"] + row["kernel_ns"] + \
                    row.get("copy_ns", 0) != row["wall_ns"]:
                raise Failure(f"phases: {row}")


def lines_of_csv(by):
    result = watched("--by", by, "--format", "csv").ends(0, out=b"time,")
    rows = list(csv.DictReader(io.StringIO(result.out.decode(), newline="")))
    if not rows or any(None in row or None in row.values() for row in rows):
        raise Failure(f"fields do not match the head: {rows[:2]}")


def hostile_path(name):
    """Of a unix socket, whose path is anything, and of a file."""
    with cli.scratch() as directory:
        path = os.path.join(os.fsencode(directory), name)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path + b"s")
        script = ("import os, socket, sys\n"
                  "s = socket.socket(socket.AF_UNIX)\n"
                  "s.connect(os.fsencode(sys.argv[1]) + b's'); s.send(b'x')\n"
                  "f = os.open(os.fsencode(sys.argv[1]), os.O_RDWR | os.O_CREAT)\n"
                  "os.write(f, b'x')\n")
        listener.listen()
        argv = ["-q", "--by", "fd", "-o", "/dev/stdout"]
        command = ["--", sys.executable, "-c", script, os.fsdecode(path)]
        for form in ("table", "json", "csv"):
            result = iophase(*argv, "--format", form, *command).ends(0, out=b"unix")
            if form == "json":
                schema.validated(result.out)
                continue
            result.check(not RAW.search(result.out.replace(b"\r\n", b"")), f"raw bytes of {name!r}")
        listener.close()


def refused(by):
    iophase("--by", by, "-d", 0.1).ends(2, "kept apart")


def quiet_target():
    """A process that does nothing has no rows, and that is no error."""
    with cli.target("--idle") as target:
        iophase("-q", "--by", "loop", "-d", 0.2, "-p", target.pid).ends(0, out=b"seen, ")


TESTS = [
    *((f"--by {by}: {what}", lambda by=by, test=test: test(by))
      for by in KINDS
      for what, test in (("valid JSON, of the whole machine", valid), ("table", table),
                         ("intervals", intervals), ("CSV", lines_of_csv))),
    *((f"--by {by}", lambda by=by: refused(by)) for by in ("fd,call", "loop,thread", "fd,loop", "model,call",
                                                          "model,loop", "fd,thread,model")),
    *((f"path {name!r}", lambda name=name: hostile_path(name)) for name in HOSTILE),
    ("an idle process", quiet_target),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
