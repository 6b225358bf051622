# SPDX-License-Identifier: GPL-2.0-only
"""
Stock Debian kernels, fetched by apt into a cache of their own; the system never sees them.

A directory of the cache holds apt's lists for one kernel, its package as fetched, the image taken
out of it, and image.json, which says what they are and what they hash to. Once it is complete it
is used without the network, until `fetch --update` asks for what is newest.
"""

import collections
import contextlib
import fcntl
import fnmatch
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

# Where the package has a "*" the highest version of what matches is taken; without, its
# dependencies are followed to the package that holds the image. supported: by iophase.
Kernel = collections.namedtuple("Kernel", "name suite package supported", defaults=[True])

META = "linux-image-cloud-amd64"
KERNELS = [
    Kernel("5.10", "bullseye", META, supported=False),
    Kernel("6.1", "bookworm", META),
    Kernel("6.12", "trixie", META),
    Kernel("6.18", "trixie-backports", "linux-image-6.18.*-cloud-amd64"),
    Kernel("7.x", "sid", META),
]

UPDATE_TIMEOUT_S = 120
FETCH_TIMEOUT_S = 300
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unfetched(Exception):
    """A kernel that cannot be had: its text is the reason."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("IOPHASE_KERNELS") or pathlib.Path(base, "iophase-kernels"))


def by_name(name):
    for kernel in KERNELS:
        if kernel.name == name:
            return kernel
    raise Unfetched(f"no such kernel; there are {' '.join(k.name for k in KERNELS)}")


def run(argv, timeout_s, **how):
    """Standard output of a command; its last words if it fails."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout_s, **how)
    except subprocess.TimeoutExpired:
        raise Unfetched(f"{argv[0]} not over after {timeout_s} s") from None
    except OSError as error:
        raise Unfetched(f"{argv[0]}: {error.strerror}") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        raise Unfetched(" ".join(said or done.stderr.split("\n")[-2:]).strip() or
                        f"{argv[0]} exits with {done.returncode}")
    return done.stdout


def mirror():
    """The base URL that this machine itself gets Debian from."""
    origins = run(["apt-get", "indextargets", "--format", "$(SITE) $(ORIGIN) $(LABEL)"], 20)
    for line in origins.splitlines():
        site, _, origin = line.partition(" ")
        if origin == "Debian Debian":
            return site
    raise Unfetched("apt knows no Debian mirror; run apt-get update")


def digest(path):
    with contextlib.suppress(OSError):
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None


class Apt:
    """apt with the sources of one suite, in one directory, blind to all else of the system."""

    def __init__(self, directory, suite):
        self.dir = directory
        for part in ("sources", "lists/partial", "cache/archives/partial"):
            pathlib.Path(self.dir, part).mkdir(parents=True, exist_ok=True)
        self.options = [
            "-oDir::Etc::SourceList=/dev/null", f"-oDir::Etc::SourceParts={self.dir}/sources",
            f"-oDir::State::Lists={self.dir}/lists", f"-oDir::Cache={self.dir}/cache",
            "-oDir::State::Status=/dev/null", "-oAPT::Architecture=amd64",
            "-oAPT::Sandbox::User=root", "-oAcquire::Languages=none", "-oAcquire::Retries=2"]
        pathlib.Path(self.dir, "sources/debian.list").write_text(
            f"deb [arch=amd64 signed-by={KEYRING}] {mirror()} {suite} main\n")

    def update(self):
        # Without this a list that cannot be had is a warning, and an older one is used.
        run(["apt-get", *self.options, "-oAPT::Update::Error-Mode=any", "update", "-q"],
            UPDATE_TIMEOUT_S)

    def names(self, pattern):
        names = run(["apt-cache", *self.options, "pkgnames", pattern.split("*")[0]], 60)
        return fnmatch.filter(names.split(), pattern)

    def show(self, package):
        """The fields of the newest version, as a dict."""
        text = run(["apt-cache", *self.options, "show", "--no-all-versions", package], 60)
        return dict(re.findall(r"^([\w-]+): (.*)$", text.split("\n\n")[0], re.M))

    def download(self, package, version):
        run(["apt-get", *self.options, "download", "-q", f"{package}={version}"],
            FETCH_TIMEOUT_S, cwd=self.dir)


