"""`stage`: a signed release onto this gateway, verified again here, resumable, all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict

from . import counter, locks, mend, policy, receive, shapes, trust
from . import state as states
from .call import Call, Result
from .errors import Refused
from .paths import Paths
from .unpack import as_refusal, unpack

# What a bundle grows to when unpacked, with room to spare (measured: 29 MB from 10 MB).
GROWTH = 5
ROOM = 16 * 1024 * 1024
BUNDLE = "bundle.tar.zst"
FILES = (("manifest.json", "manifest"), ("CHANGELOG.md", "changelog"), ("SHA256SUMS", "sums"))
LISTED = frozenset({BUNDLE, "manifest.json", "CHANGELOG.md"})
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Manifest:
    """What the signers say of the bundle, checked against what was asked for."""

    release: str
    version: str
    digest: str
    counter: int


def stage(call: Call) -> Result:
    """Take, verify and unpack a release; one that is here with the same manifest is no work."""
    name: str = call.args["release"]
    manifest = _verified(call)
    with locks.held(call.paths.run, f"stage-{name}", wait=0.5):
        counter.allow(call.paths, call.args.get("statements", []), digest=manifest.digest)
        counter.refuse_lower(call.paths, release=name, digest=manifest.digest, counter=manifest.counter)
        folder = call.paths.release(name)
        if folder.exists():
            _refuse_another(call, manifest)
            if not call.args.get("mend"):
                return _result(manifest, already=True)
        bundle = call.paths.incoming / f"{name}-{call.args['sha256'][:16]}.tar.zst"
        try:
            _room(call.paths, bundle, size=call.args["size"])
            receive.receive(call, bundle)
            _unpack(call, bundle, folder)
        except OSError as failure:
            bundle.unlink(missing_ok=True)
            raise as_refusal(failure, f"The release could not be written: {failure}.") from failure
        states.admit(call.paths, call.fence)
        with states.changing(call.paths) as state:
            state.digests[name] = manifest.digest
    return _result(manifest, already=False)


def from_folder(folder: Path) -> Dict[str, Any]:
    """The arguments of `stage` for the four files and signatures of a release that lie in a folder of this machine."""
    try:
        texts = {field: (folder / name).read_bytes().decode() for name, field in FILES}
        signed = sorted(path for kind in ("asc", "p7s") for path in folder.glob(f"SHA256SUMS*.{kind}"))
        signatures = [{"name": path.name, "text": path.read_text()} for path in signed]
        bundle = {"size": (folder / BUNDLE).stat().st_size, "sha256": parse_sums(texts["sums"]).get(BUNDLE, "")}
    except (OSError, ValueError) as failure:
        raise Refused("manifest_bad", f"{folder} is no release: {failure}.") from failure
    name = shapes.shaped(shapes.RELEASE)(_parsed(texts["manifest"]).get("release"))
    source = {"kind": "file", "path": str(folder / BUNDLE)}
    return {"release": name, **texts, **bundle, "signatures": signatures, "source": source}


def _refuse_another(call: Call, manifest: Manifest) -> None:
    """A signed release of the same name is another one all the same: `mend` must not put it in the place of this."""
    kept = counter.digest_here(call.paths, manifest.release, state=states.load(call.paths))
    there = manifest.digest if call.args.get("mend") else counter.digest_of(call.paths.release(manifest.release))
    if kept not in ("", manifest.digest) or there != manifest.digest:
        say = f"Release {manifest.release} is here with digest {kept[:12]}…, and {manifest.digest[:12]}… was asked for."
        raise Refused("release_differs", say)


def _result(manifest: Manifest, *, already: bool) -> Result:
    return {
        "release": manifest.release,
        "digest": manifest.digest,
        "version": manifest.version,
        "already": already,
    }


def _verified(call: Call) -> Manifest:
    """Signatures over SHA256SUMS first; then what SHA256SUMS says of manifest, change log and bundle."""
    sums: str = call.args["sums"]
    trust.verify(sums, call.args["signatures"], call.paths.trust)
    listed = parse_sums(sums)
    digest = _hashed(listed, "manifest.json", call.args["manifest"])
    _hashed(listed, "CHANGELOG.md", call.args["changelog"])
    if listed.get(BUNDLE) != call.args["sha256"]:
        raise Refused("bundle_hash", "SHA256SUMS lists another bundle than the one that was asked for.")
    raw = _parsed(call.args["manifest"])
    why = disagreement(raw, call.args, prefix=str(call.paths.release(call.args["release"])))
    if why:
        raise Refused("manifest_bad", f"The manifest does not fit: {why}.")
    return Manifest(raw["release"], raw["version"], digest, raw["counter"])


def parse_sums(sums: str) -> Dict[str, str]:
    """Names to hashes of a SHA256SUMS file; a doubled name is refused. Pure."""
    listed: Dict[str, str] = {}
    for line in sums.splitlines():
        digest, _, name = line.partition("  ")
        if shapes.SHA256.fullmatch(digest) is None or not name:
            raise Refused("manifest_bad", "SHA256SUMS has a line that can't be read.")
        if name in listed:
            raise Refused("manifest_bad", f"SHA256SUMS names {name[:60]} twice.")
        listed[name] = digest
    if set(listed) != LISTED:
        other = ", ".join(sorted(set(listed) ^ LISTED))[:120]
        raise Refused(
            "manifest_bad", f"SHA256SUMS must name {', '.join(sorted(LISTED))}, each once; it differs in {other}."
        )
    return listed


def _hashed(listed: Dict[str, str], name: str, content: str) -> str:
    digest = hashlib.sha256(content.encode()).hexdigest()
    if listed.get(name) != digest:
        raise Refused("manifest_bad", f"{name} is not the one that SHA256SUMS was signed for.")
    return digest


def _parsed(manifest: str) -> Dict[str, Any]:
    try:
        raw = json.loads(manifest, object_pairs_hook=policy.once)
    except (ValueError, RecursionError) as failure:
        raise Refused("manifest_bad", f"The manifest can't be read: {failure}.") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("bundle"), dict):
        raise Refused("manifest_bad", "The manifest is no JSON object with a bundle.")
    return raw


def disagreement(raw: Dict[str, Any], args: Dict[str, Any], *, prefix: str) -> str:
    """What the signed manifest says otherwise than the request or this machine; "" when it fits."""
    machine = MACHINES.get(platform.machine(), platform.machine())
    wanted = {
        "format": 1,
        "product": "ocserv",
        "release": args["release"],
        "prefix": prefix,
        "architecture": machine,
    }
    for name, value in wanted.items():
        if raw.get(name) != value:
            return f"{name} is {str(raw.get(name))[:80]!r}, not {value!r}"
    if raw["bundle"].get("sha256") != args["sha256"] or raw["bundle"].get("size") != args["size"]:
        return "the bundle's size or hash differs from the request"
    if not isinstance(raw.get("counter"), int) or isinstance(raw["counter"], bool) or raw["counter"] < 0:
        return f"counter is {str(raw.get('counter'))[:40]!r}, no whole number"
    return "" if isinstance(raw.get("version"), str) else "version is missing"


def _room(paths: Paths, bundle: Path, *, size: int) -> None:
    paths.incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths.releases.mkdir(parents=True, exist_ok=True, mode=0o755)
    done = bundle.stat().st_size if bundle.exists() else 0
    need = max(0, size - done) + GROWTH * size + ROOM
    free = shutil.disk_usage(paths.lib).free
    if free < need:
        say = f"{free // 2**20} MiB are free below {paths.lib}, {need // 2**20} MiB are needed. Nothing was taken."
        raise Refused("not_enough_disk", say)


def _unpack(call: Call, bundle: Path, folder: Path) -> None:
    partial = folder.with_name(folder.name + ".partial")
    call.progress("unpacking", done=0, total=1)
    unpack(bundle, partial)
    try:
        for program in ("sbin/ocserv", "sbin/ocserv-worker", "bin/occtl"):
            if not os.access(partial / program, os.X_OK):
                raise Refused("manifest_bad", f"The bundle has no program {program}.")
        for name, field in (
            ("manifest.json", "manifest"),
            ("CHANGELOG.md", "changelog"),
            ("SHA256SUMS", "sums"),
        ):
            (partial / name).write_bytes(call.args[field].encode())
        os.sync()
        if folder.exists():
            mend.mend(partial, folder)
            shutil.rmtree(partial)
        else:
            os.replace(partial, folder)
    except (OSError, Refused):
        shutil.rmtree(partial, ignore_errors=True)
        raise
    bundle.unlink(missing_ok=True)
