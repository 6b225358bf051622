#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Saved sessions: what is printed of one is, byte for byte, what was printed live; and what is damaged,
cut, too new or no session at all is told from what is whole.
"""

import contextlib
import gzip
import json
import os
import stat
import subprocess
import sys
import zlib

import cli
from cli import Failure, iophase

try:
    import jsonschema
except ImportError:
    jsonschema = None

WAYS = [["--by", by, *rest] for by, rest in [
    ("process,call", ["-j"]), ("process,call", ["-v"]), ("process,call", ["--format", "csv"]),
    ("process", ["-j"]), ("call", ["-j"]), ("thread", ["-j"]), ("thread,call", ["-j", "-s", "calls"]),
    ("thread,call", ["-v", "-N", "3"]), ("fd", ["-j"]), ("fd", []), ("fd", ["--format", "csv"]),
    ("loop", ["-j"]), ("loop", []), ("loop", ["--format", "csv"]),
    ("process,call", ["-j", "-e", "wait"]), ("call", ["-e", "read,poll", "-j"])]]
BUG = "read_edge"


def members(data):
    """The records of a session, each as its compressed bytes and its lines."""
    found = []
    while data:
        unzip = zlib.decompressobj(wbits=31)
        lines = unzip.decompress(data).splitlines()
        found.append((data[:len(data) - len(unzip.unused_data)], lines))
        data = unzip.unused_data
    return found


def same(live, *report):
    """That `iophase report` says just what was said live."""
    later = iophase("report", *report).ends(live.status, out=b"")
    if later.out != live.out:
        at = next((i for i, (a, b) in enumerate(zip(live.out, later.out)) if a != b),
                  min(len(live.out), len(later.out)))
        raise Failure(f"at byte {at}: live {live.out[max(0, at - 100):at + 100]!r}, "
                      f"later {later.out[max(0, at - 100):at + 100]!r}")


def equal(way):
    with cli.scratch() as directory, cli.target("--threads", 2, "--comm", b'\x1b[1m"\xff') as target:
        session = directory / "x.iophase"
        live = iophase("-q", "-p", target.pid, "-d", 0.4, "-o", session, *way).ends(0, out=b"")
        target.stop(9)
        same(live, session, "-q", *way)


def equal_intervals():
    with cli.scratch() as directory, cli.target() as target:
        session = directory / "x.iophase"
        live = iophase("-q", "-p", target.pid, "-j", "-o", session, 0.3, 3).ends(0, out=b"")
        live.check(live.out.count(b"\n") == 3, "three reports expected")
        same(live, session, "-q", "-j")


def equal_doctor(way):
    """Also its stacks, of a process that has ended meanwhile, and its exit code."""
    with cli.scratch() as directory:
        session = directory / "x.iophase"
        with scene("edge", "undrained-tcp") as pid:
            live = iophase("doctor", "-q", "-p", pid, "-d", 2, "-o", session, "--fail-on", "warning", *way)
        live.ends(3, out=b"et-undrained").check(BUG.encode() in live.out, "no stack")
        same(live, session, "-q", "--doctor", "--fail-on", "warning", *way)


def equal_doctor_machine():
    with cli.scratch() as directory, cli.target("--threads", 2):
        session = directory / "x.iophase"
        live = iophase("doctor", "-q", "-j", "-d", 0.5, "-o", session).ends(0, out=b"{")
        same(live, session, "-q", "--doctor", "-j")


@contextlib.contextmanager
def scene(program, name, variant="fault"):
    """A program that has a fault, or has not."""
    path = cli.ROOT / ".output/tests/doctor" / program
    if not path.exists():
        raise cli.Skip("make doctor-build was not run")
    with cli.Started(path, name, variant) as started:
        yield started.pid


@cli.shared
def saved():
    """A session that has all kinds of records but intervals, and what it says."""
    directory = cli.scratch()
    path = directory.__enter__() / "x.iophase"
    with cli.target("--threads", 2) as target:
        iophase("-q", "-p", target.pid, "-d", 1.3, "-o", path).ends(0, out=b"seen")
    data = path.read_bytes()
    directory.__exit__(None, None, None)
    return data


def damaged_copy(directory, data, name="x.iophase"):
    path = directory / name
    path.write_bytes(data)
    return path


def mode():
    with cli.scratch() as directory, cli.target() as target:
        session = directory / "x.iophase"
        session.write_text("old")
        session.chmod(0o644)
        iophase("-q", "-p", target.pid, "-d", 0.2, "-o", session, umask=0).ends(0, out=b"seen")
        if stat.S_IMODE(session.stat().st_mode) != 0o600:
            raise Failure(f"mode {session.stat().st_mode:o}")
        if [path.name for path in directory.iterdir()] != ["x.iophase"]:
            raise Failure(f"{list(directory.iterdir())}")


def old_kept():
    """What cannot be measured replaces nothing."""
    with cli.scratch() as directory:
        session = directory / "x.iophase"
        session.write_text("old")
        iophase("-q", "-p", 2**22, "-o", session).ends(1, "no such process")
        if session.read_text() != "old" or len(list(directory.iterdir())) != 1:
            raise Failure("replaced")


def by_nobody():
    """By a user without rights, and with nothing to see of the processes."""
    with cli.as_user(65534) as (directory, words):
        session = damaged_copy(directory, saved())
        os.chown(session, 65534, 65534)
        for way in (["-j"], ["--by", "fd"], ["--by", "thread"], ["--doctor"]):
            cli.run([*words, directory / "iophase", "report", session, "-q", *way]).ends(0, out=b"")


def readable():
    """zcat reads it, and each line is JSON."""
    text = gzip.decompress(saved()).decode()
    lines = [json.loads(line) for line in text.splitlines()]
    kinds = [line["record"] for line in lines if isinstance(line, dict) and "record" in line]
    if lines[0].get("iophase_session") != 1 or kinds[-2:] != ["total", "end"] or \
            "slice" not in kinds:
        raise Failure(f"{lines[0]}, records {kinds}")
    columns = lines[0]["columns"]
    for line in lines:
        if isinstance(line, list) and len(line) != 1 + len(columns[line[0]]):
            raise Failure(f"{len(line)} values of {line[0]}")


def cut_total():
    """Of one that is cut off within its total there is no total, and it is said."""
    data = saved()
    *before, (total, _), (end, _) = members(data)
    with cli.scratch() as directory:
        for left in (0, 1, len(total) // 2, len(total) - 1):
            cut = damaged_copy(directory, b"".join(part for part, _ in before) + total[:left])
            iophase("report", cut).ends(1, "no total was saved")


def cut_end():
    """One that was not closed says so, whatever it prints, and is used."""
    data = saved()
    end = members(data)[-1][0]
    with cli.scratch() as directory:
        for left in (0, 5, len(end) - 1):
            cut = damaged_copy(directory, data[:len(data) - len(end) + left])
            iophase("report", cut).ends(0, "x.iophase: it ", out=b"INCOMPLETE: ")
            document = json.loads(iophase("report", "-j", cut).ends(0, "x.iophase: it ", out=b"{").out)
            if "x.iophase: it " not in document["incomplete"] or not document["rows"]:
                raise Failure(f"{document}")


def damaged_bits():
    """A flipped bit anywhere: what is told of it is what is whole, or nothing."""
    data = saved()
    whole = len(members(data)) - 2
    with cli.scratch() as directory:
        good = iophase("report", "-j", damaged_copy(directory, data)).ends(0, out=b"{").out
        for at in range(7, len(data), len(data) // 40):
            flipped = bytearray(data)
            flipped[at] ^= 1 << at % 8
            result = iophase("report", "-j", damaged_copy(directory, bytes(flipped)))
            # The time and the system in the head of a gzip member mean nothing.
            if result.status == 0 and not result.err:
                result.check(result.out == good, "other figures")
                continue
            result.check(result.status == 1 and ("damaged" in result.err or "not a session" in result.err or
                         "no total" in result.err), f"no word of the damage at {at}")
    return [f"{whole} records"]


def garbage_behind():
    with cli.scratch() as directory:
        path = damaged_copy(directory, saved() + b"more")
        iophase("report", path).ends(1, "damaged", out=b"INCOMPLETE")


def not_sessions():
    with cli.scratch() as directory:
        cases = [(b"", "not a session"), (b"\x1f\x8b", "ends before anything was saved"), (b"{}", "not a session"),
                 (gzip.compress(b"{}\n"), "not a session"), (gzip.compress(b"[" * 100000 + b"\n"), "not a session"),
                 (gzip.compress(b""), "not a session"),
                 (gzip.compress(b'{"iophase_session": 1}\n'), "header is damaged"),
                 (gzip.compress(b'{"iophase_session": 2}\n'), "saved by a later iophase"),
                 (gzip.compress(b"x" * (64 << 20)), "not a session")]
        for data, said in cases:
            iophase("report", damaged_copy(directory, data)).ends(1, said)
        iophase("report", directory).ends(1, "Is a directory")
        iophase("report", directory / "absent").ends(1, "No such file")
        os.mkfifo(directory / "fifo")
        with subprocess.Popen(["sh", "-c", "echo >fifo"], cwd=directory):
            iophase("report", directory / "fifo").ends(1, "to be a file")


def rewritten(data, change):
    """The session with other lines."""
    text = gzip.decompress(data).decode().splitlines()
    records, lines = [], []
    for line in map(change, text):
        if line.startswith("{") and lines:
            records.append(lines)
            lines = []
        lines.append(line)
    records.append(lines)
    return b"".join(gzip.compress(("\n".join(record) + "\n").encode()) for record in records)


def later_columns():
    """A later version may have more kinds of lines, and more in each of them, in any order."""
    data = saved()

    def change(line):
        value = json.loads(line)
        if isinstance(value, dict) and "columns" in value:
            value["columns"]["call"] = ["colour", *value["columns"]["call"]]
            value["columns"]["weather"] = ["rain"]
        elif isinstance(value, list) and value[0] == "call":
            value.insert(1, ["red"])
        elif isinstance(value, list) and value[0] == "cost":
            return json.dumps(value) + '\n["weather",17]'
        return json.dumps(value)

    with cli.scratch() as directory:
        later = damaged_copy(directory, rewritten(data, change), "later")
        result = iophase("report", "-j", later).ends(0, "lines are not known to this version", out=b"{")
        good = iophase("report", "-j", damaged_copy(directory, data)).ends(0, out=b"{")
        result.check(result.out == good.out, "other figures")


def earlier_columns():
    """What an earlier version did not save is said not to be known."""
    index = None

    def change(line):
        nonlocal index
        value = json.loads(line)
        if isinstance(value, dict) and "columns" in value:
            index = value["columns"]["loop"].index("held_up")
            value["columns"]["loop"].pop(index)
        elif isinstance(value, list) and value[0] == "loop":
            value.pop(1 + index)
        return json.dumps(value)

    with cli.scratch() as directory:
        earlier = damaged_copy(directory, rewritten(saved(), change))
        iophase("report", earlier).ends(0, "not known: held_up of each loop", out=b"seen")


def disk_full():
    """Said, and then the file has what was complete before."""
    script = """
        mount -t tmpfs -o size=32k none "$1"
        "$2" -p "$3" -q -o "$1/x.iophase" 0.1 40 >"$1/../out" 2>"$1/../err" && exit 9
        "$2" report -q "$1/x.iophase" -j >"$1/../report" || exit 8
        """
    with cli.scratch() as directory, cli.target("--threads", 4) as target:
        (directory / "disk").mkdir()
        cli.in_namespace(script, directory / "disk", cli.IOPHASE, target.pid).ends(0)
        if "No space left on device; it ends after" not in (directory / "err").read_text():
            raise Failure((directory / "err").read_text())
        # What was printed is all there, all the same.
        if (directory / "out").read_text().count("seen, ") != 40:
            raise Failure("not all was printed")
        reports = [json.loads(line) for line in (directory / "report").read_text().splitlines()]
        if not 0 < len(reports) < 40 or not all("was not closed" in report["incomplete"] for report in reports):
            raise Failure(f"{len(reports)} reports")


def killed():
    """What was complete before stays, and is said to be incomplete."""
    with cli.scratch() as directory, cli.target() as target:
        session = directory / "x.iophase"
        with cli.watching("-p", target.pid, "-o", session, 0.2) as watch:
            cli.await_that(lambda: session.exists() and session.stat().st_size > 4000, "an interval is saved")
            watch.stop(9)
        iophase("report", session).ends(0, "was not closed", out=b"seen, ")
        if [path.name for path in directory.iterdir()] != ["x.iophase"]:
            raise Failure(f"{list(directory.iterdir())}")


def to_pipe():
    """What is no regular file is written to as it is."""
    with cli.scratch() as directory, cli.target() as target:
        os.mkfifo(directory / "pipe.iophase")
        with cli.Started("cat", directory / "pipe.iophase") as reader:
            iophase("-q", "-p", target.pid, "-d", 0.2, "-o", directory / "pipe.iophase").ends(0, out=b"seen")
            data = reader.result().out
        iophase("report", damaged_copy(directory, data)).ends(0, out=b"seen")


def thresholds():
    """Those of the session hold, and others can be set, unless it was counted by them."""
    with cli.scratch() as directory:
        session = directory / "x.iophase"
        with scene("level", "spin-eof") as pid:
            iophase("doctor", "-q", "-p", pid, "-d", 0.5, "-o", session, "--set",
                    "lt-spin.reports=1e9").ends(0, out=b"watched for")

        def rules(*options):
            result = iophase("report", session, "--doctor", "-q", "-j", *options).ends(0, out=b"{")
            return [finding["rule"] for finding in json.loads(result.out)["findings"]]
        if "lt-spin" in rules():
            raise Failure("the thresholds of the session do not hold")
        if "lt-spin" not in rules("--set", "lt-spin.reports=200"):
            raise Failure("a threshold cannot be set")
        iophase("report", session, "--set", "slow-turn.ms=49").ends(2, "was counted from 50 ms on")
        iophase("report", session, "--set", "slow-turn.ms=50", "-q").ends(0, out=b"watched for")


def diff_document(*sessions):
    document = json.loads(iophase("report", "-q", "-j", "--diff", *sessions).ends(0, out=b"{").out)
    if jsonschema:
        names = ("diff", "iophase")
        schemas = {name: json.loads((cli.ROOT / f"docs/{name}.schema.json").read_text(encoding="utf-8")) for name in names}
        resolver = jsonschema.RefResolver("", schemas["diff"], store={f"{name}.schema.json": schemas[name] for name in names})
        jsonschema.Draft202012Validator(schemas["diff"], resolver=resolver).validate(document)
    return document


def diff():
    """A fault that is mended is gone, and what it did to its loop is seen."""
    with cli.scratch() as directory:
        before, after = directory / "before.iophase", directory / "after.iophase"
        for session, variant in ((before, "fault"), (after, "healthy")):
            with scene("edge", "undrained-tcp", variant) as pid:
                iophase("doctor", "-q", "-p", pid, "-d", 2, "-o", session).ends(0, out=b"watched for")
        document = diff_document(before, after)
        gone = [finding["rule"] for finding in document["findings"]["gone"]]
        there = [finding["rule"] for name in ("new", "left") for finding in document["findings"][name]]
        if "et-undrained" not in gone or "et-undrained" in there:
            raise Failure(f"gone {gone}, there {there}")
        read, = [row for row in document["calls"] if row["call"] == "read"]
        rows = json.loads(iophase("report", "-q", "-j", "--by", "call", after).ends(0, out=b"{").out)
        row, = [row for row in rows["rows"] if row["call"] == "read"]
        for key, figure in (("calls_per_s", row["calls"] / rows["duration_ns"] * 1e9), ("wall_ns", row["wall_ns"] / row["calls"]),
                            ("kernel_ns", row["kernel_ns"] / row["calls"])):
            if abs(read["after"][key] - figure) > 1e-9 * figure:
                raise Failure(f"{key}: {read['after'][key]}, not {figure}")
        if read["before"]["calls_per_s"] * 2 > read["after"]["calls_per_s"]:
            raise Failure(f"{read}")
        iophase("report", "-q", "--diff", before, after).ends(0, out=b"gone: ")


def diff_itself():
    """Nothing is gone, or new, and all is as it was."""
    with cli.scratch() as directory:
        session = damaged_copy(directory, saved())
        document = diff_document(session, session)
        changed = [row for name in ("calls", "loops") for row in document[name] if row["before"] != row["after"]]
        if changed or not document["calls"] or document["findings"]["gone"] or document["findings"]["new"]:
            raise Failure(f"{changed} {document['findings']}")


def usage(words, said):
    with cli.scratch() as directory:
        session = damaged_copy(directory, saved())
        words = [session if word == "SESSION" else word for word in words]
        iophase(*words).ends(2, said)


USAGE = [
    (["report"], "a session is needed"),
    (["report", "SESSION", "more"], "one argument too many"),
    (["report", "--diff", "SESSION"], "two sessions are needed"),
    (["report", "--diff", "SESSION", "SESSION", "more"], "one argument too many"),
    (["report", "--diff", "SESSION", "SESSION", "--format", "csv"], "--format table or json"),
    (["report", "SESSION", "-o", "y.iophase"], "saves no session"),
    (["report", "SESSION", "--doctor", "--format", "csv"], "--format table or json"),
    (["report", "SESSION", "-p", "1"], "invalid option"),
    (["report", "SESSION", "--by", "fd", "-e", "read"], "-e does not apply"),
    (["report", "SESSION", "--set", "no.such=1"], "no such threshold"),
    (["report", "SESSION", "--", "true"], "measures nothing"),
    (["-o", "y.iophase", "-m", "5"], "-m and -x do not apply"),
    (["-o", "y.iophase", "-x"], "-m and -x do not apply"),
    (["-o", "y.iophase", "--by", "fd", "-e", "read"], "-e does not apply"),
]


def main():
    tests = [(f"session: equal to what was printed live: {' '.join(way)}", lambda way=way: equal(way))
             for way in WAYS]
    tests += [(f"session: equal to what doctor said{way and ' as JSON'}", lambda way=way: equal_doctor(way.split()))
              for way in ("", "-j")]
    tests += [(f"session: {test.__name__.replace('_', ' ')}", test) for test in (
        equal_intervals, equal_doctor_machine, mode, old_kept, by_nobody, readable, cut_total, cut_end, damaged_bits,
        garbage_behind, not_sessions, later_columns, earlier_columns, disk_full, killed, to_pipe, thresholds,
        diff, diff_itself)]
    tests += [(f"session: usage: {' '.join(words)}", lambda words=words, said=said: usage(words, said))
              for words, said in USAGE]
    return cli.run_all(tests)


if __name__ == "__main__":
    sys.exit(main())
