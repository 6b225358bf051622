# SPDX-License-Identifier: GPL-2.0-only
"""
Archives a guest boots from. The first, made once, has busybox, python and what was built here; a
guest adds a small one of its own, for the kernel unpacks archives one after the other.
"""

import io
import os
import pathlib
import re
import stat
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("OUT") or ROOT / ".output")
BUSYBOX = "/bin/busybox"
# Whose programs and scripts a guest has.
SUITES = ("truth", "exact", "cli", "doctor")
# What the scripts that run in a guest import.
MODULES = ("argparse collections concurrent.futures.thread contextlib ctypes dataclasses errno fnmatch functools glob json "
           "math os pathlib platform random re select shlex shutil signal socket statistics struct "
           "subprocess sys tempfile threading time traceback").split()


class Archive:
    """A cpio archive of the kind the kernel unpacks ("newc")."""

    def __init__(self):
        self.data = io.BytesIO()
        self.names = set()

    def _entry(self, name, mode, body=b"", device=(0, 0)):
        if name in self.names:
            return
        self.names.add(name)
        path = name.encode() + b"\0"
        fields = (len(self.names), mode, 0, 0, 1, 0, len(body), 0, 0, *device, len(path), 0)
        self.data.write(b"070701" + b"".join(b"%08X" % field for field in fields) + path)
        self._pad()
        self.data.write(body)
        self._pad()

    def _pad(self):
        self.data.write(bytes(-self.data.tell() % 4))

    def directory(self, name):
        """A directory and those it lies in."""
        if name in ("", "."):
            return
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, body, mode=0o755):
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, body)

    def link(self, name, target):
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def add(self, source, name):
        """A file or a tree of this machine, links followed."""
        source = pathlib.Path(source)
        if source.is_dir():
            self.directory(name)
            for entry in sorted(source.iterdir()):
                self.add(entry, f"{name}/{entry.name}")
        else:
            self.file(name, source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)

    def add_program(self, source, name):
        """As add(), with the shared libraries the program is linked with."""
        self.add(source, name)
        for library in libraries(source):
            self.add(library, library.lstrip("/"))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        self.data.write(bytes(-self.data.tell() % 512))
        return self.data.getvalue()


def libraries(program):
    """What ldd says; nothing for a static program."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=20)
    return re.findall(r"(/\S+) \(0x", said.stdout) if said.returncode == 0 else []


def python_files():
    """The interpreter, and those files of its library that MODULES need."""
    code = (f"import {', '.join(MODULES)}, encodings.utf_8, encodings.latin_1, sys\n"
            "print(sys.executable)\n"
            "for m in list(sys.modules.values()):\n"
            "    print(getattr(m, '__file__', None) or '')\n")
    said = subprocess.run(["/usr/bin/python3", "-S", "-E", "-c", code], check=True, text=True,
                          capture_output=True, timeout=60)
    return [line for line in said.stdout.splitlines() if line.startswith("/")]


def add_python(archive):
    interpreter, *files = python_files()
    archive.add_program(interpreter, "usr/bin/python3")
    for path in files:
        archive.add_program(path, path.lstrip("/"))
        # Compiled, for compiling takes seconds in a guest; sizes and dates are not looked at then.
        cache = f"__pycache__/{pathlib.Path(path).stem}.{sys.implementation.cache_tag}.pyc"
        if path.endswith(".py"):
            archive.file(f"{os.path.dirname(path)}/{cache}".lstrip("/"), compiled(path), 0o644)


def compiled(path):
    """The bytes of a .pyc file that is never checked against its source."""
    import importlib._bootstrap_external as external
    code = compile(pathlib.Path(path).read_bytes(), path, "exec", dont_inherit=True)
    return bytes(external._code_to_hash_pyc(code, bytes(8), checked=False))


def base():
    """What every guest has."""
    archive = Archive()
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3)
    for name in ("proc", "sys", "tmp", "out", "bin"):
        archive.directory(name)
    archive.add(BUSYBOX, "bin/busybox")
    archive.link("bin/sh", "busybox")
    archive.add(ROOT / "tests/vm/init", "init")
    add_python(archive)
    archive.add_program(BUILT / "static/iophase", "iophase/iophase")
    for suite in SUITES:
        for program in sorted((BUILT / "tests" / suite).glob("*")):
            if program.is_file() and os.access(program, os.X_OK):
                archive.add(program, f"iophase/.output/tests/{suite}/{program.name}")
        for script in sorted((ROOT / "tests" / suite).glob("*.py")):
            archive.add(script, f"iophase/tests/{suite}/{script.name}")
    return archive.bytes()


def extra(command, files=()):
    """The archive of one guest: its command, and files as (source, name) pairs."""
    archive = Archive()
    archive.file("command", command.encode() + b"\n")
    for source, name in files:
        archive.add_program(source, name.lstrip("/"))
    return archive.bytes()
