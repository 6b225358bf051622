#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
iophase doctor as a command: what is refused, what it prints and where, and its exit codes. Whether
what it says is true is tested by tests/doctor.
"""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys

import cli
from cli import Failure, Skip, iophase

try:
    import jsonschema
except ImportError:
    jsonschema = None

DOCS = cli.ROOT / "docs"
USER = cli.ROOT / "user"
PROGRAMS = cli.ROOT / ".output/tests/doctor"
FAULT = ("level", "spin-eof", "fault")  # a spin: found in an instant
STALL = ("edge", "undrained-unix", "fault")  # it sleeps, and something waits
IDLE = ("quiet", "idle", "healthy")
FOUND, NONE = b"lt-spin: ", b"nothing found; watched for "
HOSTILE = [b"\x1b[2J\x1b[31m", b"a\rb\bc", b"nl\nnl", b"\x9b31m\xc2\x9b1m", b'q"u,o;t\\e',
           b"\xff\xfe\x7f", b"caf\xc3\xa9", b"%s%n", b"a  b"]
RAW = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")
QUICK = ("-q", "-d", 0.3)
# The tests beside it take its CPU, which is true, and not what is asked here.
UNHURRIED = ("--set", "cpu-starved.share=1e9", "--set", "slow-turn.ms=1e9")

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


def doctor(*options, **how):
    return iophase("doctor", *options, **how)


def refused(words, said):
    result = doctor(*words).ends(2, "iophase: ", said)
    result.check(result.err.count("\n") <= 2, "more than two lines")


def narrow(result):
    """80 columns, but for a word, or a frame of a stack, that is longer; no blanks at the end."""
    lines = result.out.decode("ascii").splitlines()
    bad = [line for line in lines if line != line.rstrip()
           or (len(line) > 80
               and not re.fullmatch(r" +\S+|  where +.*| {12}\S+\+0x.*|LOST: .*", line))]
    return result.check(not bad, f"wider than 80 columns, or ends in blanks: {bad}")


def help_text():
    result = narrow(doctor("--help").ends(0, out=b"Usage: iophase"))
    missing = [word for word in OPTIONS
               if not re.search(rf"(?m)^ .*{word}\b", result.out.decode())]
    result.check(not missing, f"not in the help: {missing}")
    taken = set(re.findall(r"--[a-z-]+", doctor("--usage").ends(0, out=b"Usage").out.decode()))
    result.check(taken <= set(OPTIONS), f"options not documented: {taken - set(OPTIONS)}")
    if doctor("-h").out != result.out:
        raise Failure("-h and --help differ")


def rows_of(name, macro):
    """The rows of a table of the program: the strings of each, joined as C does."""
    text = (USER / name).read_text(encoding="utf-8")
    for row in re.findall(rf"(?ms)^{macro}\((.*?)\)$", text):
        words = re.findall(r'(?s)"(?:[^"]|"\s+")*"', row)
        yield [re.sub(r'"\s*"', "", word) for word in words], row


def rules():
    return [words[0].strip('"') for words, _ in rows_of("rules.def", "RULE")]


def thresholds():
    """{name: default}"""
    found = {}
    for words, row in rows_of("thresholds.def", "THRESHOLD"):
        found[words[0].strip('"')] = re.search(r'", ([0-9.]+),', row)[1]
    return found


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


# Programs that are watched


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


def fail_on(level, program, status, out):
    diagnosed(program, *QUICK, "--fail-on", level)[1].ends(status, out=out)


@cli.alone
def critical():
    """A fifth of a CPU, which others are not to take from it."""
    _, result = diagnosed(FAULT, "-q", "-d", 0.5, "--fail-on", "critical")
    result.ends(3, out=b"critical: lt-spin: ")


def mild():
    """What is a warning is not critical: no CPU time, and no second of waiting."""
    with Subject("edge", "accept-once", "fault") as subject:
        for level, status in (("info", 3), ("warning", 3), ("critical", 0)):
            doctor("-p", subject.subject, "-q", "-d", 0.8, *UNHURRIED, "--fail-on", level).ends(
                status, out=b"warning: et-accept-once: ")


def silenced():
    """The same program, with patience, and then with none."""
    with Subject(*FAULT) as subject:
        doctor("-p", subject.subject, *QUICK).ends(0, out=FOUND)
        doctor("-p", subject.subject, *QUICK, "--set", "lt-spin.reports=1e9", *UNHURRIED,
               "--fail-on", "info").ends(0, out=NONE)


def provoked():
    with Subject("turns", "slow-cpu", "healthy") as subject:
        doctor("-p", subject.subject, *QUICK, *UNHURRIED).ends(0, out=NONE)
        doctor("-p", subject.subject, *QUICK, *UNHURRIED, "--set", "cpu-starved.share=0").ends(
            0, out=b"cpu-starved: ")


def last_set_counts():
    diagnosed(FAULT, *QUICK, "--set", "lt-spin.reports=1e9", "--set", "lt-spin.reports=1",
              "--fail-on", "info")[1].ends(3, out=FOUND)


@cli.shared
def fault():
    return diagnosed(FAULT, *QUICK)


@cli.shared
def fault_json():
    return diagnosed(FAULT, *QUICK, "-j")


@cli.shared
def idle_json():
    return diagnosed(IDLE, *QUICK, "-j")


def text_found():
    """Who, what, how much, what it costs, where, what to change, and what would disprove it."""
    truth, result = fault()
    result.ends(0, out=FOUND)
    text = " ".join(result.out.decode().split())
    result.check(re.search(rf"(warning|critical): lt-spin: level, pid {truth['pid']}, descriptor "
                           rf"{truth['fd']}, tcp 127\.0\.0\.1:\d+-127\.0\.0\.1:\d+ ", text), "who")
    for part in (r" evidence spins=\d+, spins_per_s=",
                 r" cost [\d.]+ ms of CPU time in each second ",
                 r" where epoll_wait\+0x", r"\(level\.c:\d+\)", r" change close it", r" not so if ",
                 r" watched for \d+ms: 1 process, 1 loop, \d+ descriptors, \d+ calls, \w+ backend"):
        result.check(re.search(part, text), f"no {part!r}")
    result.check(NONE not in result.out, "nothing found, besides")
    narrow(result)


def text_none():
    """One line: what was watched, and for how long."""
    _, result = diagnosed(IDLE, *QUICK)
    narrow(result.ends(0, out=NONE))
    result.check(re.match(r"nothing found; watched for \d+ms: \d+ process(es)?, \d+ loops?, \d+ "
                          r"descriptors?, \d+ calls?, \w+ backend( |$)",
                          " ".join(result.out.decode().split())), "not as it should be")


def note():
    """Without -q, what is watched is said on stderr."""
    _, result = diagnosed(IDLE, "-d", 0.2)
    result.ends(0, "iophase: watching 1 thread", out=NONE)


# JSON


def parse(text):
    try:
        return json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise Failure(f"no JSON: {error}: {text[:300]!r}") from None


def schema():
    return parse((DOCS / "doctor.schema.json").read_bytes())


def errors_of(document):
    if jsonschema is None:
        raise Skip("python3-jsonschema is not installed")
    # What both documents have is described in the other file, beside this one.
    base = (DOCS / "doctor.schema.json").as_uri()
    validator = jsonschema.Draft202012Validator(
        schema(), resolver=jsonschema.RefResolver(base, schema()))
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in validator.iter_errors(document)]


def validated(text):
    document = parse(text)
    errors = errors_of(document)
    if errors:
        raise Failure("\n".join(errors[:10]))
    return document


def json_found():
    truth, result = fault_json()
    document = validated(result.ends(0, out=b"{").out)
    found = [finding for finding in document["findings"] if finding["rule"] == "lt-spin"]
    result.check(len(found) == 1, "one finding of lt-spin expected")
    who = {key: found[0][key] for key in ("tgid", "tid", "fd", "comm")}
    wanted = {"tgid": truth["pid"], "tid": truth["tid"], "fd": truth["fd"], "comm": "level"}
    result.check(who == wanted, f"{who}, not {wanted}")
    result.check(any("level.c" in frame for frame in found[0]["stack"]), "no place in the code")
    result.check(document["watched"]["calls"] > 100 and document["watched"]["processes"] == 1,
                 "watched")


def json_none():
    document = validated(idle_json()[1].ends(0, out=b"{").out)
    if document["findings"] or document["watched"]["descriptors"] < 1:
        raise Failure(f"{document['findings']} {document['watched']}")


def json_machine():
    """All of the machine, with no patience at all: what each rule says is as described."""
    words = [word for name in thresholds() for word in ("--set", f"{name}=1e-3")]
    with Subject(*FAULT), cli.target("--threads", 2):
        result = doctor("-j", *QUICK, *words).ends(0, out=b"{")
    found = validated(result.out)["findings"]
    return [f"{len(found)} findings of {sorted({finding['rule'] for finding in found})}"]


def described(node, path):
    """Paths of objects that are not strict and of fields that are not described."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from described(item, f"{path}/{index}")
    if not isinstance(node, dict):
        return
    if isinstance(node.get("properties"), dict) and "additionalProperties" in node:
        for name, field in node["properties"].items():
            # A field that is the other document's has its description.
            if not field.get("description") and "#/properties/" not in field.get("$ref", ""):
                yield f"{path}/{name}: no description"
            if (name.endswith("_ns") and "$ref" not in field
                    and "In ns." not in field["description"]):
                yield f"{path}/{name}: no unit"
    if node.get("type") == "object" and "additionalProperties" not in node:
        yield f"{path}: takes any field"
    for name, item in node.items():
        yield from described(item, f"{path}/{name}")


