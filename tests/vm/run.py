#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The matrix: iophase on stock kernels, each in a guest. What a kernel cannot do must be said in one
line; on all others the truth programs tell the truth, and the hooks chosen are those expected.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "truth"))

import accuracy
import guest
import harness
import initramfs
import kernels

EXPECTED = pathlib.Path(__file__).with_name("expected")
GUEST_TIMEOUT_S = 480
MATRIX_TIMEOUT_S = 20 * 60  # by when every guest has ended or is ended

# One guest: a kernel with one backend (None: what iophase chooses), one command line, one suite.
Cell = collections.namedtuple("Cell", "kernel backend append suite")

# hooks: every hook loaded and attached, those chosen as expected, one program counted right, and
# what is lost when hooks are pre-empted; truth: all truth programs, with each backend; lacking: on
# one kernel, without types that only programs on functions read. These are part of make test. fds:
# the programs about descriptors and loops; models: those about models of input, with each backend; doctor: faults that sleep, and their twins; exact: backends against each other; full: hooks,
# pre-empted everywhere.
HOOKS = ("python3 tests/truth/run.py --only 'every call in one thread'; "
         "python3 tests/exact/run.py --stress-only")
SUITES = {
    "hooks": HOOKS,
    "truth": "python3 tests/truth/run.py --batch --figures /out/figures.json{options}",
    "fds": "python3 tests/truth/fds.py --batch --what objects",
    "models": "python3 tests/truth/fds.py --batch --what models{options}",
    "doctor": "python3 tests/doctor/run.py --together{options}",
    "exact": "python3 tests/exact/run.py",
    "full": HOOKS,
    "lacking": "python3 tests/cli/lacking.py --trampoline",
}
BACKENDS = ("tracepoint", "trampoline")
# Kernels that can be pre-empted everywhere if they are told to.
PREEMPT_FULL = "preempt=full"
PREEMPT_FULL_KERNELS = ("6.12", "6.18", "7.x")
LACKING_KERNEL = "6.12"

PROBES = "iophase probes -j{options} >/out/probes.json 2>/out/probes.err; "
REFUSAL = "iophase -d 1 >/out/refusal.out 2>/out/refusal.err"


def parse_tap(text):
    """
    ([[ok, name, notes]...], plan) of what a guest printed: the plan of all its scripts, None if the
    last did not end.
    """
    results, plan, ended = [], 0, True
    for line in text.splitlines():
        test = re.match(r"(ok|not ok) \d+ - (.*)", line)
        if test:
            results.append([test[1] == "ok", test[2], []])
            ended = False
        elif re.fullmatch(r"1\.\.\d+", line):
            plan += int(line[3:])
            ended = True
        elif line.startswith("# ") and not ended:
            results[-1][2].append(line[2:])
    return results, plan if ended else None


def refusal_errors(result):
    """An unsupported kernel: status 1, and one line that says what is needed."""
    said = result.files.get("refusal.err", b"").decode(errors="replace")
    if result.status != 1:
        yield f"exit status {result.status}, not 1"
    if len(said.splitlines()) != 1 or "is too old: at least" not in said:
        yield f"not one clear line: {said!r}"
    if result.files.get("refusal.out"):
        yield "something on standard output"


