#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Whether the doctor finds what is wrong, and nothing else: programs that know their fault, and their
corrected twins, in TAP. With --report FILE also a table of rules.
"""

import argparse
import collections
import contextlib
import fnmatch
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "truth"))

import cases  # noqa: E402
import harness  # noqa: E402
from harness import Failure, Skip  # noqa: E402

START_S = 15  # a program, until it tells the truth
GRACE_S = 30  # iophase, on top of the watch: where functions are hooked it takes long to attach
QUIET = "info"
STARVED = "cpu-starved"
STARVED_NS = 50_000_000  # waiting for a CPU while it was watched: the machine may be to blame
TRIES = 3
BURNERS = 3  # with --crowded


class Subject:
    """A running program and the truth it told; nothing of it outlives the block."""

    def __init__(self, case, prefix=()):
        self.case = case
        self.prefix = list(prefix)

    def __enter__(self):
        self.home = tempfile.TemporaryDirectory(prefix="iophase-doctor-")
        self.said = open(os.path.join(self.home.name, "stderr"), "w+b")
        self.process = subprocess.Popen([*self.prefix, *self.case.argv], stdout=subprocess.PIPE,
                                        stderr=self.said, stdin=subprocess.DEVNULL,
                                        start_new_session=True,
                                        env={**os.environ, "TMPDIR": self.home.name})
        try:
            self.truth = self._hear()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.said.close()
        self.home.cleanup()

    def _hear(self):
        ready = select.select([self.process.stdout], [], [], START_S)[0]
        line = self.process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        self.said.seek(0)
        why = self.said.read().decode(errors="replace").strip()
        if "too fast" in why or "no room" in why:
            raise Skip(why)
        raise Failure(f"no truth from {' '.join(self.case.argv)}\n{why}")

    def alive(self):
        return pathlib.Path(f"/proc/{self.truth['pid']}").exists()

    def run_delay_ns(self):
        """What its threads, and those of its children, have waited for a CPU so far."""
        return sum(run_delay_ns(pid) for pid in family(self.truth["pid"]))


def family(pid):
    with contextlib.suppress(OSError):
        yield pid
        for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from family(int(child))


def run_delay_ns(pid):
    total = 0
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(stat.read_text().split()[1])
    return total


def diagnose(args, pid, seconds):
    """The document of a run of the doctor."""
    with tempfile.TemporaryDirectory(prefix="iophase-doctor-") as tmp:
        out = pathlib.Path(tmp, "out.json")
        backend = ("--backend", args.backend) if args.backend else ()
        status, _, err = harness.run_bounded(
            [str(args.iophase), "doctor", "-j", "-o", str(out), "-p", str(pid), "-d", str(seconds),
             *backend], timeout_s=seconds + GRACE_S)
        if status == harness.SKIP_STATUS:
            raise Skip((err.strip() or "?").splitlines()[-1])
        if status:
            raise Failure(f"exit status {status} of iophase doctor\n{err}")
        return harness.load_output(out, err)


def measured(finding, key):
    """A figure of a finding, by the name the truth has for it; None if it is not there."""
    for part in (finding.get("evidence") or {}, finding.get("cost") or {}):
        if key in part:
            value = part[key]
            return value.get("count") if isinstance(value, dict) else value
        if (in_ns := key.replace("_ms", "_ns")) in part:
            return part[in_ns] / 1e6
    return None


def wrong_place(case, truth, finding):
    """Where a finding is to be, and is not."""
    if not case.anyone:
        if finding["tgid"] != truth["pid"]:
            yield f"process {truth['pid']} expected, {finding['tgid']} found"
        if finding["tid"] not in (None, truth["tid"]):
            yield f"thread {truth['tid']} expected, {finding['tid']} found"
    fds = [truth[key] for key in ("fd", "or_fd") if truth.get(key) is not None]
    if fds and finding["fd"] not in fds:
        yield f"descriptor {fds[0]} expected, {finding['fd']} found"


def wrong_evidence(truth, finding):
    for key, (low, high) in truth["evidence"].items():
        value = measured(finding, key)
        if not isinstance(value, (int, float)) or not low <= value <= high:
            yield f"{key}: {low} to {high} expected, {value} found"


def describe(finding):
    return (f"{finding['rule']} ({finding['severity']}) of {finding['tgid']}/{finding['tid']}"
            f" fd {finding['fd']}: {json.dumps(finding['evidence'])}")


class Verdict:
    """What the findings of a case amount to."""

    def __init__(self, case, truth, findings, starved):
        self.missed, self.false, self.problems = [], [], []
        self.times = {}
        loud = [finding for finding in findings if finding["severity"] != QUIET]
        true = {*case.allowed, *([STARVED] if starved else [])}
        for rule in case.rules:
            self._look_for(case, truth, rule, [f for f in loud if f["rule"] == rule])
        for finding in loud:
            if finding["rule"] not in true and finding["rule"] not in case.rules:
                self._false_alarm(finding)

    def _look_for(self, case, truth, rule, findings):
        """One of the findings is at the right place; those at wrong ones are false."""
        right = []
        for finding in findings:
            elsewhere = list(wrong_place(case, truth, finding))
            if not elsewhere:
                right.append(finding)
                continue
            self._false_alarm(finding)
            self.problems += elsewhere
        if not right:
            self.missed.append(rule)
            self.problems.append(f"{rule} not found")
            return
        # How long after the begin of the watch, where a finding says it.
        self.times[rule] = right[0]["first_seen_ns"]
        wrong = [list(wrong_evidence(truth, finding)) for finding in right]
        if all(wrong):
            self.problems += [f"{rule}: {text}" for text in wrong[0]]

    def _false_alarm(self, finding):
        self.false.append(finding["rule"])
        self.problems.append(f"false alarm: {describe(finding)}")


class Report:
    """Counts by rule, for the table."""

    def __init__(self):
        self.rules = collections.defaultdict(lambda: collections.Counter())
        self.times = collections.defaultdict(list)

    def add(self, case, verdict):
        for rule in case.rules:
            self.rules[rule]["programs"] += 1
            self.rules[rule]["missed"] += rule in verdict.missed
            self.rules[rule]["found"] += rule not in verdict.missed
            ns = verdict.times.get(rule)
            if rule in verdict.times:
                self.times[rule].append((ns / 1e9, "") if ns else (case.seconds, "<"))
        for rule in verdict.false:
            self.rules[rule]["false"] += 1

    def lines(self):
        yield "| rule | programs | found | missed | false alarms | detected after |"
        yield "|---|---:|---:|---:|---:|---:|"
        for rule, count in sorted(self.rules.items()):
            longest, bound = max(self.times[rule], default=(None, ""))
            after = "-" if longest is None else f"{bound}{longest:.1f} s"
            yield (f"| {rule} | {count['programs']} | {count['found']} | {count['missed']} |"
                   f" {count['false']} | {after} |")


# Faults that sleep, and their twins: several can show at the same time, whatever the machine.
CALM = ("edge undrained-tcp", "edge undrained-unix", "edge undrained-pipe", "edge undrained-udp",
        "edge accept-once", "edge oneshot", "edge lost-out-tcp", "edge lost-out-unix",
        "edge blocking-fd", "level stale-dup-et", "blocks pipe")
TOGETHER_S = 8
# An emulator that has no CPU itself takes its time on what its guest holds for one.
EMULATED = ("kernel-spin", "slow-turn")
DETACH_S = 150  # where functions are hooked, in emulation


def check_together(args, tap, report):
    """One watch over all that is calm, for where a start takes half a minute."""
    names = [f"{name} {variant}" for name in CALM for variant in cases.NOT_RARE]
    these = [case for case in cases.CASES if case.name in names]
    with tempfile.TemporaryDirectory(prefix="iophase-doctor-") as tmp, \
            contextlib.ExitStack() as stack:
        out = pathlib.Path(tmp, "out.json")
        doctor = attach_by_name(args, {pathlib.Path(case.argv[0]).name for case in these}, out)
        stack.callback(doctor.kill)
        subjects = [stack.enter_context(Subject(case)) for case in these]
        time.sleep(TOGETHER_S)
        # They live a minute, and to detach may take longer.
        lived = {subject for subject in subjects if subject.alive()}
        doctor.send_signal(signal.SIGINT)
        _, said = doctor.communicate(timeout=DETACH_S)
        document = harness.load_output(out, said)
        lost = {name: count for name, count in document["lost"].items() if count}
        print(f"# lost: {lost}" if lost else "# nothing was lost", flush=True)
        for subject in subjects:
            tap.run(subject.case.name,
                    lambda s=subject: judge_one(s, s in lived, document["findings"], report))


def attach_by_name(args, names, out):
    """The doctor, once it watches: programs that live a minute are started then."""
    backend = ("--backend", args.backend) if args.backend else ()
    named = [word for name in sorted(names) for word in ("-n", name)]
    doctor = subprocess.Popen([str(args.iophase), "doctor", "-j", "-o", str(out), "-d",
                               str(TOGETHER_S + GRACE_S), *named, *backend],
                              stderr=subprocess.PIPE, text=True)
    for line in doctor.stderr:
        if "watching" in line:
            return doctor
    raise Failure(f"the doctor does not watch: exit status {doctor.wait()}")


def judge_one(subject, lived, findings, report):
    """What is found of one of them; how long it takes on its CPU is the machine's business."""
    mine = [finding for finding in findings
            if finding["tgid"] == subject.truth["pid"]
            and finding["rule"] not in (STARVED, *EMULATED)]
    if not lived:
        raise Failure("the program ended under the watch")
    truth = {**subject.truth, "evidence": {}}  # times are not what they are elsewhere
    verdict = Verdict(subject.case, truth, mine, starved=True)
    report.add(subject.case, verdict)
    if verdict.problems:
        raise Failure("\n".join(verdict.problems))
    return []


