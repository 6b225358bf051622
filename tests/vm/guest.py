# SPDX-License-Identifier: GPL-2.0-only
"""
One guest: a kernel in qemu's emulation, a command in it, and what came out.

KVM is not asked for, for it is not everywhere; and all processors of a guest share one thread,
for with one thread each, these kernels die of soft lockups.
"""

import collections
import contextlib
import io
import os
import pathlib
import subprocess
import tarfile
import tempfile
import time

import initramfs

QEMU = "qemu-system-x86_64"
APPEND = "console=ttyS0 panic=-1 quiet tsc=reliable"
TAIL_LINES = 25
MEMORY_MB = 1024
CPUS = 2
TIMEOUT_S = 120

# status: of the command; None if the guest did not get so far, and then error says why.
Result = collections.namedtuple("Result", "status error stdout stderr files console seconds")


class Guest:
    def __init__(self, image, command, base, files=(), append="", qemu=(), memory_mb=MEMORY_MB,
                 cpus=CPUS, timeout_s=TIMEOUT_S):
        self.timeout_s = timeout_s
        self.tmp = tempfile.TemporaryDirectory(prefix="iophase-guest-")
        self.dir = pathlib.Path(self.tmp.name)
        (self.dir / "initrd").write_bytes(base + initramfs.extra(command, files))
        # It must not outlive us, however we end.
        self.argv = [
            "setpriv", "--pdeathsig", "KILL", QEMU, "-accel", "tcg,thread=single", "-cpu", "max", "-smp", str(cpus),
            "-nodefaults", "-display", "none", "-no-reboot", "-m", str(memory_mb),
            "-kernel", str(image), "-initrd", str(self.dir / "initrd"),
            "-append", f"{APPEND} {append}",
            *(word for port in ("console", "stdout", "stderr", "out.tar")
              for word in ("-serial", f"file:{self.dir / port}")), *qemu]
        self.begin = time.monotonic()
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def read(self, port):
        with contextlib.suppress(OSError):
            return (self.dir / port).read_bytes()
        return b""

    def running(self):
        return self.process.poll() is None

    def late(self):
        return time.monotonic() - self.begin > self.timeout_s

    def end(self):
        """Kills it if it still runs, and says what came out."""
        error = None
        if self.running():
            error = f"not over after {self.timeout_s} s"
            self.process.kill()
        said = self.process.communicate()[1].decode(errors="replace").strip()
        files, status = unpack(self.read("out.tar"))
        if status is None and not error:
            error = f"no result from the guest{': ' if said else ''}{said}"
        result = Result(status, error, self.read("stdout"), self.read("stderr"), files,
                        self.read("console").decode(errors="replace").replace("\r", ""),
                        time.monotonic() - self.begin)
        self.tmp.cleanup()
        return result


def unpack(data):
    """({name: bytes}, status) of the archive a guest sent; status None if it is not whole."""
    files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                if member.isfile():
                    files[os.path.normpath(member.name)] = tar.extractfile(member).read()
        return files, int(files.pop(".status"))
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError):
        return files, None


def tail(console):
    return console.splitlines()[-TAIL_LINES:]


def boot(image, command, base, watch=lambda guest: None, **how):
    """Runs a command to its end or its time limit. watch(guest) is called again and again."""
    guest = Guest(image, command, base, **how)
    try:
        while guest.running() and not guest.late():
            watch(guest)
            with contextlib.suppress(subprocess.TimeoutExpired):
                guest.process.wait(0.1)
        watch(guest)
    finally:
        result = guest.end()
    return result
