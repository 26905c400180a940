"""Signed releases of any size for the benches: noise in a valid tar.zst, so that nothing is saved by packing it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pysequoia
import zstandard

PIECE = 4 * 1024 * 1024


class Noise(io.RawIOBase):
    """Random bytes without end."""

    def read(self, size: int = -1) -> bytes:
        return os.urandom(size)


def pack(path: Path, size: int) -> None:
    """Write a bundle with `size` bytes of noise in it."""
    members = (("sbin/ocserv", 4), ("sbin/ocserv-worker", 4), ("bin/occtl", 4), ("lib/noise", size))
    with (
        path.open("wb") as out,
        zstandard.ZstdCompressor(level=1).stream_writer(out, write_size=PIECE) as packed,
        tarfile.open(mode="w|", fileobj=packed, bufsize=PIECE, format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, length in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode = length, 0o755
            archive.addfile(member, Noise())


def release(folder: Path, name: str, key: pysequoia.Tsk, *, size: int) -> Path:
    """Write the files of docs/ocgate-protocol.md, "A release bundle", signed with `key`; the folder."""
    folder.mkdir(parents=True)
    bundle = folder / "bundle.tar.zst"
    pack(bundle, size)
    with bundle.open("rb") as packed:
        sha256 = hashlib.file_digest(packed, "sha256").hexdigest()
    manifest = {
        "format": 1,
        "product": "ocserv",
        "release": name,
        "version": name.partition("-")[0],
        "counter": 1,
        "prefix": f"/var/lib/ocgate/releases/{name}",
        "built": "2026-11-23T00:00:00Z",
        "source": "bench",
        "architecture": "amd64",
        "bundle": {"name": bundle.name, "size": bundle.stat().st_size, "sha256": sha256},
        "state_migration": False,
    }
    texts = {"CHANGELOG.md": b"# Noise\n", "manifest.json": json.dumps(manifest).encode()}
    hashes = {bundle.name: sha256, **{name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}}
    texts["SHA256SUMS"] = "".join(f"{hashed}  {name}\n" for name, hashed in hashes.items()).encode()
    mode = pysequoia.SignatureMode.DETACHED
    texts["SHA256SUMS.asc"] = pysequoia.sign(key.signer(), texts["SHA256SUMS"], mode=mode)
    for file, text in texts.items():
        (folder / file).write_bytes(text)
    return folder
