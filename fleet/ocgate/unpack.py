"""A bundle's archive into a folder, every member checked before it is written."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from . import members
from .errors import Refused
from .run import ENV

MEMBERS_MAX = 20000
UNPACKED_MAX = 4 * 1024**3
PADDING_MAX = 1024 * 1024


def unpack(bundle: Path, target: Path, *, size_max: int = UNPACKED_MAX) -> None:
    """Unpack a tar.zst into the new folder `target`; on any refusal nothing of it is left."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o755)
    try:
        _pipe(bundle, target, size_max)
    except Refused:
        shutil.rmtree(target, ignore_errors=True)
        raise
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as failure:
        shutil.rmtree(target, ignore_errors=True)
        raise as_refusal(failure, f"The bundle can't be unpacked: {failure}.") from failure


def as_refusal(failure: Exception, say: str) -> Refused:
    """`not_enough_disk` for a full disk or quota, `archive_unsafe` for the rest."""
    if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refused(
            "not_enough_disk",
            "The disk is full; what was written was removed. Free some room and stage again.",
        )
    return Refused("archive_unsafe", say)


def _pipe(bundle: Path, target: Path, size_max: int) -> None:
    child = subprocess.Popen(
        ["zstd", "-dcq", "-M256MiB", str(bundle)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENV,
    )
    assert child.stdout is not None  # nosec B101 # tells the type checker what PIPE means
    try:
        with tarfile.open(fileobj=child.stdout, mode="r|", tarinfo=members.Member) as archive:
            _members(archive, target, size_max)
            _end(archive)
        if child.wait(timeout=60) != 0:
            raise Refused("archive_unsafe", "The bundle is no whole zstd stream.")
    finally:
        child.stdout.close()
        if child.poll() is None:
            child.kill()
        child.wait()


def _members(archive: tarfile.TarFile, target: Path, size_max: int) -> None:
    written, seen = 0, members.Seen()
    for count, member in enumerate(archive):
        path = seen.take(member)
        written += member.size
        if written > size_max or count >= MEMBERS_MAX:
            raise Refused(
                "archive_unsafe",
                f"The bundle unpacks to more than {size_max} bytes or {MEMBERS_MAX} members.",
            )
        if path:
            _write(archive, member, target / path)


def _end(archive: tarfile.TarFile) -> None:
    """Nothing but a few zeros may follow the end mark: another tar might read on, and zstd would wait for a reader."""
    stream, padding = archive.fileobj, 0
    while True:
        rest = stream.read(65536) if stream is not None else b""
        if not rest:
            return
        padding += len(rest)
        if rest.strip(b"\0") or padding > PADDING_MAX:
            raise Refused("archive_unsafe", "The bundle goes on after the archive's end; nothing was unpacked.")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True, mode=0o755)
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    if member.issym():
        path.symlink_to(member.linkname)
        return
    source = archive.extractfile(member)
    assert source is not None  # nosec B101 # for the type checker: a regular file has one
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out, source:
        shutil.copyfileobj(source, out, 1024 * 1024)
        out.flush()
        os.fchmod(out.fileno(), 0o755 if member.mode & 0o111 else 0o644)
