# SPDX-License-Identifier: GPL-2.0-only
"""A list of tests of real servers, each with the programs it cannot do without."""

import os
import signal
import sys

import farm
import tap
import watch


def when_possible(test, programs):
    def run(case):
        if os.geteuid():
            raise tap.Skip("needs root")
        for name in programs:
            if not farm.installed(name):
                raise tap.Skip(f"{name} is not installed")
        test(case)
    return run


def main(tests):
    """Runs those whose name has the first argument in it; returns the exit status."""
    farm.end_on(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if not watch.IOPHASE.exists():
        print("Bail out! iophase is not built")
        return 1
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    return tap.run([(name, when_possible(test, programs))
                    for name, test, programs in tests if wanted in name])
