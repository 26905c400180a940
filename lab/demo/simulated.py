"""Gateways in memory, for machines without root: signed releases of nothing, and an inventory like the lab's."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pysequoia
import zstandard

from lab.bundle import PREFIX

OLD = "1.1.6-3"
NEW = ("1.3.0-2", "1.5.0-1")
BAD = "1.3.0-2+bad"
OWNER = "Handover simulated releases <releases@simulated.invalid>"
USERS_EACH, STAY_SECONDS = 3, 240.0  # per gateway; how long a user stays on average
CHANGES = {
    NEW[0]: "Simulated. HTTP/2 of some clients no longer ends the session; a leak in the worker's timers is closed.",
    NEW[1]: "Simulated. Faster key exchange; occtl shows the reason of each disconnect.",
    BAD: "Simulated. A rebuild of 1.3.0-2 with a seat limiter for workers.",
}


def inventory(folder: Path, *, gateways: int = 4) -> dict[str, Any]:
    """Write signed releases below `folder`; what the dashboard must know of them and of the gateways."""
    key = pysequoia.Tsk.generate(OWNER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "release-key.asc").write_text(str(key.extract_certificate()))
    releases = {name: str(publish(folder / name, name, key)) for name in (*NEW, BAD)}
    return {
        "release_key": str(folder / "release-key.asc"),
        "releases": releases,
        "gateways": [gateway(number) for number in range(1, gateways + 1)],
    }


def gateway(number: int) -> dict[str, Any]:
    """One simulated gateway: the bad release lets the first logins in and then fails most of them."""
    faults = {"bad_logins_after": {BAD: 5}, "bad_login_share": 0.7}
    return {
        "name": f"gw{number}",
        "pool": "edge",
        "address": "simulated",
        "port": 22,
        "user": "ocgate",
        "public": f"203.0.113.{10 + number}",
        "probe": {"user": "probe", "password": "simulated"},
        "simulate": {"release": OLD, "users": USERS_EACH, "mean_seconds": STAY_SECONDS, "faults": faults},
    }


def publish(folder: Path, name: str, key: pysequoia.Tsk) -> Path:
    """Write the files of docs/ocgate-protocol.md, "A release bundle", signed with `key`; the folder."""
    folder.mkdir(exist_ok=True)
    bundle = zstandard.compress(programs(name))
    version = name.partition("-")[0]
    major, minor, patch = (int(part) for part in version.split("."))
    manifest = {
        "format": 1,
        "product": "ocserv",
        "release": name,
        "version": version,
        "counter": major * 1_000_000 + minor * 1_000 + patch,
        "prefix": f"{PREFIX}/{name}",
        "built": "2026-11-23T00:00:00Z",
        "source": "simulated",
        "architecture": "amd64",
        "bundle": {"name": "bundle.tar.zst", "size": len(bundle), "sha256": hashlib.sha256(bundle).hexdigest()},
        "state_migration": False,
    }
    texts = {
        "CHANGELOG.md": f"# ocserv {name}\n\n{CHANGES[name]}\n".encode(),
        "bundle.tar.zst": bundle,
        "manifest.json": json.dumps(manifest, indent=2).encode() + b"\n",
    }
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {file}\n" for file, data in texts.items()).encode()
    signature = pysequoia.sign(key.signer(), sums, mode=pysequoia.SignatureMode.DETACHED)
    for file, data in {**texts, "SHA256SUMS": sums, "SHA256SUMS.asc": signature}.items():
        (folder / file).write_bytes(data)
    return folder


def programs(name: str) -> bytes:
    """A tar with the programs that every release has; these only say what they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in ("sbin/ocserv", "sbin/ocserv-worker", "bin/occtl"):
            text = f"#!/bin/sh\necho simulated {path} of {name}\n".encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text), 0o755
            archive.addfile(member, io.BytesIO(text))
    return out.getvalue()
