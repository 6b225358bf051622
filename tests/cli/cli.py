# SPDX-License-Identifier: GPL-2.0-only
"""What the scripts here share: iophase as a command, programs for it to watch, and checks."""

import concurrent.futures
import contextlib
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "truth"))

from harness import ROOT, TIMEOUT_S, Failure, Skip, Tap, run_bounded

# A shell has what it runs in the background ignore it, and so would all that is run from here.
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

IOPHASE = str(os.environ.get("IOPHASE") or ROOT / "iophase")
PYTHON = sys.executable
TARGET = [PYTHON, "-B", str(HERE / "target.py")]
JOBS = 2 * os.cpu_count()   # a test mostly waits: for time to pass, or for hooks to be attached


class Result:
    """How a run of a command ended and what it said."""

    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    def check(self, good, what):
        """Fails with all that was seen unless `good`."""
        if not good:
            raise Failure(f"{what}\ncommand: {' '.join(map(str, self.argv))}\n"
                          f"status {self.status}\nstdout {self.out[-600:]!r}\n"
                          f"stderr {self.err[-600:]!r}")
        return self

    def ends(self, status, *said, out=None):
        """This status, each text on stderr, and stdout empty or holding the bytes `out`."""
        self.check(self.status == status, f"status {status} expected")
        for text in said:
            self.check(text in self.err, f"stderr does not say {text!r}")
        if out is None:
            return self.check(not self.out, "nothing expected on stdout")
        return self.check(out in self.out, f"{out!r} expected on stdout")


def run(argv, **how):
    return Result(argv, *run_bounded([str(word) for word in argv], **how))


def iophase(*options, **how):
    return run([IOPHASE, *options], **how)


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory(prefix="iophase-cli-") as directory:
        yield pathlib.Path(directory)


def await_that(condition, what):
    limit = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > limit:
            raise Failure(f"not within {TIMEOUT_S} s: {what}")
        time.sleep(0.01)


class Started:
    """A command that runs until the end of the block at most; `stop` tells how it ended."""

    def __init__(self, *argv, **how):
        self.argv = [str(word) for word in argv]
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **how}
        self.process = subprocess.Popen(self.argv, stderr=subprocess.PIPE,
                                        start_new_session=True, **how)
        self.pid = self.process.pid
        self.err = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._kill()
        self.process.communicate()

    def _kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def await_word(self, word):
        """Until stderr says `word`."""
        limit = time.monotonic() + TIMEOUT_S
        stderr = self.process.stderr.fileno()
        while word not in self.err:
            left = limit - time.monotonic()
            part = b""
            if left > 0 and select.select([stderr], [], [], left)[0]:
                part = os.read(stderr, 65536)
            if not part:
                raise Failure(f"never said {word!r}: {self.err!r}")
            self.err += part
        return self

    def go(self):
        """Ends the standard input of a target that waits for it."""
        self.process.stdin.close()
        self.process.stdin = None
        return self

    def send(self, number):
        self.process.send_signal(number)
        return self

    def result(self):
        """Waits for its end, not for that of its children; to be called once."""
        limit = time.monotonic() + TIMEOUT_S
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                out, err = self.process.communicate(timeout=0.1)
                break
            if self.process.poll() is not None or time.monotonic() > limit:
                self._kill()
            if time.monotonic() > limit:
                raise Failure(f"not over after {TIMEOUT_S} s: {' '.join(self.argv)}")
        return Result(self.argv, self.process.returncode, out or b"",
                      (self.err + err).decode(errors="replace"))

    def stop(self, number=signal.SIGINT):
        return self.send(number).result()


def watching(*options, **how):
    """iophase, when it has begun to watch."""
    started = Started(IOPHASE, *options, **how)
    try:
        return started.await_word(b"iophase: watching")
    except BaseException:
        started.__exit__()
        raise


def target(*words, **how):
    """target.py, when it has begun; it ends by itself only if told how many rounds."""
    started = Started(*TARGET, *words, **how)
    try:
        return started.await_word(b"ready")
    except BaseException:
        started.__exit__()
        raise


@contextlib.contextmanager
def ended():
    """The id of a process that has ended, and is there still: nobody has waited for it."""
    with subprocess.Popen(["true"], stdin=subprocess.DEVNULL) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid


def waiting_target(*words):
    """A target that makes no call of its own before go(), which is a read of its input."""
    return target("--wait", *words, stdin=subprocess.PIPE)


def in_namespace(script, *argv):
    """Runs a shell script with mounts of its own; `argv` are its arguments."""
    return run(["unshare", "-m", "sh", "-ec", script, "sh", *argv])


@contextlib.contextmanager
def as_user(uid, capabilities=()):
    """Copies of iophase and of the target, and the words to run them as a user of few rights."""
    names = "".join(f",+{name}" for name in capabilities)
    with scratch() as directory:
        directory.chmod(0o755)
        for path in (IOPHASE, HERE / "target.py"):
            shutil.copy(path, directory)
        yield directory, ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                          f"--inh-caps=-all{names}", f"--ambient-caps=-all{names}"]


def judged(test):
    """A broken test is a failed test, and the others still run."""
    try:
        return test() or ()
    except (Failure, Skip):
        raise
    except Exception:
        raise Failure(traceback.format_exc()) from None


def shared(function):
    """Of one run for all tests that look at what it printed: the first that needs it starts it."""
    lock, results = threading.Lock(), {}

    def of(*words):
        with lock:
            if words not in results:
                results[words] = function(*words)
            return results[words]
    return of


def alone(test):
    """Marks a test that others beside it would disturb."""
    test.alone = True
    return test


def run_all(tests, jobs=JOBS):
    """Runs (name, function) pairs, so many at once, and then those alone; the exit status."""
    tap = Tap()
    together, after = [], []
    for name, test in tests:
        if os.geteuid():
            tap.skip(name, "needs root")
        else:
            (after if hasattr(test, "alone") else together).append((name, test))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [(name, pool.submit(judged, test)) for name, test in together]
        for name, future in futures:
            tap.run(name, future.result)
    for name, test in after:
        tap.run(name, lambda test=test: judged(test))
    return tap.end()
