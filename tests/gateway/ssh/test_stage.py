"""A bundle over SSH: it resumes where it was cut, and delays nothing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fleet.errors import GiveUp, RetryLater
from fleet.gateways.kept import Keeper
from fleet.gateways.ssh import SshGateway
from tests.gateway.ssh.conftest import NEW, Site, loan
from tests.gateway.ssh.peer import Channel, Json, Peer
from tests.gateway.ssh.sshd import Sshd, Wire, until

pytestmark = [pytest.mark.gateway, pytest.mark.parametrize("site", ["ssh"], indirect=True)]
MEGABYTE = 1024 * 1024


@pytest.fixture
def wire(sshd: Sshd) -> Iterator[Wire]:
    made = Wire(sshd.port)
    yield made
    made.close()


@pytest.fixture
def site(site: Site, sshd: Sshd, wire: Wire, keeper: Keeper) -> Site:
    """Over SSH, over a wire that can be cut."""
    return replace(site, gateway=SshGateway(loan(sshd, keeper, port=wire.port)))


def test_a_cut_stage_resumes_at_its_offset(site: Site, peer: Peer, wire: Wire) -> None:
    files = site.files(size=4 * MEGABYTE)
    wire.cut_after = MEGABYTE
    with pytest.raises(RetryLater):
        site.gateway.stage(files, fence=1, progress=lambda *_: None)
    wire.cut_after = None
    until(lambda: peer.open == 0, "the cut channel is still served")
    came = peer.partial(NEW).stat().st_size
    told: list[int] = []
    assert not site.gateway.stage(files, fence=2, progress=lambda _, done, __: told.append(done)).already
    assert 0 < came < MEGABYTE
    assert told[0] > came
    assert hashlib.sha256(peer.partial(NEW).read_bytes()).hexdigest() == files.sha256


def test_a_restore_does_not_wait_for_a_stage(site: Site, peer: Peer) -> None:
    go, staging = threading.Event(), threading.Event()

    def hold_stage(channel: Channel, request: Json) -> bool:
        if request["verb"] == "stage":
            staging.set()
            go.wait(10)
        return False

    peer.trick = hold_stage
    files = site.files(size=4 * MEGABYTE)
    stage = threading.Thread(target=site.gateway.stage, args=(files,), kwargs={"fence": 1, "progress": lambda *_: None})
    stage.start()
    staging.wait(5)
    assert site.gateway.restore("committed", fence=1).slot == 1
    assert stage.is_alive()
    go.set()
    stage.join()
    assert site.real.effects["stage"] == 1


def test_a_no_in_the_middle_ends_the_sending(site: Site, peer: Peer) -> None:
    def no_room(channel: Channel, request: Json) -> bool:
        channel.say({"id": request["id"], "progress": "send", "done": 0, "total": request["args"]["size"]})
        channel.source.read(MEGABYTE)
        channel.no(request, kind="refused", code="not_enough_disk", say="The disk is full.")
        while channel.source.read1(MEGABYTE):
            pass
        return True

    peer.trick = no_room
    with pytest.raises(GiveUp) as no:
        site.gateway.stage(site.files(size=16 * MEGABYTE), fence=1, progress=lambda *_: None)
    assert no.value.code == "not_enough_disk"
    peer.trick = None
    assert not site.gateway.stage(site.files(), fence=1, progress=lambda *_: None).already


def test_a_bundle_that_is_short_in_our_own_repository_is_not_sent(site: Site, peer: Peer) -> None:
    files = site.files()
    files.bundle.write_bytes(b"short")
    with pytest.raises(GiveUp, match="has 5 bytes and should have 1000"):
        site.gateway.stage(files, fence=1, progress=lambda *_: None)
    assert peer.requests == []


def test_a_caller_who_lost_his_claim_stops_the_stage(site: Site, peer: Peer) -> None:
    class LostRace(Exception):
        pass

    def progress(say: str, done: int, total: int) -> None:
        raise LostRace

    with pytest.raises(LostRace):
        site.gateway.stage(site.files(size=4 * MEGABYTE), fence=1, progress=progress)
    assert site.real.effects == {}
