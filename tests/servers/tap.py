# SPDX-License-Identifier: GPL-2.0-only
"""Test Anything Protocol: each case compares what was measured with the truth and shows both."""


class Skip(Exception):
    """The case cannot run here; the text says why."""


class Case:
    def __init__(self):
        self.lines = []
        self.failures = 0

    def equal(self, what, measured, truth):
        self._add(measured == truth, f"{what}: {measured}, truth {truth}")

    def between(self, what, measured, low, high):
        self._add(low <= measured <= high, f"{what}: {measured}, truth {low} to {high}")

    def none(self, what, found):
        """Says nothing unless there is one."""
        if found:
            self.fail(f"{what}: {found}")

    def fail(self, text):
        self._add(False, text.replace("\n", " "))

    def note(self, text):
        self.lines.append(f"#   {text}")

    def _add(self, good, text):
        self.failures += not good
        self.lines.append(f"#   {text}" if good else f"# ! {text}")


def run(tests):
    """Runs (name, function of a case) pairs; returns the exit status."""
    failed = count = 0
    for count, (name, test) in enumerate(tests, 1):
        case, verdict, directive = Case(), "ok", ""
        try:
            test(case)
        except Skip as reason:
            directive = f" # SKIP {reason}"
        except Exception as error:  # a broken test is a failed test, and the others still run
            case.fail(f"{type(error).__name__}: {error}")
        if case.failures:
            verdict, failed = "not ok", failed + 1
        print(f"{verdict} {count} - {name}{directive}", *case.lines, sep="\n", flush=True)
    print(f"1..{count}")
    return 1 if failed else 0
