"""Packing one release folder into the four files of docs/ocgate-protocol.md, "A release bundle"."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from lab.commands import run
from lab.signing import Signer

PREFIX = "/var/lib/ocgate/releases"


@dataclass(frozen=True)
class Recipe:
    """What a bundle is made of, apart from its files."""

    release: str
    version: str
    source: str
    built: str
    changelog: str

    @property
    def counter(self) -> int:
        """The number that only grows from version to version: 1.3.0 → 1003000."""
        major, minor, patch = (int(part) for part in self.version.split("."))
        return major * 1_000_000 + minor * 1_000 + patch

    @property
    def prefix(self) -> str:
        """The one folder where this release runs: the loader's path in its programs is absolute."""
        return f"{PREFIX}/{self.release}"


def pack(tree: Path) -> bytes:
    """The tree as tar.zst, the same bytes each time: sorted, no owner, no time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(tree.rglob("*")):
            member = archive.gettarinfo(str(path), arcname=str(path.relative_to(tree)))
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            member.mtime = 0
            if member.isreg():
                with path.open("rb") as stream:
                    archive.addfile(member, stream)
            else:
                archive.addfile(member)
    return run(["zstd", "-q", "-10", "--single-thread", "-c"], stdin=raw.getvalue(), seconds=120)


def publish(tree: Path, folder: Path, recipe: Recipe, *, signer: Signer) -> None:
    """Write bundle, manifest, change log, sums and signature of `tree` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle = pack(tree)
    (folder / "bundle.tar.zst").write_bytes(bundle)
    manifest = {
        "format": 1,
        "product": "ocserv",
        "release": recipe.release,
        "version": recipe.version,
        "counter": recipe.counter,
        "prefix": recipe.prefix,
        "built": recipe.built,
        "source": recipe.source,
        "architecture": "amd64",
        "bundle": {
            "name": "bundle.tar.zst",
            "size": len(bundle),
            "sha256": hashlib.sha256(bundle).hexdigest(),
        },
        "state_migration": False,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    (folder / "CHANGELOG.md").write_text(recipe.changelog)
    names = ("CHANGELOG.md", "bundle.tar.zst", "manifest.json")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums))
    signer.sign(folder / "SHA256SUMS")
