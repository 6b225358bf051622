# SPDX-License-Identifier: GPL-2.0-only
"""
The command that iophase watches when many cases share one run: it runs the programs of a plan one
after the other and notes what each said. driver.py PLAN RESULTS; the plan is a list of argvs.

None of them is waited for: iophase keeps the rows of a process apart as long as its id is taken,
but those of no more than a few that are gone.
"""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import harness


def ended(child):
    """The exit status of a process, which stays a zombie; None if it was not over in time."""
    over = select.poll()
    over.register(os.pidfd_open(child.pid), select.POLLIN)
    if not over.poll(harness.TIMEOUT_S * 1000):
        os.killpg(child.pid, signal.SIGKILL)
        return None
    end = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status


def run(argv, children):
    stolen = harness.stolen_ticks()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 start_new_session=True)
        children.append(child)
        status = ended(child)
        out.seek(0)
        err.seek(0)
        return {"tgid": child.pid, "status": status, "stdout": out.read().decode(),
                "stderr": err.read().decode(errors="replace"),
                "stolen": harness.stolen_ticks() - stolen}


def main():
    plan, results = map(pathlib.Path, sys.argv[1:])
    children = []
    results.write_text(json.dumps([run(argv, children) for argv in json.loads(plan.read_text())]))
    # Without a word to the objects of the children, which would wait for them.
    os._exit(0)


if __name__ == "__main__":
    main()
