#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Validates what iophase doctor prints as JSON against docs/doctor.schema.json."""

import re
import sys

import cli
from cli import Failure
from documents import Schema, parse
from subject import FAULT, IDLE, QUICK, USER, Subject, diagnosed, doctor, rules, thresholds

SCHEMA = Schema("doctor.schema.json")
validated = SCHEMA.validated


@cli.shared
def fault_json():
    return diagnosed(FAULT, *QUICK, "-j")


@cli.shared
def idle_json():
    return diagnosed(IDLE, *QUICK, "-j")


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
    words = [word for name, (_, least) in thresholds().items()
             for word in ("--set", f"{name}={least}")]
    with Subject(*FAULT), cli.target("--threads", 2):
        result = doctor("-j", *QUICK, *words).ends(0, out=b"{")
    found = validated(result.out)["findings"]
    return [f"{len(found)} findings of {sorted({finding['rule'] for finding in found})}"]


def schema_complete():
    """The rules, and the names of their evidence, are those of the program."""
    defs = SCHEMA.tree["$defs"]
    if defs["rule"]["enum"] != rules():
        raise Failure(f"the rules are {rules()}")
    source = "".join(path.read_text(encoding="utf-8") for path in USER.glob("rules*.c"))
    noted = set(re.findall(r'finding_note(?:_word)?\(\s*\w+,\s*"(\w+)"', source))
    known = set(defs["finding"]["properties"]["evidence"]["properties"])
    if noted != known:
        raise Failure(f"evidence only in the code: {noted - known}, in the schema: {known - noted}")


def schema_strict():
    """A document with any one thing wrong is refused."""
    good = fault_json()[1].ends(0, out=b"{").out

    def refuses(change):
        bad = parse(good)
        change(bad)
        return SCHEMA.errors_of(bad)

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


TESTS = [
    ("JSON, with a finding", json_found),
    ("JSON, with none", json_none),
    ("JSON, the machine, without patience", json_machine),
    ("the schema is sound, strict and described", SCHEMA.sound),
    ("it names all rules and evidence", schema_complete),
    ("it refuses what is wrong", schema_strict),
]

if __name__ == "__main__":
    sys.exit(cli.run_all(TESTS))
