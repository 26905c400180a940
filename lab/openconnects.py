"""The clients of the test matrix: this host's openconnect and the newest one that Debian has, side by side."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.commands import Say, run, text
from lab.elf import closure, copy, relocate
from lab.suites import Suite

NEWEST = "sid"
PROGRAM = "usr/sbin/openconnect"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class Program:
    """One openconnect: its version, "9.12", and how to call it."""

    version: str
    path: str


def programs(cache: Path, say: Say) -> list[Program]:
    """Return the host's and the newest openconnect, oldest first. Downloads the newest one once, about 30 MB."""
    host = shutil.which("openconnect") or "/usr/sbin/openconnect"
    found = [Program(_version(host), host), newest(cache, say)]
    return sorted(found, key=lambda program: [int(part) for part in program.version.split(".")])


def newest(cache: Path, say: Say) -> Program:
    """The openconnect of the newest suite, with its libraries in a folder of its own."""
    folder = cache / "openconnect" / NEWEST
    made = folder / "bin/openconnect"
    if not made.exists():
        say(f"downloading openconnect of Debian {NEWEST}")
        packages = Suite(NEWEST, cache / "suites" / f"openconnect-{NEWEST}").download("openconnect")
        _assemble(packages, folder)
    return Program(_version(str(made)), str(made))


def _assemble(packages: list[Path], folder: Path) -> None:
    half = folder.with_name(f"{NEWEST}.half")
    shutil.rmtree(half, ignore_errors=True)
    (half / "packages").mkdir(parents=True)
    for package in packages:
        if package.name.startswith(("openconnect_", "lib", "zlib")):
            text(["dpkg-deb", "--extract", str(package), str(half / "packages")])
    program = half / "packages" / PROGRAM
    for hidden in sorted((half / "packages" / LIBRARIES).glob("libproxy/*.so*")):
        copy(hidden, hidden.parent.parent / hidden.name, mode=0o755)
    for name, library in closure([program], half / "packages").items():
        copy(library, half / "lib" / name, mode=0o755)
        if text(["patchelf", "--print-rpath", str(half / "lib" / name)]):
            # A path of a library's own would hide the program's.
            run(["patchelf", "--remove-rpath", str(half / "lib" / name)])
    copy(program, half / "bin/openconnect", mode=0o755)
    relocate(half / "bin/openconnect", str(folder))
    shutil.rmtree(half / "packages")
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)


def _version(program: str) -> str:
    found = re.search(r"version v(\d+(?:\.\d+)*)", text([program, "--version"]))
    return found[1] if found else "0"