def newer(a, b):
    """Order of two versions, as sort() wants it."""
    lt = subprocess.run(["dpkg", "--compare-versions", a["Version"], "lt", b["Version"]])
    return -1 if lt.returncode == 0 else 1


def image_package(apt, package):
    """The fields of the package that holds the image itself."""
    if "*" in package:
        found = [apt.show(name) for name in apt.names(package)]
        if not found:
            raise Unfetched(f"no package {package} in this suite")
        return max(found, key=functools.cmp_to_key(newer))
    fields = apt.show(package)
    # A metapackage depends on the image; since 7.x the image on its signed or unsigned binary.
    inner = re.search(r"\blinux-(image|binary)-\d[^ ,]*", fields.get("Depends", ""))
    return image_package(apt, inner[0]) if inner else fields


def deb_path(directory, fields):
    return pathlib.Path(directory, pathlib.Path(fields["Filename"]).name)


def fetch_package(apt, fields):
    """The package, checked against what the signed list says of it; fetched anew once."""
    for old in apt.dir.glob("*.deb"):
        old.unlink()
    for _ in range(2):
        apt.download(fields["Package"], fields["Version"])
        found = list(apt.dir.glob("*.deb"))
        if len(found) == 1 and digest(found[0]) == fields["SHA256"]:
            return found[0].rename(deb_path(apt.dir, fields))
        for broken in found:
            broken.unlink()
    raise Unfetched(f"{fields['Package']}: not what its hash says, twice")


def unpack(directory, deb):
    """Takes the image out of the package; returns its path."""
    tree = directory / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    run(["dpkg-deb", "-x", str(deb), str(tree)], 120)
    # Since 7.x the image lies with its modules, under a name without its version.
    images = [*tree.glob("boot/vmlinuz-*"), *tree.glob("usr/lib/modules/*/vmlinuz")]
    if len(images) != 1:
        raise Unfetched(f"{deb.name}: {len(images)} images inside")
    for old in directory.glob("vmlinuz*"):
        old.unlink()
    image = images[0].rename(directory / "vmlinuz")
    shutil.rmtree(tree)
    return image


def cached(directory):
    """The complete and unspoilt image of the cache: (path or None, what is wrong or None)."""
    try:
        note = json.loads((directory / "image.json").read_text())
        files = {directory / name: wanted for name, wanted in note["sha256"].items()}
        image = directory / note["image"]
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, KeyError, TypeError):
        return None, "image.json is spoilt"
    for path, wanted in files.items():
        if digest(path) != wanted:
            return None, f"{path.name} is spoilt"
    return image, None


def fetch(kernel, directory):
    apt = Apt(directory, kernel.suite)
    apt.update()
    fields = image_package(apt, kernel.package)
    deb = deb_path(directory, fields)
    if digest(deb) != fields["SHA256"]:
        deb = fetch_package(apt, fields)
    image = unpack(directory, deb)
    note = {"package": fields["Package"], "version": fields["Version"], "suite": kernel.suite,
            "image": image.name, "sha256": {deb.name: fields["SHA256"], image.name: digest(image)}}
    # The note comes last and whole: what it names is complete.
    (directory / "image.tmp").write_text(json.dumps(note, indent=1) + "\n")
    (directory / "image.tmp").rename(directory / "image.json")
    return image


def image_path(kernel, update=False, say=lambda text: None):
    """The image of a kernel, from the cache if it can be. Raises Unfetched."""
    directory = cache_dir() / kernel.name
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        image, wrong = cached(directory)
        if image and not update:
            return image
        if wrong:
            say(f"{kernel.name}: {wrong}, fetched anew")
            (directory / "image.json").unlink()
        try:
            return fetch(kernel, directory)
        except Unfetched as reason:
            if wrong:
                raise Unfetched(f"{wrong}, and cannot be fetched anew: {reason}") from None
            raise


def version(kernel):
    """What the cache holds, for reports."""
    note = json.loads((cache_dir() / kernel.name / "image.json").read_text())
    return f"{note['package']} {note['version']}"