def differences(expected, found, where="probes"):
    """What of @expected is not so in @found, which may say more."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            yield from differences(value, found.get(key), f"{where}.{key}")
    elif expected != found:
        yield f"{where}: {expected!r} expected, {found!r} found"


def choices(document):
    """Of the output of `iophase probes -j`, what a kernel decides: by need, chosen and refused."""
    return {need["need"]: {"chosen": need["chosen"],
                           "refused": [candidate["name"] for candidate in need["candidates"]
                                       if candidate["state"] == "refused"]}
            for need in document["needs"]}


def probe_errors(result, path):
    try:
        found = choices(json.loads(result.files["probes.json"]))
    except (KeyError, TypeError, ValueError) as error:
        yield f"no output of probes: {error!r}; {result.files.get('probes.err', b'')!r}"
        return
    yield from differences(json.loads(path.read_text()), found)


def expectation(cell):
    """
    Which candidates iophase must choose there, and which must be refused; None if the tree says
    nothing, or another guest is asked.
    """
    words = filter(None, (cell.kernel.name, cell.backend, cell.append))
    path = EXPECTED / f"{'-'.join(words)}.json"
    return path if SUITES[cell.suite] == HOOKS and path.exists() else None


def command(cell):
    if not cell.kernel.supported:
        return REFUSAL
    options = f" --backend {cell.backend}" if cell.backend else ""
    return ((PROBES if expectation(cell) else "") + SUITES[cell.suite]).format(options=options)


def label(cell):
    suite = cell.suite if cell.suite in ("hooks", "exact", "fds", "doctor") else None
    return " ".join([cell.kernel.name, *filter(None, (cell.backend, cell.append, suite))])


def cells_of(kernel, args):
    """The guests of a kernel, for what was asked for."""
    if not kernel.supported:
        yield Cell(kernel, None, args.append, "truth")
        return
    for suite in args.suite or SUITES:
        if suite in ("truth", "doctor", "models"):
            for backend in args.backend or BACKENDS:
                yield Cell(kernel, backend, args.append, suite)
        elif suite == "lacking":
            if kernel.name == LACKING_KERNEL:
                yield Cell(kernel, None, args.append, suite)
        elif suite != "full":
            yield Cell(kernel, None, args.append, suite)
        elif kernel.name in PREEMPT_FULL_KERNELS and not args.append:
            yield Cell(kernel, None, PREEMPT_FULL, suite)


def emulator_erred(result):
    """
    A register dump with flags that no processor has (bits 22 and up are 0): seen in qemu 7.2, where
    they were the address of a task, the direction flag among them, and the next copy went astray.
    """
    return any(int(flags, 16) >> 22 for flags in re.findall(r"EFLAGS: (\w{8})\b", result.console))


def guest_errors(result):
    """What went wrong with the guest itself."""
    if result.error:
        yield result.error
    elif re.search("Oops|BUG:|WARNING:", result.console):
        yield "the kernel complained"
    else:
        return
    yield from guest.tail(result.console)


def tested(cell, result, tap):
    """A line for each test that ran in the guest; yields what is wrong with all of them."""
    results, plan = parse_tap(result.stdout.decode(errors="replace"))
    for ok, name, notes in results:
        tap.relay(ok, f"{label(cell)}: {name}", notes)
    if not plan or plan != len(results):
        yield f"{len(results)} tests of {plan or 'an unknown number'} came to their end"
        yield from result.stderr.decode(errors="replace").splitlines()[-5:]


def judge_guest(cell, result, tap):
    errors = list(guest_errors(result))
    if cell.kernel.supported:
        errors += tested(cell, result, tap)
        if expectation(cell):
            wrong = list(probe_errors(result, expectation(cell)))
            tap.relay(not wrong, f"{label(cell)}: hooks as expected", wrong)
        name = f"{label(cell)}: guest"
    else:
        errors += refusal_errors(result)
        name = f"{label(cell)}: is not supported, and says so"
    tap.relay(not errors, name,
              [*errors, f"{kernels.version(cell.kernel)}, {result.seconds:.0f} s"])


class Matrix:
    def __init__(self, chosen):
        self.tap = harness.Tap()
        # Each is fetched once, or found not to be had once, and all of them at the same time.
        with concurrent.futures.ThreadPoolExecutor(len(chosen)) as pool:
            self.images = {kernel: pool.submit(kernels.image_path, kernel) for kernel in chosen}
        self.base = initramfs.base()
        self.lock = threading.Lock()
        self.deadline = time.monotonic() + MATRIX_TIMEOUT_S
        self.figures = {}

    def boot(self, image, cell):
        left_s = max(1, self.deadline - time.monotonic())
        return guest.boot(image, command(cell), self.base, append=cell.append,
                          timeout_s=min(GUEST_TIMEOUT_S, left_s))

    def run(self, cell):
        try:
            image = self.images[cell.kernel].result()
        except kernels.Unfetched as reason:
            with self.lock:
                self.tap.skip(label(cell), f"cannot be fetched: {reason}")
            return
        result = self.boot(image, cell)
        if emulator_erred(result):
            result = self.boot(image, cell)
        with self.lock:
            judge_guest(cell, result, self.tap)
            if "figures.json" in result.files:
                self.figures[label(cell)] = accuracy.parse(result.files["figures.json"])

    def tested(self):
        """Whether there was one kernel that iophase supports, if there should have been."""
        return any(not image.exception() for kernel, image in self.images.items()
                   if kernel.supported or not any(k.supported for k in self.images))


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernel", nargs="*", help="names; all of them without")
    parser.add_argument("--backend", action="append", choices=BACKENDS,
                        help="the truth with that one only")
    parser.add_argument("--accuracy", metavar="FILE", help="write the accuracy table")
    parser.add_argument("--suite", action="append", choices=SUITES, help="that one only; may be "
                        "given again")
    parser.add_argument("--append", default="", help="more words for the kernel's command line")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count()),
                        help="guests at once")
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        chosen = [kernels.by_name(name) for name in args.kernel] or kernels.KERNELS
    except kernels.Unfetched as error:
        sys.exit(f"Bail out! {error}")
    cells = [cell for kernel in chosen for cell in cells_of(kernel, args)]
    matrix = Matrix(chosen)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        # The slowest first, so that none of them is left alone at the end.
        list(pool.map(matrix.run, sorted(cells, key=lambda cell: cell.backend != BACKENDS[1])))
    if args.accuracy:
        columns = [label(cell) for cell in cells if label(cell) in matrix.figures]
        accuracy.write(args.accuracy, {name: matrix.figures[name] for name in columns},
                       dict.fromkeys(kernels.version(cell.kernel) for cell in cells
                                     if label(cell) in columns))
    if not matrix.tested():
        matrix.tap.fail("kernels", ["no kernel could be fetched, so nothing was tested"])
    return matrix.tap.end()


if __name__ == "__main__":
    sys.exit(main())
