#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What becomes of iophase where the kernel's types lack something: every type, every field and every
function that it asks for is taken out once, in turn. It is to say so, and to go on with the rest.

lacking.py --trampoline: what only programs on functions read, where they can be had
"""

import json
import os
import re
import sys

import cli
import filters
import vmlinux
from cli import Failure, Skip

CALLS = "epoll_wait,poll,pselect6,epoll_ctl,read,sendto"
FIGURES = ("calls", "asked", "scanned", "ready", "passes", "bytes")
MEASURE = ["-j", "--by", "call", "-e", CALLS, "-o", "/dev/stdout", "--", *cli.TARGET,
           "--rounds", "3", "--ms", "1"]

# Without these nothing is lost that is measured here, and nothing said. Some spare work: a look at
# a task's storage, at calls that are refused, at the sets of a process of which one thread ends.
# The others are for names that threads give each other, with -n, where that can be pre-empted.
NOTHING_LOST = {"task_struct.bpf_storage", "task_struct.signal", "signal_struct",
                "signal_struct.flags", "signal_struct.rlim", "signal_struct.rlim.rlim_cur",
                "trace_event_raw_task_rename", "trace_event_raw_task_rename.pid",
                "trace_event_raw_task_rename.newcomm"}
# What is looked for instead where a field is not there, as on older kernels.
INSTEAD = {"file.f_ref": "file.f_count.counter", "cgroup.ancestors": "cgroup.ancestor_ids"}


def said_of(field):
    structure, _, path = field.partition(".")
    return (f"the kernel's BTF has no field {path} of struct {structure}" if path else
            f"the kernel's BTF has no struct {structure}")


class Thing:
    """A type or a field to be taken out: its name, where that is, and what is to be said of it."""

    def __init__(self, name):
        self.name, self.places, self.said = name, set(), set()

    def read(self, places, field):
        self.places.update(places)
        self.said.update(map(said_of, (field, self.name, INSTEAD.get(self.name, field))))


class Asked:
    """What libbpf is made to look for by a run of iophase, all programs that it tries to load."""

    def __init__(self, types, *argv):
        said = cli.iophase(*argv, "-vv").err
        self.sections = set(re.findall(r"sec '(\S+)': found program", said))
        fields = {re.sub(r"___\w+", "", field) for field in re.findall(
            r"relo #\d+: <\w+> \[\d+\] struct ([^ ]+) \(", said)}
        if len(fields) < 40:
            raise Failure(f"libbpf names {len(fields)} fields only: {said[-300:]}")
        self.things, self.by_place = {}, {}
        for field in sorted(fields):
            self.add(types, field)

    def add(self, types, field):
        structure, *path = re.sub(r"\[\d+\]", "", field).split(".")
        self.thing(structure).read(types.structures.get(structure, []), field)
        for i, place in types.steps(structure, path):
            name = ".".join([structure, *path[:i + 1]])
            thing = self.by_place.setdefault(place, self.thing(name))
            thing.read([place], field)

    def thing(self, name):
        return self.things.setdefault(name, Thing(name))


def without(types, places, *argv):
    """Runs iophase where the kernel's types have no name that is at these places."""
    with cli.scratch() as directory:
        (directory / "btf").write_bytes(types.without(places))
        return cli.in_namespace(f'mount --bind "$1" {vmlinux.PATH}; shift; exec "$@"',
                                directory / "btf", cli.IOPHASE, *argv)


def figures(result):
    rows = json.loads(result.out)["rows"]
    return {row["call"]: ({name: row.get(name) for name in FIGURES}, row["tiers"]) for row in rows}


def check_figures(result, truth):
    """Each is the same as ever, or known not to be known, or on the right side of it."""
    found = figures(result)
    result.check(found.keys() == truth.keys(), f"calls {list(found)}")
    for call, (values, tiers) in found.items():
        for name, value in values.items():
            true, tier = truth[call][0][name], tiers.get(name)
            result.check(value in (true, None) or tier == "bound" or
                         (tier == "lower_bound" and value < true),
                         f"{call}: {name} {value} ({tier}), not {true}")


