"""A signer's desk: keys, and small releases that are signed with them."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import zstandard
from pysequoia import Cert, SignatureMode, Tsk, sign

PROGRAMS = ("sbin/ocserv", "bin/occtl")


def key(name: str, validity_seconds: int | None = None) -> Tsk:
    return _key(name, validity_seconds)


@functools.cache
def _key(name: str, validity_seconds: int | None) -> Tsk:
    return Tsk.generate(f"{name} <{name}@example.org>", validity_seconds=validity_seconds)


def public(tsk: Tsk) -> str:
    return str(tsk.extract_certificate())


def revoked(tsk: Tsk) -> str:
    cert = tsk.extract_certificate()
    return str(Cert.from_bytes(bytes(cert) + bytes(cert.revoke(tsk.certifier()))))


def fingerprint(tsk: Tsk) -> str:
    return tsk.extract_certificate().fingerprint.upper()


def signature(tsk: Tsk, data: bytes) -> bytes:
    return sign(tsk.signer(), data, mode=SignatureMode.DETACHED)


def member(name: str, **changes: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.size = 0o755, 4
    for field, value in changes.items():
        setattr(info, field, value)
    if not info.isreg():
        info.size = 0
    return info


def tarred(members: Iterable[tarfile.TarInfo]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(mode="w", fileobj=out, format=tarfile.GNU_FORMAT) as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(b"\x7fELF") if info.isreg() else None)
    return out.getvalue()


def bundle(*extra: tarfile.TarInfo) -> bytes:
    return zstandard.compress(tarred([*map(member, PROGRAMS), *extra]))


def manifest(packed: bytes, **changes: Any) -> bytes:
    release = str(changes.get("release", "1.3.0-2"))
    said = {
        "format": 1,
        "product": "ocserv",
        "release": release,
        "version": "1.3.0",
        "counter": 1003000,
        "prefix": f"/var/lib/ocgate/releases/{release}",
        "built": "2026-11-23T00:00:00Z",
        "source": "debian trixie ocserv 1.3.0-2",
        "architecture": "amd64",
        "bundle": {"name": "bundle.tar.zst", "size": len(packed), "sha256": sha256(packed)},
        "state_migration": False,
    }
    return json.dumps({**said, **changes}).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sums(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{sha256(data)}  {name}\n" for name, data in sorted(files.items())).encode()


def release(
    folder: Path, *signers: Tsk, packed: bytes | None = None, changelog: bytes = b"# Better\n", **changes: Any
) -> Path:
    """Write a release into a new folder, signed by each of `signers` in a file of its own."""
    packed = bundle() if packed is None else packed
    files = {"bundle.tar.zst": packed, "manifest.json": manifest(packed, **changes), "CHANGELOG.md": changelog}
    summed = sums(files)
    for number, tsk in enumerate(signers):
        files[f"SHA256SUMS.{number}.asc" if number else "SHA256SUMS.asc"] = signature(tsk, summed)
    folder.mkdir()
    for name, data in {**files, "SHA256SUMS": summed}.items():
        (folder / name).write_bytes(data)
    return folder
