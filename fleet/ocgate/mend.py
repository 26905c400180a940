"""Put a release's folder back to what its bundle unpacks to, file by file, while programs may run from it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import List, Set

from .tree import line_of


def mend(fresh: Path, folder: Path) -> List[str]:
    """Move into `folder` what differs in `fresh`, remove what `fresh` does not have; return the paths that changed.

    Each file changes by one rename, so a worker that ocserv starts meanwhile finds the old or the new one, never none.
    """
    wanted, there = _paths(fresh), _paths(folder)
    changed = []
    for path in sorted(wanted):
        source, target = fresh / path, folder / path
        if path in there and line_of(source, path) == line_of(target, path):
            continue
        changed.append(path)
        if _is_folder(source):
            _remove(target)
            target.mkdir(mode=0o755)
            continue
        if _is_folder(target):
            shutil.rmtree(str(target))
        os.replace(str(source), str(target))
    for path in sorted(there - wanted, reverse=True):
        changed.append(path)
        _remove(folder / path)
    os.sync()
    return sorted(changed)


def _paths(folder: Path) -> Set[str]:
    """Everything below it, a folder's path before those inside it when sorted."""
    found = set()
    for at, folders, files in os.walk(str(folder)):
        found |= {os.path.relpath(os.path.join(at, name), str(folder)) for name in folders + files}
    return found


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):  # its folder was replaced by a file before
        return False


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(str(path))
    elif os.path.lexists(str(path)):
        path.unlink()
