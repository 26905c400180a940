"""Taking a release: whole, resumed, cut short, stalled, forged, on a full disk. Refused ones leave nothing behind."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from lab import faults
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, bundle_of, stage_args

NEW = "1.5.0-1"


@pytest.fixture
def asked(lab: Lab, gateway: Gateway) -> dict[str, Any]:
    """The arguments of a good `stage`, for a release that is not on the gateway."""
    gateway.run(["sh", "-c", f"rm -rf /var/lib/ocgate/releases/{NEW} /var/lib/ocgate/incoming/*"])
    return stage_args(lab.releases[NEW])


def left(gateway: Gateway) -> list[str]:
    """What lies about of the release."""
    return gateway.run(
        ["sh", "-c", f"cd /var/lib/ocgate; ls -d releases/{NEW}* incoming/* 2>/dev/null || true"]
    ).split()


def next_fence(gateway: Gateway) -> int:
    """A fence that the gateway has not seen."""
    with Door(gateway) as door:
        return int(door.ask("facts")["fence"]) + 1


def test_a_release_is_taken_once(lab: Lab, gateway: Gateway, door: Door, asked: dict[str, Any]) -> None:
    first = door.ask("stage", raw=bundle_of(lab.releases[NEW]), **asked)
    assert (first["version"], first["already"]) == ("1.5.0", False)
    assert door.ask("stage", **asked) == {**first, "already": True}
    assert left(gateway) == [f"releases/{NEW}"]
    assert door.ask("check", release=NEW, slot=2)["ok"]


def test_a_cut_channel_goes_on_where_it_stopped(lab: Lab, gateway: Gateway, door: Door, asked: dict[str, Any]) -> None:
    door.send(
        json.dumps({"v": 2, "id": "t", "verb": "stage", "fence": next_fence(gateway), "args": asked}).encode() + b"\n"
    )
    assert door.line()["done"] == 0
    door.send(bundle_of(lab.releases[NEW])[:1_000_000])
    door.close()
    with Door(gateway) as again:
        again.send(
            json.dumps({"v": 2, "id": "t", "verb": "stage", "fence": next_fence(gateway), "args": asked}).encode()
            + b"\n"
        )
        assert again.line()["done"] == 1_000_000
        again.send(bundle_of(lab.releases[NEW])[1_000_000:])
        assert again.line()["progress"] == "unpacking"
        assert again.line()["ok"]


@pytest.mark.parametrize(
    "forged",
    [
        ({"signatures": []}, "signature_missing"),
        ({"signatures": [{"name": "SHA256SUMS.asc", "text": "no signature"}]}, "signature_bad"),
        ({"signatures": [{"name": "SHA256SUMS.p7s", "text": "MII="}]}, "signature_bad"),
        ({"manifest": "{}"}, "manifest_bad"),
        ({"changelog": "another one"}, "manifest_bad"),
        ({"sha256": "0" * 64}, "bundle_hash"),
        ({"size": 17}, "manifest_bad"),
        ({"release": "1.5.0-2"}, "manifest_bad"),
    ],
)
def test_what_the_signers_did_not_sign_is_refused(
    gateway: Gateway, door: Door, asked: dict[str, Any], forged: tuple[dict[str, Any], str]
) -> None:
    changed, code = forged
    assert door.refused("stage", **{**asked, **changed}) == code
    assert left(gateway) == []


def test_bytes_that_were_changed_under_way_are_thrown_away(
    lab: Lab, gateway: Gateway, door: Door, asked: dict[str, Any]
) -> None:
    data = bytearray(bundle_of(lab.releases[NEW]))
    data[1000] ^= 1
    assert door.refused("stage", raw=bytes(data), **asked) == "bundle_hash"
    assert left(gateway) == []


def test_a_full_disk_is_said_before_and_nothing_is_taken(gateway: Gateway, door: Door, asked: dict[str, Any]) -> None:
    with faults.disk_full(gateway):
        said = door.answer("stage", **asked)
        assert said["error"]["code"] == "not_enough_disk"
        assert "MiB are needed" in said["error"]["say"]
        assert door.ask("restore", to="committed")["already"], "a rollback needs no room"
    assert left(gateway) == []


def test_a_download_by_ticket(lab: Lab, gateway: Gateway, door: Door, asked: dict[str, Any]) -> None:
    folder = lab.releases[NEW]
    gateway.machine.run(["sh", "-c", "cat > /tmp/bundle.tar.zst"], stdin=bundle_of(folder))
    serve = ["python3", "-m", "http.server", "8080", "--directory", "/tmp"]
    argv = ["nsenter", "--target", str(gateway.machine.init), "--all", *serve]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = "http://127.0.0.1:8080/bundle.tar.zst"
        source = {"kind": "url", "url": url, "ticket": "t", "rate": 10**9}
        gateway.run(["sh", "-c", "until curl -s -o /dev/null http://127.0.0.1:8080/; do sleep 0.1; done"])
        missing = {**asked, "source": {**source, "url": url + ".not"}}
        assert door.refused("stage", **missing) == "bundle_cut_short"
        assert door.ask("stage", **{**asked, "source": source})["version"] == "1.5.0"
        server.terminate()


def test_stage_does_not_hold_what_a_rollback_needs(
    lab: Lab, gateway: Gateway, door: Door, asked: dict[str, Any]
) -> None:
    fence = next_fence(gateway)
    door.send(json.dumps({"v": 2, "id": "t", "verb": "stage", "fence": fence, "args": asked}).encode() + b"\n")
    assert door.line()["progress"] == "send"
    with Door(gateway) as other:
        assert other.answer("restore", fence=fence, to="committed")["ok"]
        assert other.answer("stage", fence=fence, **asked)["error"]["code"] == "busy"
    door.send(bundle_of(lab.releases[NEW]))
    door.line()
    assert door.line()["ok"]
