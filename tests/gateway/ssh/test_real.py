"""The SSH adapter against a real gateway of the lab: sshd, sudo, ocgate, nftables and ocserv as on a real machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.errors import GiveUp, RetryLater
from fleet.gateways.kept import Keeper
from fleet.gateways.ssh import SshGateway
from fleet.ports import ReleaseFiles, SlotRelease
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.reach import reached
from tests.gateway.ssh.side import SLOW, Side

MEGABYTE = 1024 * 1024
pytestmark = [pytest.mark.gateway, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(gateways=1, users=2, say=lambda _: None) as built:
        yield built


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Gateway:
    return lab.gateways[0]


@pytest.fixture(scope="module")
def gateway(lab: Lab, machine: Gateway) -> Iterator[SshGateway]:
    keeper = Keeper()
    yield reached(machine, keeper, lab.controller_key)
    keeper.close_all()


@pytest.fixture(scope="module")
def release(lab: Lab, gateway: SshGateway) -> str:
    """The newer release, staged and started in slot 2."""
    name = next(name for name in sorted(lab.releases) if name.startswith("1.3.0") and "bad" not in name)
    first = gateway.stage(files(lab.releases[name]), fence=1, progress=lambda *_: None)
    second = gateway.stage(files(lab.releases[name]), fence=1, progress=lambda *_: None)
    assert (first.already, second.already) == (False, True)
    assert gateway.check(name, 2).ok
    assert [gateway.start(name, 2, fence=1).already for _ in range(2)] == [False, True]
    return name


def files(folder: Path) -> ReleaseFiles:
    texts = {path.name: path.read_bytes().decode() for path in folder.iterdir() if path.name != "bundle.tar.zst"}
    manifest = json.loads(texts["manifest.json"])
    return ReleaseFiles(
        release=manifest["release"],
        digest=hashlib.sha256(texts["manifest.json"].encode()).hexdigest(),
        manifest=texts["manifest.json"],
        sums=texts["SHA256SUMS"],
        changelog=texts["CHANGELOG.md"],
        signatures=(("SHA256SUMS.asc", texts["SHA256SUMS.asc"]),),
        bundle=folder / "bundle.tar.zst",
        size=manifest["bundle"]["size"],
        sha256=manifest["bundle"]["sha256"],
    )


def servers(machine: Gateway) -> int:
    """How many `ocgate serve` run there."""
    found = machine.run(["sh", "-c", "pgrep -u root -f '[o]cgate serve' | wc -l"])
    return int(found)


def test_a_trial_is_shifted_watched_and_taken_back(gateway: SshGateway, machine: Gateway, release: str) -> None:
    before = {session.id for session in gateway.sessions()}
    shifted = gateway.shift({1: 75, 2: 25}, seconds=60, fence=2)
    assert gateway.probe(2, user=machine.probe.user, password=machine.probe.password).ok
    assert {slot.slot: slot.release for slot in gateway.metrics()}[2] == release
    warm = servers(machine)
    restored = gateway.restore("committed", fence=2)
    assert (shifted.already, restored.slot, restored.started) == (False, 1, False)
    assert servers(machine) == warm
    assert {session.id for session in gateway.sessions()} == before
    assert len(before) == 2


def test_a_commit_is_gone_back_from(gateway: SshGateway, release: str) -> None:
    gateway.shift({1: 0, 2: 100}, seconds=60, fence=3)
    assert [gateway.commit(2, fence=3) for _ in range(2)] == [False, True]
    assert gateway.facts().committed == SlotRelease(2, release)
    assert [gateway.restore("previous", fence=3).already for _ in range(2)] == [False, True]
    facts = gateway.facts()
    assert (facts.committed, facts.weights) == (SlotRelease(1, "1.1.6-3"), {1: 100})


def test_what_it_refuses_is_a_no_with_its_code(gateway: SshGateway, release: str) -> None:
    refused: dict[str, Callable[[], object]] = {
        "fence_too_low": lambda: gateway.commit(1, fence=0),
        "unknown_release": lambda: gateway.start("9.9", 3, fence=9),
        "slot_busy": lambda: gateway.retire(1, cut_at_most=9, fence=9),
        "slot_not_running": lambda: gateway.probe(3, user="u", password="p"),
        "bad_request": lambda: gateway.shift({1: 50}, seconds=60, fence=9),
    }
    for wanted, ask in refused.items():
        with pytest.raises(GiveUp) as no:
            ask()
        assert no.value.code == wanted


def test_its_snapshot_and_its_stream_arrive(gateway: SshGateway, release: str) -> None:
    assert "nft-ruleset.txt" in gateway.snapshot().files
    seen: list[int] = []
    gateway.watch(seconds=2, every=1, seen=lambda slots: seen.append(len(slots)))
    assert seen


def test_a_pulled_cable_is_no_answer_and_heals(gateway: SshGateway, machine: Gateway, release: str) -> None:
    gateway.facts()
    machine.plugged(everything=False, plugged=False)
    try:
        with pytest.raises(RetryLater):
            gateway.facts()
    finally:
        machine.plugged(everything=False, plugged=True)
    assert gateway.facts().hostname == machine.name


def came(machine: Gateway) -> int:
    """Bytes of bundles that the gateway has so far."""
    return int(machine.run(["sh", "-c", "cat /var/lib/ocgate/incoming/* 2>/dev/null | wc -c"]))


def code_of_stage(gateway: SshGateway, wanted: ReleaseFiles) -> str:
    with pytest.raises(RetryLater) as cut:
        gateway.stage(wanted, fence=100, progress=lambda *_: None)
    return cut.value.code


def test_a_cut_download_resumes_where_it_stopped(
    lab: Lab, machine: Gateway, gateway: SshGateway, tmp_path: Path
) -> None:
    side = Side(lab, tmp_path, lab.releases["1.5.0-1"])
    no: list[str] = []
    wanted = replace(files(lab.releases["1.5.0-1"]), download=side.download)

    with side.serving(rate=SLOW) as web:
        staging = threading.Thread(target=lambda: no.append(code_of_stage(gateway, wanted)))
        staging.start()
        wait_until(lambda: came(machine) > MEGABYTE, seconds=30, what="Some of the bundle")
        web.kill()
        staging.join()
    there = came(machine)
    with side.serving():
        assert not gateway.stage(wanted, fence=101, progress=lambda *_: None).already
    assert (no, MEGABYTE < there < wanted.size) == (["bundle_cut_short"], True)
    assert side.record() == [
        ("bundle.download_begun", 0),
        ("bundle.download_begun", there),
        ("bundle.downloaded", there),
    ]
