"""What two looks tell, on what real occtl and ss printed: two guests, one of whom reconnects, then one leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.ocgate import channels, occtl
from fleet.ocgate.seen import Seen

RECORDED = Path(__file__).parent / "recorded" / "metrics"
VERSIONS = ["1.1.6", "1.3.0", "1.5.0"]


def text(version: str, name: str) -> str:
    return (RECORDED / version / f"{name}.txt").read_text()


def users(version: str, name: str) -> list[occtl.Session]:
    return occtl.parse_users(occtl.loads(text(version, name)))


@pytest.mark.parametrize("version", VERSIONS)
def test_who_came_and_left_is_told_from_who_came_again(version: str) -> None:
    seen, found = Seen(), channels.parse(text(version, "ss-2"))
    told = []
    for name in ("users-1", "users-2", "users-3"):
        seen.look(users(version, name), found)
        seen = Seen.load(json.loads(json.dumps(seen.dump())))
        told.append((seen.arrivals, seen.reconnects, seen.departures))
    assert told == [(0, 0, 0), (0, 1, 0), (0, 2, 1)], "who was there at the first look did not just come"
    seen.look(users(version, "users-1"), found)
    assert seen.arrivals == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_dtls_and_clients_are_read_of_every_version(version: str) -> None:
    there = users(version, "users-3")
    assert [one.dtls for one in there] == [True] * len(there)
    assert {one.agent for one in there} == {"Open AnyConnect VPN Agent v9.01-3"}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_no_json_parser_takes_is_read_all_the_same(version: str) -> None:
    raw = text(version, "sessions-3")
    assert len(occtl.parse_cookies(occtl.loads(raw))) >= 1
    status = occtl.loads(text(version, "status-3"))
    assert (status["Status"], status["IPs in ban list"]) == ("online", 2)
    banned = occtl.parse_bans(occtl.loads(text(version, "bans-3")), count=2)
    assert {address.rsplit(".", 1)[0] for address in banned} == {"203.0.113"}
    assert len(banned) == 2


def test_bans_that_have_expired_are_left_out() -> None:
    """Until 1.3.0 occtl lists them; a comma at the end may stand there until 1.4.0."""
    raw = '[{"IP": "a", "Since": "2026-11-23 10:00"}, {"IP": "b", "Since": "2026-11-23 12:00"},]'
    assert occtl.parse_bans(occtl.loads(raw), count=1) == frozenset({"b"})
    assert occtl.parse_bans(None, count=3) == frozenset()


@pytest.mark.parametrize("version", VERSIONS)
def test_round_trips_are_those_of_the_slots_own_users(version: str) -> None:
    slot = VERSIONS.index(version) + 1
    found = channels.parse(text(version, "ss-2"))
    assert {one.local for one in found} == {f"198.18.0.{slot}"}
    there = {one.remote for one in users(version, "users-2")}
    assert {one.address for one in found} == there
    median, worst = channels.rtt(found)
    assert median is not None
    assert worst is not None
    assert 0 < median <= worst < 50
    first = found[0].address
    assert len(channels.users(found, at=frozenset({f"198.18.0.{slot}"}), ours=frozenset({first}))) == len(found) - 1
    assert channels.users(found, at=frozenset({"198.18.0.9"}), ours=frozenset()) == []


LINE = "ESTAB 0 0 [::ffff:198.18.0.1]:4443 [2001:db8::7]:{}\n\t cubic rtt:30.5/2 retrans:0/{} data_segs_out:{} x\n"


def test_what_was_sent_again_adds_up_over_connections() -> None:
    seen = Seen()
    for port, again, sent in ((50, 9, 100), (50, 10, 140), (51, 1, 20), (51, 0, 5)):
        seen.look([], channels.parse(LINE.format(port, again, sent)))
    assert (seen.sent, seen.again) == (40 + 20 + 5, 1 + 1 + 0)
    assert channels.parse("LISTEN 0 1 [::]:4443 [::]:*\nESTAB nonsense\n") == []
    assert channels.rtt([]) == (None, None)
