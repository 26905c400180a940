"""One hash over everything in a release's folder: what drift is measured by. The controller reckons the same from the
bundle at intake (releases/archive.py). Pure but for `of_folder`."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Iterable, List

PAPERS = frozenset({"manifest.json", "CHANGELOG.md", "SHA256SUMS"})
"""At the folder's top: not of the bundle, and covered by the release's digest."""

FILE, FOLDER, LINK, OTHER = "f", "d", "l", "?"
FOLDER_MODE = LINK_MODE = 0


def line(path: str, kind: str, mode: int, what: str) -> str:
    """One member: its path with "/" between, its kind, its permission bits in octal, SHA-256 or link target.

    Folders and links have the mode 0 and folders no content: theirs are the file system's and the umask's matter.
    """
    return f"{path}\0{kind}\0{mode:o}\0{what}\n"


def file_mode(mode: int) -> int:
    """The mode that a bundle's file gets when it is unpacked."""
    return 0o755 if mode & 0o111 else 0o644


def digest(lines: Iterable[str]) -> str:
    """SHA-256 over the sorted lines, lower-case hex."""
    return hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def of_folder(folder: Path) -> str:
    """The hash of a release's folder as it is now. Reads all of it; OSError when something vanishes meanwhile."""
    lines: List[str] = []
    for at, folders, files in os.walk(str(folder)):
        for name in folders + files:
            path = os.path.relpath(os.path.join(at, name), str(folder))
            if path not in PAPERS:
                lines.append(line_of(folder / path, path))
    return digest(lines)


def line_of(place: Path, path: str) -> str:
    """The line of one member as it lies in a folder."""
    seen = place.lstat()
    if stat.S_ISLNK(seen.st_mode):
        return line(path, LINK, LINK_MODE, os.readlink(str(place)))
    if stat.S_ISDIR(seen.st_mode):
        return line(path, FOLDER, FOLDER_MODE, "")
    if not stat.S_ISREG(seen.st_mode):
        return line(path, OTHER, stat.S_IMODE(seen.st_mode), "")
    hashed = hashlib.sha256()
    with place.open("rb") as source:
        for chunk in iter(lambda: source.read(1024 * 1024), b""):
            hashed.update(chunk)
    return line(path, FILE, stat.S_IMODE(seen.st_mode), hashed.hexdigest())
