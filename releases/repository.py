"""Where releases are kept: one folder a release in the storage (releases/storage.py), named by its digest.

A release is received into a partial folder below settings.REPOSITORY first and judged there, so nobody can swap a file
between the check and its use. A folder gets its final name by rename, once all is checked and on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings

from approvals.errors import Refused
from fleet.errors import RetryLater
from releases import archive, manifest, storage

_PARTIAL = "partial-"
_STALE = 24 * 3600  # seconds; no intake takes that long, so its process was killed
_SIGNATURE = re.compile(r"SHA256SUMS(\.[A-Za-z0-9_-]{1,40})?\.(asc|p7s)")
_SIGNATURES_MOST = 10
# Manifest, sums, change log and signatures travel in one request line of at most 256 KiB.
_MOST = {manifest.MANIFEST: 16 * 1024, manifest.SUMS: 4 * 1024, manifest.CHANGELOG: 100 * 1024}
_SIGNATURE_MOST = 8 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line end


class Source(Protocol):
    """Where a release comes from. All of them raise Refused with what is wrong."""

    def names(self) -> Sequence[str]:
        """The names of the files that came."""

    def text_into(self, folder: Path, name: str, *, most: int) -> bytes:
        """Put a small file into the folder and return what it holds."""

    def bundle_into(self, folder: Path, said: manifest.Manifest) -> None:
        """Put the bundle into the folder, with the size and the hash that the manifest gives. Slow by its size."""


@dataclass(frozen=True)
class Received:
    """A release's files in a partial folder; nothing of it is believed yet."""

    folder: Path
    manifest: bytes
    sums: bytes
    changelog: bytes
    signatures: dict[str, bytes]  # file name → bytes
    source: Source

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()


def most_of(name: str) -> int:
    """How many bytes a file of a release may have; 0 for a name that is none of its files."""
    if name == manifest.BUNDLE:
        return manifest.BUNDLE_MOST
    return _MOST.get(name, _SIGNATURE_MOST if _SIGNATURE.fullmatch(name) else 0)


@contextlib.contextmanager
def partial() -> Iterator[Path]:
    """A folder to receive a release in; it is gone after, unless `keep` took it. Refused when the disk is full."""
    settings.REPOSITORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=settings.REPOSITORY))
    try:
        yield folder
    except OSError as error:
        if is_full(error):
            raise Refused(full()) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_full(error: OSError) -> bool:
    """Whether this says that the disk, or somebody's share of it, is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def full() -> str:
    """The sentence for that."""
    return f"The repository's disk is full: {storage.room()} bytes are free. Nothing was kept. Make room, try again."


def received(source: Source, folder: Path) -> Received:
    """Put the small files of a release into a partial folder."""
    texts = {name: source.text_into(folder, name, most=most) for name, most in _MOST.items()}
    signatures = {name: source.text_into(folder, name, most=_SIGNATURE_MOST) for name in _signature_names(source)}
    return Received(
        folder, texts[manifest.MANIFEST], texts[manifest.SUMS], texts[manifest.CHANGELOG], signatures, source
    )


def check_sums(received: Received) -> manifest.Manifest:
    """Compare every file with SHA256SUMS, fetching the bundle, and read the manifest. Slow by the bundle."""
    sums = manifest.parse_sums(received.sums)
    for name, data in ((manifest.MANIFEST, received.manifest), (manifest.CHANGELOG, received.changelog)):
        if hashlib.sha256(data).hexdigest() != sums[name]:
            raise Refused(f"{name} does not have the hash that SHA256SUMS gives: it was changed after signing.")
    said = manifest.parse(received.manifest)
    if said.bundle_sha256 != sums[manifest.BUNDLE]:
        raise Refused(f"{manifest.MANIFEST} and SHA256SUMS give different hashes for {manifest.BUNDLE}.")
    text(received.changelog, manifest.CHANGELOG)
    received.source.bundle_into(received.folder, said)
    _sync(received.folder)
    return said


def check_bundle(received: Received) -> archive.Contents:
    """Look at every member of the received bundle; return what it unpacks to. Slow by the bundle."""
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


def send_away(received: Received) -> None:
    """Copy the checked folder to a storage elsewhere, before the transaction that inserts the digest: it is slow.

    Names hold the digest, so a second time writes the same. Nothing to do where the storage is this machine's disk.
    """
    if storage.is_here():
        return
    try:
        storage.put(received.folder, received.digest)
    except RetryLater as no:
        storage.remove(received.digest)
        raise Refused(f"{no.say} Nothing was kept. Try again.") from no


def take_back(received: Received) -> None:
    """Undo `send_away`: the digest was not inserted."""
    if not storage.is_here():
        storage.remove(received.digest)


def keep(received: Received) -> Path:
    """Give the checked folder its final name and return the bundle's path in the storage.

    Call it last in the transaction that has inserted the digest: then nobody else owns that name, what stands there
    is left of a process that died before its commit, and a failure here takes the rows back.
    """
    if storage.is_here():
        final = settings.REPOSITORY / received.digest
        if final.exists():
            shutil.rmtree(final)
        received.folder.rename(final)
        _sync(settings.REPOSITORY)
    return Path(received.digest) / manifest.BUNDLE


def is_whole(bundle: str, sha256: str) -> bool:
    """Whether a kept bundle still has its hash. Slow by the bundle."""
    return storage.sha256_of(bundle) == sha256


def path_of(bundle: str) -> Path:
    """Return the path of a kept bundle where the storage is this machine's disk."""
    return Path(settings.REPOSITORY) / bundle


def _signature_names(source: Source) -> list[str]:
    names = sorted(name for name in source.names() if _SIGNATURE.fullmatch(name))
    if not names:
        raise Refused("SHA256SUMS.asc is missing, so nobody vouches for this release. Have it signed.")
    if len(names) > _SIGNATURES_MOST:
        raise Refused(f"The release comes with {len(names)} signature files; at most {_SIGNATURES_MOST} are read.")
    return names


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
