"""The releases of RabbitMQ that the tests run against, and where the programs of each are.

One of them is installed on this machine, as a Debian package. The others come from other releases of Debian, each in a
folder of $XDG_CACHE_HOME/psistats with a small Debian in it, made on first use (two minutes, 500 MB). A node of such a
release runs under chroot in a mount namespace of its own: its mounts end with its last process, also when that is killed.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Which release of Debian has it.
SUITES = {"3.10": "bookworm", "4.0": "trixie", "4.3": "sid"}
PROGRAMS = "/usr/lib/rabbitmq/bin"
VARIABLE = "PSISTATS_TEST_RABBITMQ"
MIRROR = "http://deb.debian.org/debian"
PROGRESS_EVERY = 5
# Enters a mount namespace's Debian: sees the broker's directory under its own name, the machine's /proc and /dev.
ENTER = """set -e
root=$1 directory=$2
shift 2
mkdir -p "$root$directory"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$directory" "$root$directory"
exec chroot "$root" sh -c 'cd "$1"; shift; exec "$@"' sh "$directory" "$@"
"""


class Failure(Exception):
    """Something to tell the user in one line."""


def die(text):
    raise Failure(text)


def package_version(root="/"):
    """The version of Debian's package rabbitmq-server in this Debian; None without it."""
    query = ["dpkg-query", "--admindir", Path(root) / "var/lib/dpkg", "-W", "-f", "${db:Status-Abbrev} ${Version}"]
    with contextlib.suppress(FileNotFoundError):
        result = subprocess.run([*query, "rabbitmq-server"], capture_output=True, text=True)
        status, _, version = result.stdout.partition("  ")
        if status == "ii" and version:
            return version
    return None


def release_of(version):
    """3.10.8-1.1+deb12u1 is of 3.10."""
    return ".".join(re.split(r"[.\-+~]", version)[:2])


def cache():
    given = os.environ.get("XDG_CACHE_HOME") or ""
    base = Path(given) if given.startswith("/") else Path.home() / ".cache"
    return base / "psistats"


