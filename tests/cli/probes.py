#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""iophase probes, and what --backend makes of it."""

import json
import re
import subprocess
import sys

import cli
from cli import Failure, iophase
from documents import Schema

NEEDS = ["calls", "phases", "lives", "scan", "copy", "read", "sets", "ready",
         "fd_ready", "signals", "io_uring"]
SCHEMA = Schema("probes.schema.json")


@cli.shared
def probes_as_json(*options):
    return iophase("probes", "-j", *options)


def probed(*options):
    return json.loads(probes_as_json(*options).ends(0, out=b"{").out)


def schema():
    SCHEMA.sound()
    for options in ([], ["--backend", "tracepoint"]):
        SCHEMA.validated(probes_as_json(*options).ends(0, out=b"{").out)


def table():
    """Every need with one hook chosen, and a reason for each that is not to be had."""
    result = iophase("probes").ends(0, out=b"NEED ")
    lines = result.out.decode().splitlines()
    needs = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
    result.check(needs == NEEDS, f"needs {needs}")
    result.check(sum(line.endswith(" chosen") for line in lines) == len(NEEDS), "not one each")
    result.check(max(map(len, lines)) <= 80, "wider than 80 columns")
    for line, after in zip(lines, lines[1:] + [""]):
        if line.endswith((" refused", " passed over")):
            result.check(re.match(r" {8,}\S", after), f"no reason after {line!r}")


def consistent():
    """A measurement uses what is said to be chosen."""
    chosen = {need["need"]: need["chosen"] for need in probed()["needs"]}
    said = dict(re.findall(r"(?m)^iophase: (\w+): (.*)$", iophase(
        "-v", "--by", "model", "-d", 0.1).ends(0, out=b"seen, ").err))
    if {need: said.get(need) for need in NEEDS} != chosen:
        raise Failure(f"chosen {chosen}, said {said}")


def one_chosen():
    """What is chosen is the one whose state is chosen, and was not refused."""
    for need in probed()["needs"]:
        states = {c["name"]: c["state"] for c in need["candidates"]}
        if [name for name, state in states.items() if state == "chosen"] != [need["chosen"]]:
            raise Failure(f"{need['need']}: {need['chosen']} of {states}")
        if any(bool(c["why"]) != (c["state"] in ("refused", "passed over"))
               for c in need["candidates"]):
            raise Failure(f"{need['need']}: a state without its reason")


def backend(name):
    """Either it can be had, and is used for all that it can do, or both commands say why not."""
    result = iophase("-j", "-q", "-d", 0.1, "--backend", name)
    probes = probes_as_json("--backend", name)
    needs = json.loads(probes.out)["needs"]
    if result.status:
        said = f"iophase: the {name} backend cannot be had here: "
        result.ends(1, said)
        probes.check(probes.status == 1 and said in probes.err, "status 1 expected")
        result.check(any(need["chosen"] is None for need in needs), "all needs are met")
        return
    for need in needs:
        kinds = {c["name"]: c["backend"] for c in need["candidates"]}
        if name in kinds.values() and kinds[need["chosen"]] != name:
            raise Failure(f"{need['need']}: {need['chosen']}")
    if json.loads(result.out)["backend"] != name:
        raise Failure(f"the document says {json.loads(result.out)['backend']}")


def not_root():
    with cli.as_user(65534, []) as (directory, words):
        result = cli.run([*words, directory / "iophase", "probes"])
    result.ends(1, "not permitted: CAP_BPF and CAP_PERFMON are missing")


def unwritten():
    with open("/dev/full", "wb") as full:
        child = subprocess.run([cli.IOPHASE, "probes"], stdout=full, stderr=subprocess.PIPE,
                               timeout=cli.TIMEOUT_S, check=False)
    if child.returncode != 1 or b"No space left" not in child.stderr:
        raise Failure(f"status {child.returncode}, {child.stderr!r}")


TESTS = [
    ("probes: JSON as its schema says", schema),
    ("probes: the table", table),
    ("probes: one chosen for each need, and reasons", one_chosen),
    ("probes: what is used is what is said", consistent),
    ("--backend tracepoint", lambda: backend("tracepoint")),
    ("--backend trampoline", lambda: backend("trampoline")),
    ("probes: not root", not_root),
    ("probes that cannot be written", unwritten),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
