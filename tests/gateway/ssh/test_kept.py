"""Sessions are kept, shared, replaced and closed; rows lead to them; a changed key leads to quarantine."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from approvals.models import Actor, AuditEvent
from fleet import gateways, sealed, services
from fleet.gateways.dial import HostKeyChanged
from fleet.gateways.kept import Keeper
from fleet.gateways.rows import SSH_KEY
from fleet.gateways.ssh import SshGateway
from fleet.models import Gateway, Pool
from tests.gateway.ssh.conftest import OLD, loan
from tests.gateway.ssh.peer import Peer
from tests.gateway.ssh.sshd import Sshd, until

pytestmark = pytest.mark.gateway
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
OLA = Actor(kind="person", name="ola")


def test_one_connection_serves_many_callers(sshd: Sshd, peer: Peer, keeper: Keeper) -> None:
    callers = [SshGateway(loan(sshd, keeper)) for _ in range(4)]
    threads = [threading.Thread(target=caller.facts) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sshd.sessions()) == 1
    assert peer.channels == 1


def test_giving_back_keeps_the_connection_warm(sshd: Sshd, peer: Peer, keeper: Keeper) -> None:
    for _ in range(3):
        gateway = SshGateway(loan(sshd, keeper))
        gateway.facts()
        gateway.close()
        gateway.close()
    assert peer.channels == 1


def test_an_idle_connection_is_closed_a_used_one_is_not(sshd: Sshd, peer: Peer, keeper: Keeper) -> None:
    gateway = SshGateway(loan(sshd, keeper))
    gateway.facts()
    keeper.sweep(time.monotonic() + 1000)
    assert peer.open == 1
    gateway.close()
    keeper.sweep(time.monotonic() + 119)
    assert peer.open == 1
    keeper.sweep(time.monotonic() + 121)
    until(lambda: peer.open == 0, "the idle connection is still open")


def test_a_kept_connection_that_broke_is_replaced_at_once(sshd: Sshd, over_ssh: SshGateway, peer: Peer) -> None:
    over_ssh.facts()
    for pid in sshd.sessions():
        os.kill(pid, signal.SIGKILL)
    assert over_ssh.restore("committed", fence=1).slot == 1


def test_a_channel_that_the_gateway_closed_is_opened_again(over_ssh: SshGateway, peer: Peer) -> None:
    over_ssh.facts()
    peer.hang_up()
    assert over_ssh.facts().hostname == "fra-gw-01"
    assert peer.channels == 2


@pytest.fixture
def row(sshd: Sshd, peer: Peer, transactional_db: None) -> Iterator[Gateway]:
    target = sshd.target()
    sealed.seal(SSH_KEY, (sshd.folder / "client").read_bytes())
    yield services.enrol(
        name="fra-gw-01",
        pool=Pool.objects.create(name="eu-west"),
        address="127.0.0.1",
        port=sshd.port,
        host_keys=target.host_keys,
        ssh_user="root",
        actor=OLA,
        now=NOW,
    )
    gateways.close_all()


def test_a_look_goes_through_ssh(row: Gateway) -> None:
    assert services.look(row, now=NOW)
    assert Gateway.objects.get().release == OLD


def test_a_changed_host_key_is_quarantine_and_stays_pinned(row: Gateway, sshd: Sshd, peer: Peer) -> None:
    pinned = (sshd.folder / "other.pub").read_text().split()[1]
    row.host_keys.update(key=pinned)
    with pytest.raises(HostKeyChanged):
        gateways.open(row).facts()
    seen = Gateway.objects.get()
    assert (seen.state, seen.host_keys.get().key) == ("quarantined", pinned)
    assert "Compare the fingerprint" in seen.state_reason
    assert AuditEvent.objects.last().verb == "gateway.quarantined"  # type: ignore[union-attr]  # there is one
    assert peer.channels == 0
    with pytest.raises(HostKeyChanged, match="quarantine"):
        gateways.open(seen)


def test_a_gateway_that_is_down_is_unreachable_with_the_reason(row: Gateway) -> None:
    Gateway.objects.update(port=1)
    assert not services.look(Gateway.objects.get(), now=NOW)
    seen = Gateway.objects.get()
    assert (seen.state, seen.state_reason) == ("unreachable", "fra-gw-01 at 127.0.0.1:1: Connection refused.")
