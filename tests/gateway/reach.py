"""A gateway of the lab as the product reaches it, and the controller that does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import gateways
from fleet.gateways.dial import Target, private_key
from fleet.gateways.kept import Keeper, Loan
from fleet.gateways.ssh import SshGateway
from lab.gateway import Gateway
from upgrader import flow, hint


def reached(machine: Gateway, keeper: Keeper, path: Path) -> SshGateway:
    """The gateway by the private key at `path`, through the product's own adapter."""
    key = private_key(path.read_bytes())
    pins = tuple((line.split()[0], line.split()[1]) for line in machine.host_keys)
    target = Target(machine.name, machine.address, machine.port, machine.user, pins)
    return SshGateway(Loan(keeper, target, key=lambda: key, on_changed=lambda _: None))


@pytest.fixture
def controller(transactional_db: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folders of its own; no broker, for the test does the workers' part."""
    settings.REPOSITORY, settings.SNAPSHOTS = tmp_path / "repository", tmp_path / "snapshots"
    monkeypatch.setattr(hint, "send", lambda *_: None)
    # The same number of tries as ever, in less time.
    monkeypatch.setattr(flow, "RETRY_SECONDS", (0.2, 0.4, 0.8))
    yield
    gateways.close_all()
