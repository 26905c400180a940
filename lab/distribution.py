"""Debian's own ocserv as a plain service on 0.0.0.0:443: what a gateway runs that ocgate has yet to adopt."""

from __future__ import annotations

from pathlib import Path

from lab.elf import LOADER, closure, copy
from lab.machine import Machine

PROGRAMS = ("usr/sbin/ocserv", "usr/sbin/ocserv-worker", "usr/bin/occtl", "usr/bin/ocpasswd")
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def install(machine: Machine, package: Path) -> None:
    """Put the unpacked package on the machine's disk, with the libraries that the host lacks, and enable its unit."""
    programs = [package / name for name in PROGRAMS]
    for source in programs:
        copy(source, machine.upper / source.relative_to(package), mode=0o755)
    for name, library in closure(programs, package).items():
        if name != LOADER and not Path("/", LIBRARIES, name).exists():
            copy(library, machine.upper / LIBRARIES / name, mode=0o644)
    unit = next(path for path in package.rglob("ocserv.service") if "doc" not in path.parts)
    machine.write("usr/lib/systemd/system/ocserv.service", unit.read_bytes())
    wants = machine.upper / "etc/systemd/system/multi-user.target.wants/ocserv.service"
    wants.symlink_to("/lib/systemd/system/ocserv.service")
