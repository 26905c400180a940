"""The parts of the benches, at small sizes: gateways that answer by real SSH, and what processes are said to take."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench import streets, usage
from fleet.gateways.dial import HostKeyChanged, Target, private_key, public_line
from fleet.gateways.kept import Keeper, Loan
from fleet.gateways.ssh import SshGateway

SECRET = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


@pytest.fixture(scope="module")
def fleet() -> Iterator[streets.Streets]:
    with streets.open_for(3, servers=2, release="1.1.6-3", key=public_line(SECRET)) as opened:
        yield opened


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.close_all()


def gateway(keeper: Keeper, fleet: streets.Streets, name: str, *, key_of: str = "") -> SshGateway:
    address, port, _ = fleet.where[name]
    public = tuple(fleet.where[key_of or name][2].split()[:2])
    target = Target(name, address, port, "ocgate", ((public[0], public[1]),))
    return SshGateway(Loan(keeper, target, key=lambda: private_key(SECRET), on_changed=lambda _: None))


def test_each_gateway_is_one_of_its_own(fleet: streets.Streets, keeper: Keeper) -> None:
    names = sorted(fleet.where)
    assert [gateway(keeper, fleet, name).facts().hostname for name in names] == names
    gateway(keeper, fleet, names[0]).restore("committed", fence=7)
    assert [gateway(keeper, fleet, name).facts().fence for name in names] == [7, 0, 0]


def test_each_gateway_has_a_host_key_of_its_own(fleet: streets.Streets, keeper: Keeper) -> None:
    first, second, _ = sorted(fleet.where)
    with pytest.raises(HostKeyChanged):
        gateway(keeper, fleet, first, key_of=second).facts()


def test_the_verbs_come_through(fleet: streets.Streets, keeper: Keeper) -> None:
    one = gateway(keeper, fleet, "sim-0001")
    assert one.probe(1, user="probe", password="x").ok
    assert one.drain(1).sessions == 0
    assert [row.slot for row in one.metrics()] == [1]
    assert one.snapshot().files == ("facts.json",)


def test_processor_time_and_memory_are_counted() -> None:
    me = usage.family(os.getpid())
    before = usage.cpu_seconds(me)
    sum(number * number for number in range(3_000_000))
    assert usage.cpu_seconds(me) > before
    assert 1 < usage.memory_mb([os.getpid()]) < 4000