def look(case, args, prefix):
    """One run of a case; and whether the machine is to blame for what may be wrong with it."""
    if not os.access(case.needs, os.R_OK):
        raise Skip(f"needs {case.needs}")
    with Subject(case, prefix) as subject:
        waited_ns = subject.run_delay_ns()
        document = diagnose(args, subject.truth["pid"], case.seconds)
        starved = subject.run_delay_ns() - waited_ns > STARVED_NS
        if not subject.alive():
            raise Failure("the program ended under the watch")
    return Verdict(case, subject.truth, document["findings"], starved), starved


def check(case, args, report, prefix=()):
    """Where the machine kept the program from its CPU, it may not have done what it is to: again."""
    for attempt in range(TRIES):
        verdict, starved = look(case, args, prefix)
        if not (verdict.problems and starved):
            break
    report.add(case, verdict)
    if verdict.problems:
        raise Failure("\n".join(verdict.problems))
    return [f"{attempt} times it was kept from its CPU"] if attempt else []


@contextlib.contextmanager
def crowd(wanted):
    """Busy programs on one CPU; yields the command by which another joins them there."""
    if not wanted:
        yield ()
        return
    join = ("taskset", "-c", str(max(os.sched_getaffinity(0))))
    burners = [subprocess.Popen([*join, "sh", "-c", "while :; do :; done"]) for _ in range(BURNERS)]
    try:
        yield join
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def ready(args):
    if os.geteuid():
        return "needs root"
    if not os.access(cases.PROGRAMS / "edge", os.X_OK):
        raise SystemExit("Bail out! make doctor-build was not run")
    if subprocess.run([args.iophase, "doctor", "--rules"], capture_output=True, check=False,
                      stdin=subprocess.DEVNULL).returncode:
        raise SystemExit("Bail out! this iophase has no doctor")
    return None


