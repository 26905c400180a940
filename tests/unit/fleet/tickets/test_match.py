"""Which gateway, slot and release a complaint is about."""

from __future__ import annotations

import pytest

from fleet.ports import Session
from fleet.tickets.match import Host, Place, Served, named, on_session, plain, served

HOSTS = [Host(1, "gw-1", ("192.0.2.1", "vpn.example.org")), Host(2, "gw-2", ("2001:db8::2", "vpn.example.org"))]


def session(slot: int, user: str, remote: str, vpn_ip: str = "") -> Session:
    return Session(slot=slot, id="x", user=user, remote=remote, since=0.0, vpn_ip=vpn_ip)


@pytest.mark.parametrize(
    ("told", "found"),
    [("GW-1", 1), ("gw-2:443", 2), ("192.0.2.1", 1), ("[2001:DB8:0::2]:443", 2), ("vpn.example.org", None), ("", None)],
)
def test_a_gateway_is_known_by_its_name_or_address_and_not_by_a_shared_one(told: str, found: int | None) -> None:
    assert named(told, HOSTS) == found


def test_a_user_is_where_his_session_is() -> None:
    here = {1: [session(1, "alice", "198.51.100.7")], 2: [session(2, "bob", "198.51.100.8", "10.9.0.4")]}
    assert on_session("Alice", "", here) == Place(1, 1)
    assert on_session("", "198.51.100.8", here) == Place(2, 2)
    assert on_session("", "10.9.0.4", here) == Place(2, 2)
    assert on_session("carol", "203.0.113.1", here) is None
    assert on_session("", "", here) is None


def test_a_user_with_two_sessions_is_told_apart_by_his_address_or_not_at_all() -> None:
    here = {1: [session(1, "alice", "198.51.100.7"), session(2, "alice", "198.51.100.8")], 2: []}
    assert on_session("alice", "198.51.100.8", here) == Place(1, 2)
    assert on_session("alice", "", here) == Place(1)
    elsewhere = here | {2: [session(1, "alice", "198.51.100.9")]}
    assert on_session("alice", "", elsewhere) is None


def test_the_release_is_that_of_the_slot_or_of_the_only_one_with_users() -> None:
    both = [Served(1, "1.4.2", 12.0), Served(2, "1.5.0", 3.0)]
    assert served(2, both) == (2, "1.5.0")
    assert served(None, both) == (None, ""), "it could be either"
    assert served(None, [Served(1, "1.4.2", 0.0), Served(2, "1.5.0", 3.0)]) == (2, "1.5.0")
    assert served(3, both) == (3, "")


def test_addresses_are_compared_in_one_form() -> None:
    assert plain("2001:0DB8::0001") == plain("[2001:db8::1]:443") == "2001:db8::1"
    assert plain("192.0.2.1:443") == "192.0.2.1"