def schema_sound():
    if jsonschema is None:
        raise Skip("python3-jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(schema())
    problems = list(described(schema(), ""))
    if problems:
        raise Failure("\n".join(problems))


def schema_complete():
    """The rules, and the names of their evidence, are those of the program."""
    defs = schema()["$defs"]
    if defs["rule"]["enum"] != rules():
        raise Failure(f"the rules are {rules()}")
    source = "".join(path.read_text(encoding="utf-8") for path in USER.glob("rules*.c"))
    noted = set(re.findall(r'finding_note(?:_word)?\(\s*finding,\s*"(\w+)"', source))
    known = set(defs["finding"]["properties"]["evidence"]["properties"])
    if noted != known:
        raise Failure(f"evidence only in the code: {noted - known}, in the schema: {known - noted}")


def schema_strict():
    """A document with any one thing wrong is refused."""
    good = fault_json()[1].ends(0, out=b"{").out

    def refuses(change):
        bad = parse(good)
        change(bad)
        return errors_of(bad)

    def first(**fields):
        return lambda d: d["findings"][0].update(fields)

    changes = {
        "a field more": lambda d: d.update(more=1),
        "rows": lambda d: d.update(rows=[]),
        "a field of a finding more": first(more=1),
        "an unknown rule": first(rule="rule"),
        "an unknown severity": first(severity="fatal"),
        "a descriptor below 0": first(fd=-1),
        "no process": first(tgid=0),
        "no advice": first(advice=""),
        "a stack as a text": first(stack="main"),
        "no evidence": lambda d: d["findings"][0]["evidence"].clear(),
        "evidence unknown": lambda d: d["findings"][0]["evidence"].update(more=1),
        "evidence as a text": lambda d: d["findings"][0]["evidence"].update(spins="many"),
        "an unknown call": lambda d: d["findings"][0]["evidence"].update(last_call="open"),
        "a cost more": lambda d: d["findings"][0]["cost"].update(more=1),
        "a cost below 0": lambda d: d["findings"][0]["cost"].update(stall_ms=-1),
        "a count below 0": lambda d: d["watched"].update(calls=-1),
        "a loss more": lambda d: d["lost"].update(more=0),
        "a rule not judged without a reason": lambda d: d["not_judged"].append({"rule": "herd"}),
        "another version": lambda d: d.update(schema_version=2),
        "a fraction of a ns": lambda d: d.update(duration_ns=0.5),
    }
    missed = [what for what, change in changes.items() if not refuses(change)]
    document = parse(good)
    missed += [f"without {key}" for key in document if not refuses(lambda d, k=key: d.pop(k))]
    missed += [f"a finding without {key}" for key in document["findings"][0]
               if not refuses(lambda d, k=key: d["findings"][0].pop(k))]
    if missed:
        raise Failure(f"accepted: {missed}")


# Where it goes


def file_written(options, wanted):
    with cli.scratch() as directory:
        out = directory / "out"
        out.write_text("old")
        diagnosed(FAULT, *QUICK, "-o", out, *options)[1].ends(0)
        if wanted not in out.read_bytes() or [path.name for path in directory.iterdir()] != ["out"]:
            raise Failure(f"{out.read_bytes()[:300]}")


def file_failing():
    """A finding that cannot be written is a failure, not a finding."""
    diagnosed(FAULT, *QUICK, "--fail-on", "info", "-o", "/dev/full")[1].ends(
        1, "cannot write /dev/full: No space left on device")


def colored(wanted, options=(), **environment):
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    env.update({"TERM": "xterm", **environment})
    _, result = diagnosed(FAULT, *QUICK, *options, env=env)
    result.ends(0, out=FOUND).check((b"\x1b" in result.out) == wanted, f"colour {not wanted}")
    result.check(re.search(rb"(warning|critical)(\x1b\[0m)?: lt-spin", result.out),
                 "the severity is not said in words")


def colored_terminal(wanted, **environment):
    with Subject(*FAULT) as subject:
        out = on_terminal("-p", subject.subject, *QUICK,
                          env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment})
    if FOUND not in out or (b"\x1b" in out) != wanted:
        raise Failure(f"colour {not wanted}: {out[:300]!r}")