def quick():
    """The fault and the twin of one scene for each rule, of those in C."""
    rules = set()
    for case in cases.CASES:
        program = case.argv[0].startswith(str(cases.PROGRAMS)) and "talk" not in case.argv[0]
        if program and case.name.endswith(" fault") and not rules.issuperset(case.rules):
            rules.update(case.rules)
            yield case.name
            yield case.name.replace(" fault", " healthy")


def chosen(args):
    few = set(quick()) if args.quick else None
    for case in cases.CASES:
        if few is not None and case.name not in few:
            continue
        if args.crowded and case.rules:
            continue
        if not args.only or any(fnmatch.fnmatch(case.name, f"*{only}*") for only in args.only):
            yield case


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iophase", type=pathlib.Path, default=harness.ROOT / "iophase")
    parser.add_argument("--backend")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="cases by their names")
    parser.add_argument("--quick", action="store_true", help="one scene for each rule")
    parser.add_argument("--together", action="store_true", help="those that are calm, at once")
    parser.add_argument("--crowded", action="store_true",
                        help="what is healthy, on one CPU with busy programs")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE", help="write the table there")
    parser.add_argument("--list", action="store_true", help="name the cases and run none")
    args = parser.parse_args()
    if args.list:
        for case in chosen(args):
            print(case.name, *case.rules, sep="\t")
        return 0
    tap, report, reason = harness.Tap(), Report(), ready(args)
    if args.together:
        check_together(args, tap, report)
        return tap.end()
    with crowd(args.crowded) as prefix:
        for case in chosen(args):
            if reason:
                tap.skip(case.name, reason)
            else:
                tap.run(case.name, lambda: check(case, args, report, prefix))
    if args.report:
        args.report.write_text("\n".join(report.lines()) + "\n")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
