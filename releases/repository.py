"""Where releases are kept: one folder a release below settings.REPOSITORY, named by its digest.

A release is copied first and judged on the copy, so nobody can swap a file between the check and its use.
A folder gets its final name by rename, once all is checked and on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from approvals.errors import Refused
from releases import archive, manifest

_PARTIAL = "partial-"
_STALE = 24 * 3600  # seconds; no intake takes that long, so its process was killed
_SIGNATURE = re.compile(r"SHA256SUMS(\.[A-Za-z0-9_-]{1,40})?\.(asc|p7s)")
_SIGNATURES_MOST = 10
# Manifest, sums, change log and signatures travel in one request line of at most 256 KiB.
_MOST = {manifest.MANIFEST: 16 * 1024, manifest.SUMS: 4 * 1024, manifest.CHANGELOG: 100 * 1024}
_SIGNATURE_MOST = 8 * 1024
_PIECE = 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line end


@dataclass(frozen=True)
class Received:
    """A release's files in a partial folder; nothing of it is believed yet."""

    folder: Path
    manifest: bytes
    sums: bytes
    changelog: bytes
    signatures: dict[str, bytes]  # file name → bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()


@contextlib.contextmanager
def receiving(source: Path) -> Iterator[Received]:
    """Copy the small files of a release into a partial folder; the folder is gone after, unless `keep` took it."""
    settings.REPOSITORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=settings.REPOSITORY))
    try:
        texts = {name: _copy(source, folder, name, most=most) for name, most in _MOST.items()}
        signatures = {name: _copy(source, folder, name, most=_SIGNATURE_MOST) for name in _signature_names(source)}
        yield Received(folder, texts[manifest.MANIFEST], texts[manifest.SUMS], texts[manifest.CHANGELOG], signatures)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(settings.REPOSITORY).free
        raise Refused(f"The repository's disk is full: {free} bytes are free. Nothing was kept. Make room, try again.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_sums(received: Received, source: Path) -> manifest.Manifest:
    """Compare every file with SHA256SUMS, copying the bundle on the way, and read the manifest. Slow by the bundle."""
    sums = manifest.parse_sums(received.sums)
    for name, data in ((manifest.MANIFEST, received.manifest), (manifest.CHANGELOG, received.changelog)):
        if hashlib.sha256(data).hexdigest() != sums[name]:
            raise Refused(f"{name} does not have the hash that SHA256SUMS gives: it was changed after signing.")
    said = manifest.parse(received.manifest)
    if said.bundle_sha256 != sums[manifest.BUNDLE]:
        raise Refused(f"{manifest.MANIFEST} and SHA256SUMS give different hashes for {manifest.BUNDLE}.")
    text(received.changelog, manifest.CHANGELOG)
    _copy_bundle(source, received.folder, said)
    return said


def check_bundle(received: Received) -> archive.Contents:
    """Look at every member of the copied bundle; return what it unpacks to. Slow by the bundle."""
    with (received.folder / manifest.BUNDLE).open("rb") as bundle:
        return archive.check(bundle)


def text(data: bytes, name: str) -> str:
    """Return a file's text; Refused when it is not UTF-8 or holds characters that could play with a terminal."""
    try:
        found = data.decode()
    except UnicodeError:
        raise Refused(f"{name} is not UTF-8.")
    if _CONTROL.search(found):
        raise Refused(f"{name} holds control characters.")
    return found


def keep(received: Received) -> Path:
    """Give the checked folder its final name and return the bundle's path below settings.REPOSITORY.

    Call it last in the transaction that has inserted the digest: then nobody else owns that name, what stands there
    is left of a process that died before its commit, and a failure here takes the rows back.
    """
    final = settings.REPOSITORY / received.digest
    if final.exists():
        shutil.rmtree(final)
    received.folder.rename(final)
    _sync(settings.REPOSITORY)
    return Path(received.digest) / manifest.BUNDLE


def is_whole(bundle: str, sha256: str) -> bool:
    """Whether a kept bundle still has its hash. Slow by the bundle."""
    try:
        with path_of(bundle).open("rb") as kept:
            return hashlib.file_digest(kept, "sha256").hexdigest() == sha256
    except OSError:
        return False


def path_of(bundle: str) -> Path:
    """Return the absolute path of a kept bundle."""
    return Path(settings.REPOSITORY) / bundle


def _signature_names(source: Path) -> list[str]:
    names = sorted(entry.name for entry in os.scandir(source) if _SIGNATURE.fullmatch(entry.name))
    if not names:
        raise Refused("SHA256SUMS.asc is missing, so nobody vouches for this release. Have it signed.")
    if len(names) > _SIGNATURES_MOST:
        raise Refused(f"The release comes with {len(names)} signature files; at most {_SIGNATURES_MOST} are read.")
    return names


def _copy(source: Path, folder: Path, name: str, *, most: int) -> bytes:
    with _open(source, name) as original:
        data = original.read(most + 1)
    if len(data) > most:
        raise Refused(f"{name} is larger than {most} bytes.")
    with (folder / name).open("xb") as copy:
        copy.write(data)
        _flush(copy)
    return data


def _copy_bundle(source: Path, folder: Path, said: manifest.Manifest) -> None:
    size, digest = 0, hashlib.sha256()
    with _open(source, manifest.BUNDLE) as original, (folder / manifest.BUNDLE).open("xb") as copy:
        while piece := original.read(_PIECE):
            size += len(piece)
            if size > said.bundle_size:
                raise Refused(f"{manifest.BUNDLE} is longer than the {said.bundle_size} bytes of the manifest.")
            digest.update(piece)
            copy.write(piece)
        _flush(copy)
    if size < said.bundle_size:
        raise Refused(f"{manifest.BUNDLE} was cut short: {size} of {said.bundle_size} bytes are there. Fetch it again.")
    if digest.hexdigest() != said.bundle_sha256:
        raise Refused(f"{manifest.BUNDLE} does not have the hash of the manifest: it was changed after signing.")
    _sync(folder)


@contextlib.contextmanager
def _open(source: Path, name: str) -> Iterator[BinaryIO]:
    """Open a regular file of the source; a link or a pipe in its place is refused without following or waiting."""
    try:
        handle = os.open(source / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Refused(f"{name} is missing.")
    except OSError as error:
        raise Refused(f"{name} can't be read: {error.strerror}.")
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused(f"{name} is no regular file.")
        yield opened


def _flush(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep() -> None:
    """Remove what killed intakes left."""
    for folder in settings.REPOSITORY.glob(_PARTIAL + "*"):
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_mtime < time.time() - _STALE:
                shutil.rmtree(folder, ignore_errors=True)