def on_terminal(*options, env):
    main, other = os.openpty()
    out = b""
    with cli.Started(cli.IOPHASE, "doctor", *options, env=env, stdout=other) as watch:
        os.close(other)
        # A terminal fails when its other side is closed.
        with contextlib.suppress(OSError):
            while part := os.read(main, 4096):
                out += part
        os.close(main)
        watch.result().ends(0)
    return out


@cli.shared
def hostile(*options):
    """Of programs with these names, which mostly sleep: what is said of them all."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(cli.scratch())
        pids = {}
        for name in HOSTILE:
            path = directory / os.fsdecode(name)
            path.symlink_to(PROGRAMS / STALL[0])
            pids[name] = stack.enter_context(Subject(path, *STALL[1:])).subject
        words = ("-p", ",".join(map(str, pids.values())), "-q", "-d", 1, *UNHURRIED, *options)
        return pids, doctor(*words)


def names_text():
    _, result = hostile()
    narrow(result.ends(0, out=b"et-undrained: "))
    result.check(not RAW.search(result.out), "raw bytes")
    result.check(result.out.count(b": et-undrained: ") == len(HOSTILE), "not one for each")
    result.check(b": et-undrained: a  b, pid " in result.out, "blanks lost")


def names_json():
    pids, result = hostile("-j")
    found = validated(result.ends(0, out=b"{").out)["findings"]
    said = {finding["tgid"]: finding["comm"] for finding in found}
    wanted = {pid: name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
              for name, pid in pids.items()}
    result.check(said == wanted, f"{said}, not {wanted}")


# How it ends


def interrupted(number, options, status):
    """In the middle: what was found so far."""
    with Subject(*FAULT) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-p", subject.subject, "-d", 60, *options) as watch:
            watch.await_word(b"iophase: watching")
            await_reports(subject)
            watch.stop(number).ends(status, out=FOUND)


def await_reports(subject):
    """Until it has spun some more, of which the clock of its process tells."""
    stat = pathlib.Path(f"/proc/{subject.subject}/schedstat")
    begin = int(stat.read_text().split()[0])
    cli.await_that(lambda: int(stat.read_text().split()[0]) > begin + 100_000_000, "100 ms of CPU")


def target_ends(number):
    """It is over when the target is, and what it did before is told."""
    with Subject(*FAULT) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-p", subject.subject, "-d", 60) as watch:
            watch.await_word(b"iophase: watching")
            await_reports(subject)
            os.kill(subject.subject, number)
            watch.result().ends(0, out=FOUND)


def target_ends_json():
    with Subject(*FAULT) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-j", "-p", subject.subject, "-d", 60) as watch:
            watch.await_word(b"iophase: watching")
            await_reports(subject)
            os.kill(subject.subject, signal.SIGKILL)
            result = watch.result().ends(0, out=b"{")
    rules_found = [finding["rule"] for finding in validated(result.out)["findings"]]
    result.check("lt-spin" in rules_found, f"{rules_found}")


def target_dead_at_once():
    """Before anything was seen of it."""
    with Subject(*IDLE) as subject:
        with cli.Started(cli.IOPHASE, "doctor", "-p", subject.subject, "-d", 60) as watch:
            watch.await_word(b"iophase: watching")
            os.kill(subject.subject, signal.SIGKILL)
            watch.result().ends(0, out=NONE)


def command(script, status, *options):
    """Its own status is passed on, and its stdout is its own."""
    result = doctor(*options, "--", "sh", "-c", f"echo through; {script}")
    result.ends(status, "nothing found; watched for ", out=b"through\n")
    result.check(result.out == b"through\n", "something else on stdout")


def command_absent():
    doctor("-q", "--", "iophase-absent").ends(127, "iophase-absent: No such")


def command_found():
    """A command that is at fault, for as long as it runs; its own status comes first."""
    with cli.scratch() as directory:
        out = directory / "out"
        program = ("timeout", "1", PROGRAMS / FAULT[0], *FAULT[1:])
        for words, wanted in ((program, 124), (("sh", "-c", '"$@"; exit 0', "sh", *program), 3)):
            result = doctor("-q", "-o", out, "--fail-on", "warning", "--", *words)
            result.check(result.status == wanted and FOUND in out.read_bytes(),
                         f"{wanted} and a finding expected: {out.read_bytes()[:300]}")


TESTS = [
    *((f"refused: {name}", lambda words=words: refused(*words)) for name, words in REFUSED.items()),
    ("help: complete, 80 columns", help_text),
    ("--rules: all rules and thresholds", rules_listed),
    ("--rules that cannot be written", rules_unwritten),
    ("docs/doctor.md: all rules and thresholds", documented),
    ("--set: all thresholds", all_set),
    ("absent process", absent),
    ("text, with a finding", text_found),
    ("text, with none", text_none),
    ("note", note),
    *((f"--fail-on {level}, with a finding", lambda level=level: fail_on(level, FAULT, 3, FOUND))
      for level in ("info", "warning")),
    ("--fail-on critical, with a finding", critical),
    *((f"--fail-on {level}, with none", lambda level=level: fail_on(level, IDLE, 0, NONE))
      for level in ("info", "warning", "critical")),
    ("--fail-on, a warning", mild),
    ("--set silences", silenced),
    ("--set provokes", provoked),
    ("--set twice", last_set_counts),
    ("JSON, with a finding", json_found),
    ("JSON, with none", json_none),
    ("JSON, the machine, without patience", json_machine),
    ("the schema is sound, strict and described", schema_sound),
    ("it names all rules and evidence", schema_complete),
    ("it refuses what is wrong", schema_strict),
    ("-o", lambda: file_written([], FOUND)),
    ("-o, -j", lambda: file_written(["-j"], b'"lt-spin"')),
    ("-o, file system full", file_failing),
    ("colour, not a terminal", lambda: colored(False)),
    ("colour, --color=always", lambda: colored(True, ["--color=always"], NO_COLOR="1")),
    ("colour, --color=never", lambda: colored(False, ["--color=never"])),
    ("colour, a terminal", lambda: colored_terminal(True)),
    ("colour, a terminal, NO_COLOR", lambda: colored_terminal(False, NO_COLOR="1")),
    ("colour, a terminal, TERM=dumb", lambda: colored_terminal(False, TERM="dumb")),
    ("names in text", names_text),
    ("names in JSON", names_json),
    ("SIGINT in the middle", lambda: interrupted(signal.SIGINT, (), 0)),
    ("SIGTERM in the middle", lambda: interrupted(signal.SIGTERM, (), 0)),
    ("SIGINT in the middle, --fail-on",
     lambda: interrupted(signal.SIGINT, ("--fail-on", "warning"), 3)),
    ("the target is killed", lambda: target_ends(signal.SIGKILL)),
    ("the target ends", lambda: target_ends(signal.SIGTERM)),
    ("the target is killed, JSON", target_ends_json),
    ("the target is killed, nothing was seen", target_dead_at_once),
    ("status of the command", lambda: command("exit 7", 7)),
    ("status 0 of the command", lambda: command(":", 0)),
    ("status of the command, --fail-on", lambda: command("exit 7", 7, "--fail-on", "info")),
    ("command killed", lambda: command("kill -9 $$", 137)),
    ("command not found", command_absent),
    ("command with a fault", command_found),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
