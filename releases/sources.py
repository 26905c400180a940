"""A release that lies in a folder of this machine: `manage.py release add`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from approvals.errors import Refused
from releases import manifest

PIECE = 1024 * 1024

Tell = Callable[[int, int], None]
"""Called with how many bytes of how many of the bundle have come."""


class Folder:
    """Copies what it is asked for; the folder may be changed by others meanwhile."""

    def __init__(self, folder: Path, *, tell: Tell | None = None) -> None:
        if not folder.is_dir():
            raise Refused(f"{folder} is no folder with a release in it.")
        self._folder = folder
        self._tell = tell

    def names(self) -> Sequence[str]:
        return [entry.name for entry in os.scandir(self._folder)]

    def text_into(self, folder: Path, name: str, *, most: int) -> bytes:
        with self._open(name) as original:
            data = original.read(most + 1)
        if len(data) > most:
            raise Refused(f"{name} is larger than {most} bytes.")
        with (folder / name).open("xb") as copy:
            copy.write(data)
            flush(copy)
        return data

    def bundle_into(self, folder: Path, said: manifest.Manifest) -> None:
        size, digest = 0, hashlib.sha256()
        with self._open(manifest.BUNDLE) as original, (folder / manifest.BUNDLE).open("xb") as copy:
            while piece := original.read(PIECE):
                size += len(piece)
                if size > said.bundle_size:
                    break
                digest.update(piece)
                copy.write(piece)
                if self._tell:
                    self._tell(size, said.bundle_size)
            flush(copy)
        refuse_another(said, size=size, sha256=digest.hexdigest())

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        """Open a regular file of the folder; a link or a pipe in its place is refused without following or waiting."""
        try:
            handle = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Refused(f"{name} is missing.")
        except OSError as error:
            raise Refused(f"{name} can't be read: {error.strerror}.")
        with os.fdopen(handle, "rb") as opened:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Refused(f"{name} is no regular file.")
            yield opened


def refuse_another(said: manifest.Manifest, *, size: int, sha256: str) -> None:
    """Refuse a bundle that does not have the manifest's size and hash."""
    if size > said.bundle_size:
        raise Refused(f"{manifest.BUNDLE} is longer than the {said.bundle_size} bytes of the manifest.")
    if size < said.bundle_size:
        raise Refused(f"{manifest.BUNDLE} was cut short: {size} of {said.bundle_size} bytes are there. Fetch it again.")
    if sha256 != said.bundle_sha256:
        raise Refused(f"{manifest.BUNDLE} does not have the hash of the manifest: it was changed after signing.")


def flush(out: BinaryIO) -> None:
    """Have the disk hold what was written."""
    out.flush()
    os.fsync(out.fileno())
