"""The product's own backup: one file with the database, the releases if wanted, and what proves that it is whole. The
keys go into a file of their own, for somebody else to keep: docs/backup.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from approvals import audit, copy_file, databases, proof
from approvals.chain import GENESIS, Head, moment
from approvals.databases import Unfit
from approvals.models import Actor, AuditEvent, Checkpoint

FORMAT = 1
KEYS = {"secret-key": "SECRET_KEY", "sealing-key": "SEALING_KEY", "checkpoint-key": "CHECKPOINT_KEY"}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Restored:
    """What a restore brought back, and what a person has to know about it."""

    events: int
    made_at: str
    files: int
    warnings: list[str]


def back_up(to: Path, *, releases: bool, actor: Actor, now: datetime) -> dict[str, Any]:
    """Write a backup into a new file, and return its manifest. Unfit or OSError leave no file behind."""
    if to.exists():
        raise Unfit(f"{to} is there already. Name a new file.")
    with _folder(to.parent) as folder:
        about = _about(now)  # before the dump: what the record had then is in it
        dumped = databases.dump(folder)
        names = {dumped.name: dumped}
        if releases:
            names |= {f"repository/{path.relative_to(settings.REPOSITORY).as_posix()}": path for path in _kept()}
        manifest = {**about, "files": {name: _digest(path) for name, path in sorted(names.items())}}
        made = folder / "backup"
        with tarfile.open(made, "w:gz", compresslevel=1) as out:
            text = json.dumps(manifest, indent=1).encode()
            head = tarfile.TarInfo("manifest.json")
            head.size = len(text)
            out.addfile(head, io.BytesIO(text))
            for name, path in sorted(names.items()):
                out.add(path, arcname=name, recursive=False)
        made.chmod(0o600)
        os.link(made, to)  # fails where somebody made it meanwhile
    details = {"head": manifest["head"], "sha256": _digest(to), "releases": releases}
    with transaction.atomic():
        audit.append("record.backed_up", subject="record", actor=actor, at=now, details=details)
    return manifest


def keys_to(to: Path) -> None:
    """Write the keys into a new file that only its owner reads. OSError when it is there already."""
    text = json.dumps({name: getattr(settings, setting) for name, setting in KEYS.items()}, indent=1)
    handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(text + "\n")


def restore(source: Path, *, keys: Path | None, actor: Actor, now: datetime) -> Restored:
    """Bring a backup back into an empty place. Unfit, with nothing changed, for one that is not whole."""
    databases.refuse_unless_empty()
    with _folder(settings.STATE) as folder:
        manifest = _unpacked(source, folder)
        _refuse_newer(manifest)
        held = _read_keys(keys, manifest) if keys else {}
        name = next(name for name in manifest["files"] if name in databases.NAMES.values())
        databases.load(folder / name)
        count = _put_back(folder / "repository")
    for name, text in held.items():
        _keep_key(settings.STATE / name, text)
    # The copies on other disks are ahead of every backup; what they say about that comes apart.
    seen = proof.whole(Head.parse(manifest["head"]), copy=False)
    warnings = [seen.sentence()] if seen.finding else []
    warnings += _keys_missing(manifest, held) + _behind_copies()
    details = {"made_at": manifest["made_at"], "head": manifest["head"], "warnings": warnings}
    with transaction.atomic():
        audit.append("record.restored", subject="record", actor=actor, at=now, details=details)
    return Restored(seen.seen.count, manifest["made_at"], count, warnings)


def _about(now: datetime) -> dict[str, Any]:
    """What the manifest says besides the files."""
    row = AuditEvent.objects.order_by("-seq").values_list("seq", "hash").first()
    migrations = sorted(f"{app}.{name}" for app, name in MigrationLoader(connection).applied_migrations)
    keys = {name: _key_id(getattr(settings, setting)) for name, setting in KEYS.items()}
    head = str(Head(*row) if row else Head(0, GENESIS))
    return {"format": FORMAT, "made_at": moment(now), "head": head, "migrations": migrations, "keys": keys}


def _unpacked(source: Path, folder: Path) -> dict[str, Any]:
    """Unpack what the manifest names, and nothing else; Unfit when it is not whole."""
    try:
        with tarfile.open(source, "r:gz") as packed:
            first = packed.next()
            text = packed.extractfile(first) if first is not None and first.name == "manifest.json" else None
            manifest: dict[str, Any] = json.load(text) if text else {}
            if manifest.get("format") != FORMAT:
                raise Unfit(f"{source} is no backup of this product, or of another version of its format.")
            missing = dict(manifest["files"])
            for member in packed:
                if member is first:
                    continue
                if _take(packed, member, folder) != missing.pop(member.name, None):
                    raise Unfit(
                        f"{member.name} in {source} is not what was backed up: the file was damaged or changed."
                    )
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, KeyError) as error:
        raise Unfit(f"{source} can't be read as a backup: {error}") from error
    if missing:
        raise Unfit(f"{source} is cut: {len(missing)} of {len(manifest['files'])} files are missing.")
    return manifest


def _take(packed: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """Write one member below the folder; its SHA-256."""
    name = PurePosixPath(member.name)
    data = packed.extractfile(member) if member.isreg() else None
    if data is None or name.is_absolute() or ".." in name.parts:
        raise Unfit(f"{member.name} has no place in a backup.")
    path, digest = folder / name, hashlib.sha256()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _refuse_newer(manifest: dict[str, Any]) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := [name for name in manifest["migrations"] if name not in known]:
        raise Unfit(f"The backup was made by a newer version (it has {unknown[0]}). Install that one, then restore.")


def _read_keys(path: Path, manifest: dict[str, Any]) -> dict[str, str]:
    try:
        said = json.loads(path.read_text())
        held = {name: str(said[name]) for name in KEYS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unfit(f"{path} holds no keys of a backup: {error!r}") from error
    if wrong := [name for name in KEYS if _key_id(held[name]) != manifest["keys"][name]]:
        raise Unfit(f"{path} holds other keys than those of the backup: {', '.join(wrong)}.")
    return held


def _keys_missing(manifest: dict[str, Any], held: dict[str, str]) -> list[str]:
    mine = {name: held.get(name, getattr(settings, setting)) for name, setting in KEYS.items()}
    wrong = [name for name, text in mine.items() if _key_id(text) != manifest["keys"][name]]
    if not wrong:
        return []
    return [
        f"The keys here are not those of the backup ({', '.join(wrong)}): with another sealing key no gateway can be"
        " signed in to. Restore again with --keys FILE, or set the variables."
    ]


def _behind_copies() -> list[str]:
    """What the copied checkpoints say about the database that came back."""
    last = Checkpoint.objects.order_by("-number").first()
    try:
        there = copy_file.newest()
    except OSError as error:
        return [f"The copy of the checkpoints can't be read: {error}."]
    if last is None or there is None or there[1].size <= last.size:
        return []
    lost = f"{there[1].size - last.size} events that were recorded after this backup are not in it."
    return [f"{lost} Look at what they were, then run manage.py audit begin-anew --why …: docs/record.md."]


def _kept() -> Iterator[Path]:
    return (path for path in sorted(settings.REPOSITORY.rglob("*")) if path.is_file())


def _put_back(folder: Path) -> int:
    """Releases into the repository, where they are not yet; what is there is named by its content."""
    paths = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    for path in paths:
        to = settings.REPOSITORY / path.relative_to(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists():
            shutil.move(path, to)
    return len(paths)


def _keep_key(path: Path, text: str) -> None:
    partial = path.with_suffix(".restoring")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    partial.replace(path)


@contextmanager
def _folder(beside: Path) -> Iterator[Path]:
    """A folder on the same disk, gone at the end."""
    path = Path(tempfile.mkdtemp(prefix=".handover-backup-", dir=beside))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _key_id(text: str) -> str:
    return hashlib.sha256(b"handover backup key id v1|" + text.encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