@dataclass
class Release:
    """One release of RabbitMQ: its name, and the Debian that its programs are in (None: this machine's own)."""

    name: str
    root: Path | None

    @property
    def is_made(self):
        return self.version is not None

    @property
    def version(self):
        """The whole version of the package; None if it is not there."""
        return package_version(self.root or "/")

    def command(self, directory, program, *arguments):
        """The command line that runs a program of this release for a broker of this directory."""
        if not self.root:
            return [str(program), *arguments]
        script = ["sh", "-c", ENTER, "enter", str(self.root), str(directory)]
        return ["unshare", "--mount", "--propagation", "private", *script, str(program), *arguments]

    def environment(self, environment):
        """The variables as programs of this release get them."""
        return environment | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} if self.root else environment

    def users(self):
        """The processes that run in this Debian now."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.root and os.readlink(entry / "root") == str(self.root):
                    found.append(int(entry.name))
        return found


def named(name=None):
    """The release of this name; without one that of the environment, or else the one that is installed."""
    name = name or os.environ.get(VARIABLE) or None
    installed = package_version()
    if installed and name in (None, release_of(installed)):
        return Release(release_of(installed), None)
    if name is None:
        if Path(PROGRAMS, "rabbitmq-server").exists():
            return Release("installed", None)
        die("RabbitMQ is not installed; run Scripts/setup")
    if name not in SUITES:
        die(f"no RabbitMQ {name} is known here; there are {', '.join(SUITES)}")
    return Release(name, cache() / f"rabbitmq-{name}")


def every():
    return [named(name) for name in SUITES]


# Making and removing -----------------------------------------------------------------------------


def need_root(release, what):
    if os.geteuid() != 0:
        die(
            f"RabbitMQ {release.name} comes from Debian's {SUITES[release.name]} and {what} in a chroot, which takes root: "
            "run this as root, or do without --version"
        )


@contextlib.contextmanager
def making(release):
    """One making or removing at a time."""
    release.root.parent.mkdir(parents=True, exist_ok=True)
    with open(release.root.parent / f"{release.root.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(release):
    """Sees to it that the programs of a release are there."""
    if not release.root:
        return
    need_root(release, "is run")
    if release.is_made:
        return
    with making(release):
        if release.is_made:
            return
        missing = [program for program in ("debootstrap", "unshare", "chroot") if not shutil.which(program)]
        if missing:
            die(f"{', '.join(missing)}: not installed; run Scripts/setup")
        draft = release.root.with_name(f"{release.root.name}.new")
        remove_tree(draft)
        try:
            fill(release, draft)
            version = package_version(draft)
            if not version or release_of(version) != release.name:
                die(f"Debian's {SUITES[release.name]} has RabbitMQ {version or 'no longer'} by now, not {release.name}")
            remove_tree(release.root)
            draft.rename(release.root)
        finally:
            remove_tree(draft)
        print(f"broker: RabbitMQ {version} is in {release.root}", file=sys.stderr, flush=True)


def fill(release, root):
    suite = SUITES[release.name]
    log = root.with_name(f"{release.root.name}.log")
    log.write_text("")
    with open("/proc/self/mountinfo") as mounts:
        if any(f" {root}/" in line for line in mounts):
            die(f"something is mounted below {root}")
    progress = Progress(f"making RabbitMQ {release.name} from Debian's {suite} in {release.root}", log)
    progress.run("debootstrap", "--variant=minbase", suite, str(root), mirror())
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (root / "etc/apt/apt.conf.d/90this-machine").write_text(apt_settings())
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "apt-get"]
    progress.run("chroot", str(root), *apt, "-q", "-y", "install", "--no-install-recommends", "rabbitmq-server")
    progress.run("chroot", str(root), *apt, "clean")
    for entry in (root / "var/lib/apt/lists").iterdir():
        remove_tree(entry) if entry.is_dir() else entry.unlink()


def mirror():
    """Where this machine gets Debian from."""
    folder = Path("/etc/apt/sources.list.d")
    for file in [*sorted(folder.glob("*.sources")), Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))]:
        with contextlib.suppress(OSError):
            for line in file.read_text().splitlines():
                found = re.match(r"(?:URIs:|deb\s(?:\[[^]]*\])?)\s*(https?://\S+/debian)/?(?:\s|$)", line)
                if found:
                    return found[1]
    return MIRROR


def apt_settings():
    """What this machine's apt was told of fetching: a proxy, say."""
    result = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True)
    return "".join(f"{line}\n" for line in result.stdout.splitlines() if not line.endswith('"";'))


def remove_tree(folder):
    if folder.exists():
        shutil.rmtree(folder)


class Progress:
    """Runs commands in a mount namespace of their own and tells every few seconds how far they are."""

    def __init__(self, what, log):
        self.what = what
        self.log = log
        self.began = time.monotonic()
        print(f"broker: {what}; this is done once", file=sys.stderr, flush=True)

    def run(self, *command):
        with open(self.log, "ab") as output:
            process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            while True:
                try:
                    status = process.wait(PROGRESS_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    lines = self.log.read_text(errors="replace").splitlines() or [""]
                    took = time.monotonic() - self.began
                    print(f"broker: {took:3.0f} s: {lines[-1][:100]}", file=sys.stderr, flush=True)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()
        if status != 0:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
            die(f"{self.what} failed:\n{tail}\n(from {self.log})")


def remove(release):
    """Removes the Debian of a release; whether there was one."""
    if not release.root:
        die(f"RabbitMQ {release.name} is installed on this machine; it is not in the cache")
    if not release.root.parent.exists():
        return False
    with making(release):
        there = release.root.exists()
        if there:
            need_root(release, "is kept")
            if release.users():
                numbers = ", ".join(map(str, release.users()))
                die(f"RabbitMQ {release.name} is in use by the processes {numbers}; stop them first (Scripts/broker stop)")
            # First out of the way, so that a half removed one is never taken for a whole.
            gone = Path(tempfile.mkdtemp(prefix=f"{release.root.name}.gone.", dir=release.root.parent))
            release.root.rename(gone / "root")
            remove_tree(gone)
        for leftover in release.root.parent.glob(f"{release.root.name}.*"):
            if leftover.is_dir():
                remove_tree(leftover)
            elif leftover.suffix == ".log":
                leftover.unlink()
    return there
