"""Signers, approvers and a company, made once; for each test a gateway's program that pins them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.fleet import Lab
from tests.gateway.labs import mark, pytest_configure
from tests.gateway.trust.company import CODE, Company, Given
from tests.gateway.trust.host import Host, Json
from tests.gateway.trust.people import Approver, Keys

__all__ = ["pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """One gateway with one user on it, for what needs a real sshd and ocserv."""
    with Lab(gateways=1, users=1, say=lambda _: None) as standing:
        yield standing


@dataclass(frozen=True)
class Cast:
    """anna and bert sign releases with OpenPGP, cora with a certificate of the company; alice and bob approve."""

    keys: Keys
    prints: dict[str, str]  # name → fingerprint
    company: Company
    cora: Given
    alice: Approver
    bob: Approver

    def keyring(self) -> bytes:
        return self.keys.gpg("--export")

    def policy(self, *names: str, threshold: int = 1, **more: Any) -> Json:
        """Who of the OpenPGP signers is pinned; alice and bob may approve, one is enough."""
        openpgp = [{"fingerprint": self.prints[name], "group": "release"} for name in names]
        approvers = {"needed": 1, "keys": [self.alice.row, self.bob.row]}
        return {"threshold": threshold, "openpgp": openpgp, "approvers": approvers, "serial": 1, **more}

    def with_ca(self, *names: str, threshold: int = 1) -> Json:
        ca = {"file": "ca-1.pem", "crl": "ca-1.crl", "group": "release"}
        return self.policy(*names, threshold=threshold, cas=[ca])

    def ca_files(self, crl: str = "") -> dict[str, bytes]:
        return {"ca-1.pem": self.company.pem.encode(), "ca-1.crl": (crl or self.company.crl()).encode()}


@pytest.fixture(scope="package")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    folder = tmp_path_factory.mktemp("people")
    keys = Keys(folder / "gnupg")
    prints = {name: keys.make(name) for name in ("anna", "bert", "stranger")}
    company = Company(folder / "company")
    alice, bob = (Approver(folder, name) for name in ("alice", "bob"))
    yield Cast(keys, prints, company, company.give("cora", CODE), alice, bob)
    keys.stop()


@pytest.fixture
def host(tmp_path: Path, cast: Cast) -> Host:
    """A gateway that pins anna, bert and the company; one signature is enough."""
    made = Host(tmp_path / "gateway")
    made.pin({"openpgp.gpg": cast.keyring(), **cast.ca_files()}, cast.with_ca("anna", "bert"))
    return made
