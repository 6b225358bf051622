# SPDX-License-Identifier: GPL-2.0-only
"""What run.py and cross.py share: running programs under iophase, and saying the result in TAP."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP_STATUS = 77
TIMEOUT_S = 60
RESULTS = ("ok", "zero", "eagain", "eintr", "restarted")


class Failure(Exception):
    """A case that could not be judged: its text is the diagnosis."""


class Skip(Exception):
    """A case that cannot run here: its text is the reason."""


class Tap:
    """Prints results as they come; the plan comes last, for it is known only then."""

    def __init__(self):
        self.count = self.failed = self.skipped = 0

    def _line(self, ok, name, notes):
        self.count += 1
        print(f"{ok} {self.count} - {name}")
        for note in notes:
            print(f"# {note}")
        sys.stdout.flush()

    def ok(self, name, notes=()):
        self._line("ok", name, notes)

    def fail(self, name, notes=()):
        self.failed += 1
        self._line("not ok", name, notes)

    def skip(self, name, reason):
        self.skipped += 1
        self._line("ok", f"{name} # SKIP {reason}", ())

    def relay(self, ok, name, notes):
        """The result of a test that ran elsewhere, as it was said there."""
        self.failed += not ok
        self.skipped += ok and "# SKIP" in name
        self._line("ok" if ok else "not ok", name, notes)

    def run(self, name, test):
        """Calls test(), which returns notes or raises Failure or Skip."""
        try:
            self.ok(name, test())
        except Skip as skip:
            self.skip(name, skip)
        except Failure as failure:
            self.fail(name, str(failure).splitlines())

    def end(self):
        print(f"1..{self.count}")
        passed = self.count - self.failed - self.skipped
        print(f"# {passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed else 0


def kill_group(child):
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def run_bounded(argv, timeout_s=TIMEOUT_S, **how):
    """One command in a process group of its own, so that nothing of it outlives the time limit."""
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             start_new_session=True, **how)
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        kill_group(child)
        raise Failure(f"not over after {timeout_s} s: {' '.join(argv)}") from None
    return child.returncode, out, err.decode(errors="replace")


def load_output(path, err):
    """The JSON document iophase wrote; a document that does not parse is a failure like any."""
    try:
        return json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"no JSON from iophase: {error}\n{err}") from None


def watch(iophase, argv, options=(), **how):
    """Runs argv under iophase. Returns (document, stdout of argv)."""
    with tempfile.TemporaryDirectory(prefix="iophase-truth-") as tmp:
        out = pathlib.Path(tmp, "out.json")
        status, stdout, err = run_bounded(
            [str(iophase), "-j", "-o", str(out), *options, "--", *argv], **how)
        if status == SKIP_STATUS:
            raise Skip((err.strip() or "?").splitlines()[-1])
        if status:
            raise Failure(f"exit status {status} of {' '.join(argv)}\n{err}")
        return load_output(out, err), stdout


def blocked_in(pid, number):
    """Whether the main thread sleeps inside the system call of this number."""
    try:
        return pathlib.Path(f"/proc/{pid}/syscall").read_text().startswith(f"{number} ")
    except OSError:
        return False


def watch_attached(iophase, argv, options=()):
    """As watch(), but of a process that is blocked in read(stdin) before and after the watch."""
    with tempfile.TemporaryDirectory(prefix="iophase-truth-") as tmp:
        out = pathlib.Path(tmp, "out.json")
        target = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            limit = time.monotonic() + 5
            while not blocked_in(target.pid, 0) and time.monotonic() < limit:
                time.sleep(0.01)
            status, _, err = run_bounded(
                [str(iophase), "-j", "-o", str(out), "-d", "1", "-p", str(target.pid), *options])
            stdout, _ = target.communicate(timeout=5)
        finally:
            target.kill()
            target.wait()
        if status:
            raise Failure(f"exit status {status}\n{err}")
        return load_output(out, err), stdout


def flat_results(row):
    """Results as one dict of counts by class or errno, without the zero ones."""
    results = row.get("results") or {}
    flat = {name: results.get(name, 0) for name in RESULTS}
    flat.update(results.get("errors") or {})
    return {name: count for name, count in flat.items() if count}


# Losses that come of events which the kernel dropped.
DROPPED = ("enter_missed", "exit_missed", "copy_missed", "polls_missed")


class Dropped:
    """
    Events that the kernel dropped in one run of iophase, because a hook was pre-empted by itself,
    and that iophase counted: each can explain one thing that is missing, once.
    """

    def __init__(self, document, backend):
        # What iophase chooses by itself is to lose nothing.
        self.count = self.left = (
            document["lost"]["recursion_misses"] if backend == "trampoline" else 0)

    def explain(self, missing):
        if not 0 < missing <= self.left:
            return False
        self.left -= missing
        return True

    def errors(self, lost):
        """Takes those losses out of lost that come of it; there may be no more of them."""
        if self.count:
            named = sum(lost.pop(name, 0) for name in DROPPED)
            if named > lost.pop("recursion_misses", self.count):
                yield f"{named} events lost, {self.count} dropped"


def document_errors(document, lost, dropped=None):
    """What must hold for every output, whatever was run. lost: losses that are expected."""
    found = dict(document["lost"])
    if dropped:
        yield from dropped.errors(found)
    for name, count in found.items():
        # What a backend cannot see it says it does not know.
        if count is None and name in ("compat_calls", "denied_calls"):
            continue
        if count != lost.get(name, 0):
            yield f"lost.{name}: {lost.get(name, 0)} expected, {count} measured"
    for row in document["rows"]:
        who = f"{row['call']} of {row.get('tid') or row.get('tgid')}"
        parts = [row[k] or 0 for k in ("blocked_ns", "runnable_ns", "kernel_ns")]
        parts.append(row.get("copy_ns") or 0)
        if sum(parts) != row["wall_ns"]:
            yield f"{who}: phases {parts} make {sum(parts)}, wall is {row['wall_ns']}"
        for name, buckets in (row.get("hist") or {}).items():
            count = sum(n for _, n in buckets)
            if count != row["calls"]:
                yield f"{who}: {count} calls in histogram {name}, {row['calls']} in the row"
        ended = sum(flat_results(row).values())
        if ended != row["calls"]:
            yield f"{who}: results of {ended} calls, {row['calls']} in the row"


# Switches and wake-ups that iophase says the kernel kept to itself: see docs/measuring.md.
HIDDEN = ("switch_missed", "waking_missed")


def hidden_switches(document):
    return sum(document["lost"][name] for name in HIDDEN)


def stolen_ticks():
    """Time the hypervisor gave to others: a disturbance no program here can see by itself."""
    return int(pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[8])


def machine():
    """One line that says where figures come from."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} CPUs, Linux {os.uname().release}"


def check_ready(iophase, programs, options=()):
    """
    The reason why nothing can run here, or None. Ends the run if nothing can work. options: None if
    it is not to be tried, for that takes seconds where functions are hooked.
    """
    if os.geteuid():
        return "needs root"
    for path in (iophase, programs / "every"):
        if not os.access(path, os.X_OK):
            raise SystemExit(f"Bail out! {path.name} is not built")
    try:
        if options is not None:
            watch(iophase, [str(programs / "every"), "1"], options)
    except Failure as failure:
        raise SystemExit(f"Bail out! {failure}") from None
    return None
