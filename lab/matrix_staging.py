"""The lab's staging gateway: one machine that starts with the old release and takes the new one beside it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from fleet.ports import ReleaseFiles
from lab import host_files
from lab.authority import Authority
from lab.commands import Say, run
from lab.fleet import Lab
from lab.gateway import Gateway, Outfit
from lab.matrix_behind import INSIDE6
from lab.networks import WAN4, Addresses, batch
from lab.releases import Release
from lab.spaces import Corner
from releases.matrix.ports import Pair, Pushed

SEATS = {"old": 50, "new": 90}  # last byte of the first client's address on each side
STRANGERS, STRANGER = "198.51.100.0/24", "198.51.100.7"
ROUTE6 = "fd0a:200:{index}::/64"
BAN_SCORE = 50


@dataclass(frozen=True)
class Outset:
    """What the bench is built for."""

    pair: Pair
    users: int  # on each side
    bans: bool


def extra_conf(index: int, *, bans: bool) -> str:
    """What the staging gateway's ocserv.conf has beyond the lab's: certificates, bans, an IPv6 route."""
    lines = ['enable-auth = "certificate"', "ca-cert = /etc/ocserv/clients.pem", "cert-user-oid = 2.5.4.3"]
    lines += [f"route = {ROUTE6.format(index=index)}"]
    if bans:
        lines += [f"max-ban-score = {BAN_SCORE}", "ban-reset-time = 300"]
        # Unset, a ban lasts 5 s. The name is the old one of ban-time, which all versions know.
        lines += ["ban-points-wrong-password = 10", "ban-points-connection = 1", "min-reauth-time = 300"]
    return "\n".join(lines) + "\n"


def expected(index: int) -> Pushed:
    """What that configuration tells a client."""
    routes = (f"10.200.{index}.0/30", ROUTE6.format(index=index))
    return Pushed(dtls=True, mtu=0, address4="", address6="", dns=(f"10.200.{index}.2",), routes=routes)


class Staging(Lab):
    """A lab of one gateway with accounts for two sides of clients, and no releases but the two that are compared."""

    def __init__(self, outset: Outset, *, say: Say) -> None:
        super().__init__(gateways=1, users=0, say=say)
        self._outset = outset
        self.clients_ca = Authority(self.cache / "keys/clients")
        self.foreign_ca = Authority(self.cache / "keys/foreign")

    @property
    def names(self) -> dict[str, list[str]]:
        """The accounts of each side, by seat."""
        seats = range(1, self._outset.users + 1)
        return {side: [f"{side}{seat}" for seat in seats] for side in SEATS} | {"stranger": ["stranger"]}

    def password(self, user: str) -> str:
        return self._passwords[user]

    def _release_all(self) -> list[Release]:
        self.controller_key.parent.mkdir(parents=True, exist_ok=True)
        for authority in (self.authority, self.clients_ca, self.foreign_ca):
            authority.prepare()
        if not self.controller_key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "controller", "-f", str(self.controller_key)])
        old = self._outset.pair.old
        # The folder is filled in _outfit, once the lab's place is known.
        return [Release(old.release, old.release.split("-")[0], Path(), Path(), Path())]

    def _outfit(self, first: Release) -> Outfit:
        outfit = super()._outfit(first)
        for users in self.names.values():
            self._passwords |= {
                user: hashlib.sha256(f"{user} {self.place.owner()['token']}".encode()).hexdigest()[:20]
                for user in users
            }
        folder = self.place.folder / "first"
        lay_out_release(self._outset.pair.old, folder)
        trust = lay_out_trust(self._outset.pair.keys, self.place.folder / "trust")
        return replace(
            outfit,
            first=replace(first, folder=folder),
            passwords=host_files.password_file(self._passwords),
            trust=trust,
        )

    def _one_up(self, gateway: Gateway, outfit: Outfit) -> None:
        gateway.prepare(outfit, self.authority)
        index = gateway.at.index
        conf = host_files.ocserv_conf(gateway.at, 1)
        if self._outset.bans:
            conf = conf.replace("max-ban-score = 0\n", "")
        gateway.machine.write("etc/ocserv/ocserv.conf", conf + extra_conf(index, bans=self._outset.bans))
        gateway.machine.write("etc/ocserv/clients.pem", self.clients_ca.certificate.read_bytes())
        _second_family(self, gateway.at)
        gateway.machine.power_on()
        gateway.machine.wait_booted()
        gateway.install()

    def seat(self, side: str, number: int) -> Corner:
        """Make the corner of one client."""
        corner = Corner(self.clients.networks, f"{side[0]}{number + 1}", SEATS[side] + number)
        corner.up()
        return corner

    def stranger(self) -> Corner:
        """A client in a network that is not the gateway's own."""
        corner = Corner(self.clients.networks, "s1", SEATS["new"] - 1)
        corner.up()
        batch(
            [
                f"address delete {corner.address}/24 dev wan0",
                f"address add {STRANGER}/32 dev wan0",
                f"route add {WAN4}.0/24 dev wan0 src {STRANGER}",
            ],
            corner.space,
        )
        return corner


def _second_family(lab: Lab, at: Addresses) -> None:
    """IPv6 behind the gateway, and the way back to strangers."""
    networks, index = lab.clients.networks, at.index
    here = INSIDE6.format(index=index)
    there = here[:-1] + "1"
    batch([f"address add {there}/64 dev lan0 nodad", f"route add {STRANGERS} dev wan0"], networks.name(f"gw{index}"))

    batch([f"address add {here}/64 dev lan{index} nodad", f"route add fd10:{index}::/32 via {there}"], networks.lan)


def lay_out_release(files: ReleaseFiles, folder: Path) -> None:
    """A release's files as its builder leaves them."""
    folder.mkdir(parents=True)
    texts = {"manifest.json": files.manifest, "SHA256SUMS": files.sums, "CHANGELOG.md": files.changelog}
    for name, text in {**texts, **dict(files.signatures)}.items():
        (folder / name).write_bytes(text.encode())
    shutil.copyfile(files.bundle, folder / "bundle.tar.zst")


def lay_out_trust(keys: tuple[str, ...], folder: Path) -> Path:
    """What the gateway pins: the keys of those who signed the two releases."""
    folder.mkdir(parents=True)
    rings = [run(["gpg", "--dearmor"], stdin=key) for key in keys]
    (folder / "openpgp.gpg").write_bytes(b"".join(rings))
    listing = run(["gpg", "--with-colons", "--show-keys"], stdin=b"".join(rings)).decode().splitlines()
    primary = [listing[number + 1].split(":")[9] for number, line in enumerate(listing) if line.startswith("pub:")]
    policy = ", ".join(f'"{fingerprint}"' for fingerprint in primary)
    (folder / "policy.json").write_text(f'{{"threshold": 1, "openpgp": [{policy}]}}\n')
    return folder


def client_certificate(authority: Authority, folder: Path, name: str) -> Path:
    """Write client.pem and client.key for a user's name; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = [str(authority.certificate), str(authority.certificate.with_name("ca.key"))]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}"]
    usage = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth"]
    files = ["-keyout", str(folder / "client.key"), "-out", str(folder / "client.pem")]
    run(["openssl", "req", "-x509", *kind, "-CA", ca[0], "-CAkey", ca[1], *usage, *files])
    return folder
