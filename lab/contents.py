"""Where a release's files come from: share/packages.json, and each Debian package's copyright file beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.commands import text
from lab.elf import copy

OWNERS = "owners.json"


def note(packages: Iterable[Path], unpacked: Path) -> None:
    """Write down which package each file under `unpacked` came from, and that package's version."""
    owners: dict[str, list[str]] = {}
    for package in packages:
        name, version = text(["dpkg-deb", "--show", "--showformat=${Package} ${Version}", str(package)]).split()
        listing = text(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -t', "sh", str(package)]).splitlines()
        owners |= {path.removeprefix("./"): [name, version] for path in listing if not path.endswith("/")}
    (unpacked / OWNERS).write_text(json.dumps(owners))


def describe(unpacked: Path, tree: Path, sources: Mapping[str, Path]) -> None:
    """Write share/ of a release: `sources` maps the files of `tree` to what they were copied from."""
    owners = json.loads((unpacked / OWNERS).read_text())
    packages: dict[str, dict[str, object]] = {}
    for file, source in sorted(sources.items()):
        name, version = owners[str(source.relative_to(unpacked))]
        row = packages.setdefault(name, {"name": name, "version": version, "files": []})
        row["files"] = [*_files(row), file]
    share = tree / "share"
    share.mkdir()
    (share / "packages.json").write_text(json.dumps({"packages": list(packages.values())}, indent=1) + "\n")
    for name in packages:
        if licence := _copyright(unpacked, name):
            copy(licence, share / "doc" / name / "copyright", mode=0o644)


def _files(row: Mapping[str, object]) -> list[str]:
    files = row["files"]
    assert isinstance(files, list)
    return files


def _copyright(unpacked: Path, package: str) -> Path | None:
    """A package's copyright file; its folder, or the file, may be a link to that of another package."""
    path = unpacked / "usr/share/doc" / package / "copyright"
    real = Path(os.path.realpath(path))
    return real if real.is_file() and unpacked.resolve() in real.parents else None
