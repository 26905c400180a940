"""A lab for each test file: two gateways, four users; and a way to talk to ocgate on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.fleet import Lab
from lab.gateway import Gateway

Ask = Callable[..., dict[str, Any]]
READ_ONLY = {"facts", "check", "probe"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(gateways=2, users=4) as built:
        yield built


@pytest.fixture
def ask() -> Ask:
    """Send one request to a gateway's ocgate, with raw bytes behind it where the verb reads them; the last answer."""

    def request(gateway: Gateway, verb: str, args: dict[str, Any], *, raw: bytes = b"") -> dict[str, Any]:
        fence = {} if verb in READ_ONLY else {"fence": 1}
        line = json.dumps({"v": 2, "id": "1", "verb": verb, **fence, "args": args}).encode() + b"\n"
        said = gateway.machine.run(["/usr/lib/ocgate/ocgate", "serve"], stdin=line + raw, seconds=120)
        answer: dict[str, Any] = json.loads(said.splitlines()[-1])
        return answer

    return request


@pytest.fixture
def stage(ask: Ask) -> Callable[[Gateway, Path], dict[str, Any]]:
    """Bring a release folder to a gateway, as the controller does over SSH."""

    def send(gateway: Gateway, folder: Path) -> dict[str, Any]:
        texts = {"manifest": "manifest.json", "sums": "SHA256SUMS", "changelog": "CHANGELOG.md"}
        args: dict[str, Any] = {key: (folder / name).read_text() for key, name in texts.items()}
        manifest = json.loads(args["manifest"])
        args["release"], bundle = manifest["release"], manifest["bundle"]
        args["signatures"] = [{"name": "SHA256SUMS.asc", "text": (folder / "SHA256SUMS.asc").read_text()}]
        args |= {"size": bundle["size"], "sha256": bundle["sha256"], "source": {"kind": "ssh"}}
        return ask(gateway, "stage", args, raw=(folder / bundle["name"]).read_bytes())

    return send
