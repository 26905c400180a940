"""Accounting is closed for everybody who is cut: a real FreeRADIUS has a Stop for each Start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import host_files, radius
from lab.commands import wait_until
from lab.fleet import CACHE, Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, bundle_of, slots_of, stage_args, started

EVERYONE = ["user1", "user2", "user3"]


@pytest.fixture(scope="module", params=["steering", "front"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One gateway that accounts at a FreeRADIUS of its own, with and without nft. Its users come later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host_files, "OCSERV", host_files.OCSERV + radius.CONF)
        patch.setattr(host_files, "lay_out", radius.accounting(CACHE, host_files.lay_out))
        with Lab(gateways=1, users=3, say=lambda _text: None, kind=request.param) as standing:
            yield standing


@pytest.fixture(scope="module")
def gateway(lab: Lab) -> Gateway:
    return lab.gateways[0]


@pytest.fixture(scope="module")
def accounts(gateway: Gateway) -> radius.Radius:
    return radius.Radius(gateway)


def everyone_signs_in(lab: Lab, gateway: Gateway, accounts: radius.Radius) -> set[str]:
    """All three come anew; their Acct-Session-Ids, all of them open."""
    for client in lab.clients.all:
        client.vpn.stop()
    wait_until(lambda: slots_of(gateway) == {}, seconds=30, what="Everybody's end")
    before = {record.get("Acct-Session-Id", "") for record in accounts.records()}
    lab.clients.connect(lab.clients.all)

    def begun() -> set[str]:
        return set(accounts.open_sessions()) - before

    wait_until(lambda: len(begun()) == 3, seconds=30, what="Three Acct-Starts")
    return begun()


def ended(accounts: radius.Radius, sessions: set[str]) -> None:
    wait_until(lambda: not sessions & set(accounts.open_sessions()), seconds=30, what="Three Acct-Stops")


@pytest.mark.parametrize("release", ["1.3.0-2", "1.5.0-1"])
def test_who_is_cut_is_accounted_for(lab: Lab, gateway: Gateway, accounts: radius.Radius, release: str) -> None:
    """By `retire` where the gateway steers, by `replace` and the way back where it does not."""
    with Door(gateway) as door:
        if lab.kind == "front":
            check_in_place(lab, door, accounts, release=release)
        else:
            check_handover(lab, door, accounts, release=release)


def check_handover(lab: Lab, door: Door, accounts: radius.Radius, *, release: str) -> None:
    sessions = everyone_signs_in(lab, door.gateway, accounts)
    old, new = where(door), 3 if where(door) != 3 else 1
    started(door, lab.releases[release], new)
    door.ask("shift", weights={str(new): 100}, seconds=60)
    door.ask("commit", slot=new)
    assert sessions <= set(accounts.open_sessions()), "a shift ends nobody's session"
    cut = door.ask("retire", slot=old, cut_at_most=3)["cut"]
    assert sorted(entry["user"] for entry in cut) == EVERYONE
    ended(accounts, sessions)


def check_in_place(lab: Lab, door: Door, accounts: radius.Radius, *, release: str) -> None:
    sessions = everyone_signs_in(lab, door.gateway, accounts)
    door.ask("stage", raw=bundle_of(lab.releases[release]), **stage_args(lab.releases[release]))
    cut = door.ask("replace", release=release, cut_at_most=3, seconds=600)["cut"]
    assert sorted(entry["user"] for entry in cut) == EVERYONE
    ended(accounts, sessions)
    sessions = everyone_signs_in(lab, door.gateway, accounts)
    assert sorted(entry["user"] for entry in door.ask("restore", to="committed")["cut"]) == EVERYONE
    ended(accounts, sessions)


def where(door: Door) -> int:
    return int(door.ask("facts")["committed"]["slot"])
