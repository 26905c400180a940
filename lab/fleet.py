"""The lab as a whole: gateways, users and releases, up and down."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from fleet.ocgate.build import build
from lab import host_files
from lab.authority import Authority
from lab.churn import GUESTS, Churn
from lab.clients import ROOT, Clients
from lab.commands import LabError, Say, detached, run
from lab.gateway import Gateway, Outfit, Probe
from lab.haproxy import Balancer, in_front_of
from lab.networks import MOST_CLIENTS, MOST_GATEWAYS, Addresses, Networks
from lab.releases import Builder, Release
from lab.requirements import missing
from lab.state import Place, places
from lab.vpn import Account

CACHE = ROOT / ".cache/lab"
DISK = "size=6g"
WORKERS = 4
BALANCED = ("balanced", "proxied")


class Lab:
    """`with Lab(gateways=4, users=12) as lab:` builds everything and takes it down at the end, whatever happens.

    `place` picks one of a few sets of names and addresses; None takes the first that is free. With `adopt` the gateways
    run Debian's ocserv on port 443 and ocgate is installed by Gateway.install(adopt=True) when the caller says so. With
    `kind` "front" they have no nft and can't steer: ocgate is installed with --in-place. "balanced": the same, and two
    HAProxies stand in front of the one gateway, through which users come. "proxied": it steers, its slots are servers
    of those two, and they are told who comes (PROXY protocol).
    """

    def __init__(
        self,
        *,
        gateways: int = 4,
        users: int = 12,
        cache: Path = CACHE,
        say: Say = print,
        adopt: bool = False,
        kind: Literal["steering", "front", "balanced", "proxied"] = "steering",
    ) -> None:
        if not 1 <= gateways <= MOST_GATEWAYS or not 0 <= users <= MOST_CLIENTS:
            raise LabError(f"The lab builds 1 to {MOST_GATEWAYS} gateways and 0 to {MOST_CLIENTS} users.")
        self._counts = (gateways, users)
        self.cache, self.say, self.adopt, self.kind = cache.resolve(), say, adopt, kind
        self.builder = Builder(self.cache, say)
        self.authority = Authority(self.cache / "keys")
        self.controller_key = self.cache / "keys/controller"
        self.gateways: list[Gateway] = []
        self.balancers: list[Balancer] = []
        self.releases: dict[str, Path] = {}
        self._passwords: dict[str, str] = {}
        self._standing = False

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def up(self) -> None:
        """Build everything; LabError with one sentence when that can't be done, and nothing is left behind."""
        if reason := missing():
            raise LabError(reason)
        debian = self._release_all()
        self.place = claim_place()
        self._standing = True
        guard(self.place)
        try:
            self._build(debian[0])
        except BaseException:
            self.down()
            raise

    def _build(self, first: Release) -> None:
        self.place.disk.mkdir(exist_ok=True)
        self.place.note("mount", str(self.place.disk))
        run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(self.place.disk)])
        networks = Networks(self.place)
        networks.up()
        self.clients = Clients(self.place, networks)
        self.clients.prepare()
        key = self.controller_key.with_suffix(".pub").read_text().strip()
        self.balancers = [Balancer(networks, number, key=key) for number in (1, 2) if self.kind in BALANCED]
        self._gateways_up(networks, first)
        if self.balancers:
            in_front_of(self.gateways[0], self.balancers)
        self._users_up()
        self.churn = Churn(
            networks, self._guests(), folder=self.place.folder / "clients", ca=self.authority.certificate
        )
        self._write_inventory()

    def _release_all(self) -> list[Release]:
        with _alone(self.cache):
            self.authority.prepare()
            if not self.controller_key.exists():
                run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "controller", "-f", str(self.controller_key)])
            debian = self.builder.debian()
            bad = self.builder.bad(debian[1])
        self.releases = {made.release: made.folder for made in [*debian, bad]}
        return debian

    def _outfit(self, first: Release) -> Outfit:
        count = self._counts[1]
        names = [*(f"user{n}" for n in range(1, count + 1)), *GUESTS, "probe"]
        self._passwords = {name: secrets.token_urlsafe(9) for name in names}
        return Outfit(
            first=first,
            passwords=host_files.password_file(self._passwords),
            controller_key=self.controller_key.with_suffix(".pub").read_text().strip(),
            trust=self.builder.signer.trust,
            program=build(self.place.folder / "ocgate"),
            adopt=self.adopt,
            in_place=self.kind in ("front", "balanced"),
            balancers=tuple(balancer.public for balancer in self.balancers),
        )

    def _gateways_up(self, networks: Networks, first: Release) -> None:
        outfit = self._outfit(first)
        probe = Probe("probe", self._passwords["probe"])
        self.say(f"starting {self._counts[0]} gateways with ocserv {first.version}")
        for index in range(1, self._counts[0] + 1):
            at = Addresses(index, self.place.number)
            self.gateways.append(Gateway(at, networks, probe=probe, pool="edge"))
        self._each(lambda gateway: self._one_up(gateway, outfit))

    def _one_up(self, gateway: Gateway, outfit: Outfit) -> None:
        gateway.prepare(outfit, self.authority)
        gateway.machine.power_on()
        gateway.machine.wait_booted()
        if not outfit.adopt:
            gateway.install()

    def _each(self, act: Callable[[Gateway], None]) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(act, self.gateways))

    def _users_up(self) -> None:
        count = self._counts[1]
        if not count:
            return
        self.say(f"signing {count} users in")
        for number in range(1, count + 1):
            gateway = self.gateways[(number - 1) % len(self.gateways)]
            doors = [balancer.public for balancer in self.balancers] or [gateway.public]
            server = doors[(number - 1) % len(doors)]
            account = Account(f"user{number}", self._passwords[f"user{number}"], server)
            self.clients.add(account, gateway.at, gateway=gateway.name, ca=self.authority.certificate)
        self.clients.connect(self.clients.all)

    def _guests(self) -> dict[str, list[Account]]:
        return {
            gateway.name: [Account(name, self._passwords[name], gateway.public) for name in GUESTS]
            for gateway in self.gateways
        }

    def bad_release(self, kind: str = "bad") -> Path:
        """The folder of a signed but bad variant of the second release, built if need be: badness.KINDS names them."""
        made = self.builder.bad(self.builder.debian()[1], kind=kind)
        self.releases[made.release] = made.folder
        return made.folder

    def occtl_sessions(self, gateway: Gateway) -> list[dict[str, Any]]:
        """The connected sessions of a gateway by each slot's own occtl: slot folder id user remote vpn_ip."""
        return gateway.sessions()

    @property
    def inventory_path(self) -> Path:
        """Where the inventory of this lab is written."""
        number = self.place.number
        return self.cache / ("inventory.json" if number == 0 else f"inventory-{number}.json")

    def inventory(self) -> dict[str, Any]:
        """What another process needs to enrol the gateways and to read the clients' counts."""
        return {
            "place": self.place.number,
            "controller": self.clients.networks.controller,
            "controller_key": str(self.controller_key),
            "ca": str(self.authority.certificate),
            "trust": str(self.builder.signer.trust),
            "release_key": str(self.builder.signer.folder / "release-key.asc"),
            "releases": {name: str(folder) for name, folder in self.releases.items()},
            "gateways": [gateway.described() for gateway in self.gateways],
            "clients": [client.described() for client in self.clients.all],
        }

    def _write_inventory(self) -> None:
        half = self.inventory_path.with_suffix(".half")
        half.touch(mode=0o600)
        half.write_text(json.dumps(self.inventory(), indent=2) + "\n")
        half.replace(self.inventory_path)

    def detach(self) -> None:
        """Leave the lab standing when this process ends; script/lab down ends it."""
        self.place.detach()
        self._standing = False

    def down(self) -> None:
        """End every process, namespace, link and mount of this lab. Safe to call twice."""
        if self._standing:
            self._standing = False
            if hasattr(self, "churn"):
                self.churn.stop()
            self.inventory_path.unlink(missing_ok=True)
            self.place.clean()
            self._reap()

    def _reap(self) -> None:
        for gateway in self.gateways:
            gateway.machine.reap()
        for balancer in self.balancers:
            balancer.reap()
        if hasattr(self, "clients"):
            for client in self.clients.all:
                client.vpn.reap()


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Keep a second lab from building the same releases at the same time."""
    (cache / "keys").mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def claim_place() -> Place:
    """The first place where no lab stands; LabError when all are taken."""
    for place in places():
        if not place.taken_by():
            with contextlib.suppress(LabError):
                place.claim()
                return place
    raise LabError("Every place for a lab on this machine is taken; script/lab down ends the one at place 0.")


def guard(place: Place) -> None:
    """Start the process that takes down what stands at the place should this one be killed."""
    owner = place.owner()
    who = [str(place.number), owner["token"], str(owner["pid"]), str(owner["start"])]
    argv = [sys.executable, "-m", "lab", "guard", *who]
    detached(argv, log=Path(os.devnull), env={"PYTHONPATH": str(ROOT)})


def remove(place: Place, cache: Path = CACHE) -> bool:
    """Take down whatever stands at a place, even of a lab that was killed; whether there was something."""
    stood = place.folder.exists()
    place.clean()
    (cache / ("inventory.json" if place.number == 0 else f"inventory-{place.number}.json")).unlink(missing_ok=True)
    shutil.rmtree(place.folder, ignore_errors=True)
    return stood
