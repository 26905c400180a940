"""A sshd for the package; for each test a simulated gateway, asked directly or over SSH."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet import ports
from fleet.gateways.dial import HostKeyChanged
from fleet.gateways.kept import Keeper, Loan
from fleet.gateways.memory import MemoryFleet, MemoryGateway
from fleet.gateways.ssh import SshGateway
from tests.gateway.ssh.peer import Peer
from tests.gateway.ssh.sshd import Sshd

OLD, NEW = "1.1.6-3", "1.3.0-2"


class Clock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.meanwhile: Callable[[], object] = lambda: None  # what happens while somebody sleeps

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.meanwhile()
        self.now += seconds


@dataclass
class Site:
    """`gateway` is what the controller talks to, `real` what happens behind it."""

    gateway: ports.Gateway
    real: MemoryGateway
    clock: Clock
    folder: Path

    def files(self, release: str = NEW, *, size: int = 1000, text: str = "") -> ports.ReleaseFiles:
        """A release as the repository gives it."""
        manifest = json.dumps({"release": release, "version": release.partition("-")[0], "text": text})
        bundle = self.folder / f"{release}.bundle"
        bundle.write_bytes(hashlib.shake_256(release.encode()).digest(size))
        sha256 = hashlib.sha256(bundle.read_bytes()).hexdigest()
        digest = hashlib.sha256(manifest.encode()).hexdigest()
        return ports.ReleaseFiles(release, digest, manifest, "", "", (), bundle, size, sha256)

    def ready(self, release: str = NEW, slot: int = 2) -> None:
        """Stage and start a release."""
        self.gateway.stage(self.files(release), fence=1, progress=lambda *_: None)
        self.gateway.start(release, slot, fence=1)


@pytest.fixture(scope="package")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def real() -> MemoryGateway:
    clock = Clock()
    return MemoryFleet(clock=clock, sleep=clock.sleep).add("fra-gw-01", release=OLD)


@pytest.fixture
def peer(sshd: Sshd, real: MemoryGateway) -> Iterator[Peer]:
    for left in sshd.folder.glob("*.incoming"):
        left.unlink()
    served = Peer(sshd.folder, real)
    yield served
    served.close()
    (sshd.folder / "stderr").unlink(missing_ok=True)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.close_all()


@pytest.fixture
def over_ssh(sshd: Sshd, peer: Peer, keeper: Keeper) -> SshGateway:
    return SshGateway(loan(sshd, keeper))


def loan(sshd: Sshd, keeper: Keeper, *, port: int | None = None, key: str = "host") -> Loan:
    def on_changed(changed: HostKeyChanged) -> None:
        (sshd.folder / "changed").write_text(changed.say)

    return Loan(keeper, sshd.target(port=port, key=key), key=lambda: sshd.key, on_changed=on_changed)


@pytest.fixture(params=["memory", pytest.param("ssh", marks=pytest.mark.gateway)])
def site(request: pytest.FixtureRequest, real: MemoryGateway, tmp_path: Path) -> Site:
    """The same gateway, in memory and over SSH."""
    reached: ports.Gateway = real if request.param == "memory" else request.getfixturevalue("over_ssh")
    assert isinstance(real.world.clock, Clock)
    return Site(reached, real, real.world.clock, tmp_path)
