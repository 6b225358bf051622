# SPDX-License-Identifier: GPL-2.0-only
"""
The command that iophase watches when many cases share one run: it runs the programs of a plan one
after the other and notes what each said. driver.py PLAN RESULTS; the plan is a list of argvs.
"""

import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True

import harness


def run(argv):
    stolen = harness.stolen_ticks()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = child.communicate(timeout=harness.TIMEOUT_S)
        status = child.returncode
    except subprocess.TimeoutExpired:
        harness.kill_group(child)
        out, err, status = b"", b"", None
    return {"tgid": child.pid, "status": status, "stdout": out.decode(),
            "stderr": err.decode(errors="replace"), "stolen": harness.stolen_ticks() - stolen}


def main():
    plan, results = map(pathlib.Path, sys.argv[1:])
    results.write_text(json.dumps([run(argv) for argv in json.loads(plan.read_text())]))


if __name__ == "__main__":
    main()
