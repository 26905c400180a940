"""HAProxy passes the contract: two real ones, through SSH, hagate and the runtime API."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import GiveUp
from fleet.gateways.dial import HostKeyChanged, Target, private_key
from fleet.gateways.kept import Keeper, Loan
from fleet.traffic.balanced import Balanced
from fleet.traffic.haproxy import HaproxyDoor
from fleet.traffic.ports import Traffic
from lab import haproxy
from lab.commands import run
from lab.fleet import claim_place, guard
from lab.haproxy import Balancer
from lab.networks import Networks
from tests.traffic_contract import TrafficContract, until, weights

SINK = Path(__file__).with_name("sink.py")
TARGETS = (
    haproxy.Target("gw1-1", "127.0.0.1", 9001, weight=100),
    haproxy.Target("gw1-2", "127.0.0.1", 9002, weight=0),
)


class Balancers:
    """Two HAProxies, each with two servers that hold what comes."""

    def __init__(self, networks: Networks, key: Path) -> None:
        public = key.with_suffix(".pub").read_text().strip()
        self.key = private_key(key.read_bytes())
        self.all = [Balancer(networks, number, key=public) for number in (1, 2)]
        self.networks = networks
        self.processes: list[subprocess.Popen[bytes]] = []
        for one in self.all:
            one.up(TARGETS, peers=haproxy.names(self.all))
            self._inside(one, str(SINK), "9001", "9002")

    def _inside(self, one: Balancer, *words: str) -> subprocess.Popen[bytes]:
        argv = [*one.corner.enter(), sys.executable, *words]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        self.processes.append(process)
        return process

    def call(self, one: Balancer) -> subprocess.Popen[bytes]:
        """A user's connection from this balancer's own namespace, held."""
        hold = "import socket,time;s=socket.create_connection(('%s',443));print('ready',flush=True);time.sleep(600)"
        return self._inside(one, "-c", hold % one.public)

    def target(self, one: Balancer) -> Target:
        return Target(one.name, one.address, one.port, one.user, tuple(one.host_keys))

    def down(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(10)
            assert process.stdout
            process.stdout.close()
        for one in self.all:
            one.reap()


@pytest.fixture(scope="module")
def balancers() -> Iterator[Balancers]:
    place = claim_place()
    guard(place)
    try:
        place.disk.mkdir(exist_ok=True)
        networks = Networks(place)
        networks.up()
        key = place.folder / "balancer"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        both = Balancers(networks, key)
        yield both
    finally:
        place.clean()
    both.down()


class HaproxyStand:
    def __init__(self, balancers: Balancers) -> None:
        self.balancers = balancers
        self.keeper = Keeper()
        self.changed: list[HostKeyChanged] = []
        self.traffic: Traffic = self.traffic_for("gw1", {1: "gw1-1", 2: "gw1-2"})

    def traffic_for(self, gateway: str, servers: dict[int, str], *, backend: str = haproxy.BACKEND) -> Traffic:
        doors = [
            HaproxyDoor(
                one.name,
                Loan(
                    self.keeper,
                    self.balancers.target(one),
                    key=lambda: self.balancers.key,
                    on_changed=self.changed.append,
                ),
                gateway=gateway,
                backend=backend,
                servers=servers,
            )
            for one in self.balancers.all
        ]
        return Balanced(gateway, doors, slots=servers)

    def restart(self, peer: int) -> None:
        self.balancers.all[peer].kill()
        self.balancers.all[peer].start()

    def silent(self, peer: int, *, on: bool) -> None:
        self.balancers.all[peer].freeze(on=on)

    def meddle(self, peer: int, slot: int, weight: int) -> None:
        self.balancers.all[peer].tell(f"set server vpn/gw1-{slot} weight {weight}")

    def come(self, peer: int, slot: int) -> None:
        assert weights(self)[peer][slot] == 100
        self.balancers.call(self.balancers.all[peer])

    def home(self) -> None:
        """As configured: no trial, no memory, no user."""
        for one in self.balancers.all:
            one.kill()
            for name in ("state.json", "servers.state"):
                (one.folder / "hagate" / name).unlink(missing_ok=True)
            one.start()


@pytest.fixture
def stand(balancers: Balancers) -> Iterator[HaproxyStand]:
    stand = HaproxyStand(balancers)
    stand.home()
    until(lambda: all(server.up for peer in stand.traffic.state().peers for server in peer.servers))
    yield stand
    stand.traffic.close()
    stand.keeper.close_all()


class TestHaproxy(TrafficContract):
    pass


def test_a_restart_begins_with_what_was_set(stand: HaproxyStand) -> None:
    stand.traffic.steer({1: 0, 2: 100}, fence=1)
    stand.restart(0)
    assert weights(stand) == [{1: 0, 2: 100}] * 2


def test_a_restart_ends_a_trial(stand: HaproxyStand) -> None:
    stand.traffic.steer({1: 0, 2: 100}, seconds=600, fence=1)
    stand.restart(0)
    assert weights(stand)[0] == {1: 100, 2: 0}


def test_an_unpinned_host_key_ends_it_before_anything_is_sent(stand: HaproxyStand, balancers: Balancers) -> None:
    one, other = balancers.all
    target = Target(one.name, one.address, one.port, one.user, tuple(other.host_keys))
    loan = Loan(stand.keeper, target, key=lambda: balancers.key, on_changed=stand.changed.append)
    door = HaproxyDoor(one.name, loan, gateway="gw1", backend="vpn", servers={1: "gw1-1"})
    with pytest.raises(HostKeyChanged):
        door.look()
    door.close()
    assert len(stand.changed) == 1


def test_another_backend_is_none_of_our_business(stand: HaproxyStand) -> None:
    with pytest.raises(GiveUp) as no:
        stand.traffic_for("gw1", {1: "gw1-1"}, backend="other").state()
    assert no.value.code == "backend_unknown"
