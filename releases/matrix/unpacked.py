"""A bundle's members in a folder, for the tests that read them. Only after releases.archive.check found them safe."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import zstandard

_WINDOW_MOST = 128 * 1024 * 1024


def unpack(bundle: Path, folder: Path) -> None:
    """Write the regular files and links of a checked bundle below `folder`."""
    with bundle.open("rb") as packed:
        reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MOST).stream_reader(packed, read_across_frames=True)
        with tarfile.open(mode="r|", fileobj=reader) as archive:
            for member in archive:
                _write(member, archive, folder)


def _write(member: tarfile.TarInfo, archive: tarfile.TarFile, folder: Path) -> None:
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
    elif source := archive.extractfile(member):
        with source, target.open("xb") as out:
            shutil.copyfileobj(source, out)
