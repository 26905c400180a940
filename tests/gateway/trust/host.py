"""A gateway's program in a folder of its own: real requests, real gpgv, openssl, ssh-keygen, zstd; no ocserv."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet.ocgate import serve
from fleet.ocgate.paths import Paths
from fleet.ocgate.stage import MACHINES
from fleet.ocgate.statement import canonical
from tests.gateway.trust.people import run

Json = dict[str, Any]
Member = tuple[tarfile.TarInfo, bytes]
PROGRAMS = ("sbin/ocserv", "sbin/ocserv-worker", "bin/occtl")
SECRET = "correct-horse-battery"
CONF = f"tcp-port = 443\ncamouflage_secret = {SECRET}\nserver-cert = /etc/server.pem\n"
SLOT = {"ipv4": "198.18.0.1", "pool4": "10.10.0.0/22"}
CONFIG = {"public": {"ipv4": ["203.0.113.11"]}, "slots": {"1": SLOT}}


class Host:
    """Answers requests as `ocgate serve` does. `name` is what its statements are for."""

    name = "fra-gw-01"

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root / "etc", root / "lib", root / "run", root / "log" / "ocgate.log", root / "ocgate")
        self.paths.trust.mkdir(parents=True)
        conf = root / "ocserv.conf"
        conf.write_text(CONF)
        self.paths.config.write_text(json.dumps({**CONFIG, "ocserv_conf": str(conf)}))
        self.paths.program.write_bytes(b"the old program")
        self.fence = 0

    def pin(self, files: dict[str, bytes], policy: Json) -> None:
        """Enrolment: the trust folder as an installer leaves it."""
        for name, data in files.items():
            (self.paths.trust / name).write_bytes(data)
        whole = {"format": 2, "gateway": self.name, "group": "", "openpgp": [], "cas": [], **policy}
        (self.paths.trust / "policy.json").write_text(json.dumps(whole))

    def ask(self, verb: str, *, fence: bool = True, data: bytes = b"", **args: Any) -> Json:
        """The last line that a channel answers to one request; `data` follows it as a bundle's bytes do."""
        request: Json = {"v": 2, "id": "1", "verb": verb, "args": args}
        if fence:
            self.fence += 1
            request["fence"] = self.fence
        source, sink = self.paths.etc / "request", self.paths.etc / "answer"
        source.write_bytes(json.dumps(request).encode() + b"\n" + data)
        asked, answered = os.open(source, os.O_RDONLY), os.open(sink, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            serve.serve(self.paths, source=asked, sink=answered)
        finally:
            os.close(asked)
            os.close(answered)
        lines = [json.loads(line) for line in sink.read_text().splitlines()]
        answer: Json = next(line for line in lines if "ok" in line)
        return answer

    def refused(self, verb: str, **args: Any) -> tuple[str, str]:
        """(code, sentence) of a no."""
        answer = self.ask(verb, **args)
        assert not answer["ok"], answer
        assert answer["error"]["kind"] == "refused", answer
        return answer["error"]["code"], answer["error"]["say"]

    def inventory(self) -> Json:
        """What is on it."""
        found: Json = self.ask("inventory", fence=False)["result"]
        return found

    def stage(self, release: Release, signatures: list[Json], *, sent: bytes = b"", **more: Any) -> Json:
        """Stage a release; `sent` are other bytes than those of its bundle."""
        return self.ask("stage", data=sent or release.bundle, **release.args(), signatures=signatures, **more)


@dataclass(frozen=True)
class Release:
    """A bundle and its papers, as good or as bad as a test wants it."""

    name: str
    manifest: str
    sums: str
    bundle: bytes
    changelog: str = "# 1.3.0\n"

    def args(self) -> Json:
        papers = {"manifest": self.manifest, "sums": self.sums, "changelog": self.changelog}
        source = {"kind": "ssh"}
        return {
            "release": self.name,
            **papers,
            "size": len(self.bundle),
            "sha256": hashed(self.bundle),
            "source": source,
        }

    @property
    def digest(self) -> str:
        return hashed(self.manifest.encode())


@dataclass
class Recipe:
    """How a release is made; each field is where one kind of evil comes in."""

    name: str = "1.3.0-2"
    counter: int = 1_003_000
    members: list[Member] = field(default_factory=list)
    manifest: Callable[[str], str] = str
    sums: Callable[[str], str] = str

    def make(self, host: Host) -> Release:
        bundle = packed([*(member(path, b"#!/bin/sh\n", mode=0o755) for path in PROGRAMS), *self.members])
        raw = {
            "format": 1,
            "product": "ocserv",
            "release": self.name,
            "version": self.name.partition("-")[0],
            "counter": self.counter,
            "prefix": str(host.paths.release(self.name)),
            "architecture": MACHINES.get(platform.machine(), platform.machine()),
            "bundle": {"name": "bundle.tar.zst", "size": len(bundle), "sha256": hashed(bundle)},
        }
        manifest = self.manifest(json.dumps(raw))
        papers = {"manifest.json": manifest.encode(), "CHANGELOG.md": b"# 1.3.0\n", "bundle.tar.zst": bundle}
        sums = self.sums("".join(f"{hashed(data)}  {name}\n" for name, data in papers.items()))
        return Release(self.name, manifest, sums, bundle)


def member(path: str, data: bytes = b"", *, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, to: str = "") -> Member:
    """One member of a bundle."""
    info = tarfile.TarInfo(path)
    info.size, info.mode, info.type, info.linkname = len(data), mode, kind, to
    return info, data


def packed(members: list[Member]) -> bytes:
    """A tar.zst of exactly these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return run(["zstd", "-qc"], stdin=out.getvalue())


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def statement(kind: str, *, gateway: str = "*", hours: int = 1, **fields: Any) -> str:
    """A statement made now, good for so many hours."""
    now = time.time()
    made, expires = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (now, now + 3600 * hours))
    return canonical({"format": 1, "kind": kind, "gateway": gateway, "made": made, "expires": expires, **fields})
