"""Where kept releases lie: Django's storage "releases", files below settings.REPOSITORY unless settings say S3.

A storage elsewhere is read through a small cache below settings.STATE: a gateway is sent files, and each download
would fetch the bundle anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from fleet.errors import RetryLater

CACHED_MOST = 8  # bundles
_PIECE = 1024 * 1024
_STALE = 3600  # seconds; no fetch takes that long, so its process was killed


class Files(FileSystemStorage):
    """Files below settings.REPOSITORY, wherever that is when they are asked for."""

    @property
    def base_location(self) -> str:
        return str(settings.REPOSITORY)

    @property
    def location(self) -> str:
        return os.path.abspath(self.base_location)


def kept() -> Storage:
    """The storage of releases."""
    return storages["releases"]


def is_here() -> bool:
    """Whether the kept files are files of this machine."""
    return isinstance(kept(), FileSystemStorage)


def size_of(name: str) -> int:
    """How many bytes a kept file has; 0 when there is none. RetryLater when a storage elsewhere does not answer."""
    with _answering():
        return kept().size(name) if kept().exists(name) else 0


def sha256_of(name: str) -> str:
    """What a kept file hashes to; "" when there is none. RetryLater as in `size_of`. Slow by its size."""
    with _answering():
        return _hash(name) if kept().exists(name) else ""


def path_of(name: str, *, sha256: str) -> Path:
    """The path of a kept file on this machine; what lies elsewhere is fetched first. Slow by its size then.

    RetryLater when a storage elsewhere does not answer or what came does not have the hash. A file of this machine is
    not hashed: who gets it hashes it anyway.
    """
    if is_here():
        return Path(kept().path(name))
    folder = Path(settings.STATE) / "bundles"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    cached = folder / sha256
    if not cached.exists():
        with _answering():
            _fetch(name, cached, sha256)
        _forget(folder)
    with contextlib.suppress(FileNotFoundError):
        os.utime(cached)
    return cached


def put(folder: Path, name: str) -> None:
    """Copy every file of a checked folder into the storage below `name`. RetryLater when it does not answer."""
    with _answering():
        for path in sorted(folder.iterdir()):
            with path.open("rb") as source:
                kept().save(f"{name}/{path.name}", File(source))


def remove(name: str) -> None:
    """Take what lies below `name` out of the storage again, as far as it answers."""
    with contextlib.suppress(OSError, BotoCoreError, ClientError):
        for file in kept().listdir(name)[1]:
            kept().delete(f"{name}/{file}")


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise RetryLater(f"The storage of releases does not answer as it should: {error}", code="storage") from error


def _hash(name: str) -> str:
    hashed = hashlib.sha256()
    with kept().open(name) as source:
        while piece := source.read(_PIECE):
            hashed.update(piece)
    return hashed.hexdigest()


def _fetch(name: str, cached: Path, sha256: str) -> None:
    hashed = hashlib.sha256()
    handle, partial = tempfile.mkstemp(prefix="partial-", dir=cached.parent)
    try:
        with os.fdopen(handle, "wb") as out, kept().open(name) as source:
            while piece := source.read(_PIECE):
                hashed.update(piece)
                out.write(piece)
        if hashed.hexdigest() != sha256:
            raise RetryLater(f"{name} came from the storage of releases with another hash.", code="storage")
        os.rename(partial, cached)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)


def _forget(folder: Path) -> None:
    """Keep the bundles that were used last. Who still reads a removed one reads on."""
    whole = [path for path in folder.iterdir() if not path.name.startswith("partial-")]
    for path in sorted(whole, key=_used_at, reverse=True)[CACHED_MOST:]:
        path.unlink(missing_ok=True)
    for path in folder.glob("partial-*"):
        if _used_at(path) < time.time() - _STALE:
            path.unlink(missing_ok=True)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def room() -> int:
    """Bytes that are free where releases are received."""
    return shutil.disk_usage(settings.REPOSITORY).free