def check_words(result):
    """Nothing of libbpf's; and one line if it did not start."""
    lines = [line for line in result.err.splitlines() if line != "ready "]
    result.check(all(line.startswith("iophase: ") for line in lines), "not in its own words")
    result.check(result.status in (0, 1), "status 0 or 1 expected")
    if result.status:
        result.check(not result.out and len([line for line in lines if " not known: " not in line])
                     == 1, "one line expected for a failed start")


def says(result, texts):
    """A table may break its lines within one of them."""
    said = " ".join((result.err + result.out.decode()).split())
    return any(text in said for text in texts)


def detailed():
    """A measurement of descriptors with all filters: what more the hooks can need to know."""
    words = ["-j", "-o", "/dev/null", "--by", "fd", "-d", 0.05, "-u", os.geteuid(),
             "-p", os.getpid()]
    try:
        return [*words, "-c", filters.cgroup_mount()]
    except Skip:
        return words


def runs(types, thing):
    """A measurement; and, until it has been said why, one of more detail, and the hooks."""
    results = []
    for argv in (MEASURE, detailed(), ["probes"]):
        results.append(without(types, thing.places, *argv))
        if thing.name in NOTHING_LOST or says(results[-1], thing.said):
            break
    return results


def judge(thing, results, truth):
    for result in results[:2]:
        check_words(result)
    if not results[0].status:
        check_figures(results[0], truth)
    results[-1].check(thing.name in NOTHING_LOST or says(results[-1], thing.said),
                      f"none of it said: {sorted(thing.said)}")


def functions(types, asked, truth):
    """No function to put a program on, and none that programs call: others do as well."""
    hooked = {section.split("/")[1] for section in asked.sections
              if section.startswith(("fentry", "fexit"))} | {"bpf_rdonly_cast"}
    places = [place for name in hooked for place in types.functions.get(name, [])]
    measured = without(types, places, *MEASURE).ends(0, "ready", out=b"{")
    check_figures(measured, truth)
    probes = without(types, places, "probes", "-j").ends(0, out=b"{")
    for need in json.loads(probes.out)["needs"]:
        for candidate in need["candidates"]:
            if candidate["backend"] == "trampoline":
                probes.check("no such function: " in (candidate["why"] or ""),
                             f"{candidate['name']} is {candidate['state']}")


def tracepoint(types, name, truth):
    """Without a tracepoint there is another, or one clear line."""
    places = types.typedefs[f"btf_trace_{name}"]
    measured = without(types, places, *MEASURE)
    check_words(measured)
    if not measured.status:
        check_figures(measured, truth)
    probes = without(types, places, "probes")
    probes.check(says(probes, [f"no such tracepoint: {name}"]), "not said")


def tests():
    types = vmlinux.Types()
    truth = figures(without(types, [], *MEASURE).ends(0, "ready", out=b"{"))
    asked = Asked(types, "probes")
    things = [thing for thing in asked.things.values() if thing.places]
    for thing in things:
        yield (f"without {thing.name}",
               lambda thing=thing: judge(thing, runs(types, thing), truth))
    yield "without functions", lambda: functions(types, asked, truth)
    for section in sorted(asked.sections):
        kind, _, name = section.partition("/")
        if kind == "tp_btf":
            yield f"without {section}", lambda name=name: tracepoint(types, name, truth)


def trampoline(types, thing, *argv):
    """Asked for by name it is not replaced by another."""
    result = without(types, thing.places, *argv).ends(1, "the trampoline backend cannot be had here")
    check_words(result)
    result.check(says(result, thing.said), f"none of it said: {sorted(thing.said)}")


def trampoline_tests():
    types = vmlinux.Types()
    short = ["-e", "epoll_wait", "-d", 0.1, "-o", "/dev/null", "--backend"]
    usual = Asked(types, *short, "tracepoint").things
    for name, thing in Asked(types, *short, "trampoline").things.items():
        if name not in usual and thing.places:
            yield (f"without {name}",
                   lambda thing=thing: trampoline(types, thing, *short, "trampoline"))


if __name__ == "__main__":
    # In a guest, where a start takes seconds, one at a time.
    chosen, jobs = (trampoline_tests, 1) if sys.argv[1:] == ["--trampoline"] else (tests, cli.JOBS)
    sys.exit(cli.run_all(chosen() if not os.geteuid() else [("without a type or a field", None)],
                         jobs))
