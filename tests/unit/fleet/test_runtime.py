"""What HAProxy says at its runtime API, read strictly; and what hagate lets through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.errors import RetryLater
from fleet.traffic import runtime
from fleet.traffic.hagate.words import Refused, checked_changes, named, parsed, plain_address, seconds_of

# HAProxy 2.6.12 of Debian 12, shortened behind the columns that are read.
STATES = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight
3 vpn 1 gw1-1 192.0.2.1 2 8 37 100
3 vpn 2 gw1-2 192.0.2.2 0 0 0 0

"""
STAT = """# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight
vpn,gw1-1,0,0,12,14,,20,0,0,,0,,0,0,0,0,DRAIN,37
vpn,gw1-2,0,0,0,0,,0,0,0,,0,,0,0,0,0,DOWN,0

"""
TABLE = """# table: vpn, type: ip, size:1048576, used:2
0x560b820c3860: key=192.0.2.7 use=1 exp=2500 server_id=1 server_key=gw1-1
0x560b820c3960: key=192.0.2.8 use=0 exp=99 server_id=2 server_key=gw1-2

"""


def test_both_lists_make_a_server() -> None:
    first, second = runtime.servers(STATES, STAT, backend="vpn")
    assert (first.name, first.admin, first.up, first.weight, first.sessions) == ("gw1-1", "drain", True, 37, 12)
    assert (second.id, second.admin, second.up, second.weight, second.sessions) == (2, "ready", False, 0, 0)


@pytest.mark.parametrize(("bits", "word"), [(0, "ready"), (8, "drain"), (16, "drain"), (1, "maint"), (9, "maint")])
def test_admin_states(bits: int, word: str) -> None:
    assert runtime.admin(bits) == word


@pytest.mark.parametrize(
    ("states", "stat"),
    [
        ("Can't find backend.\n", STAT),
        (STATES, "No such proxy.\n"),
        (STATES.replace("1\n#", "2\n#", 1), STAT),
        (STATES.replace(" 8 37 ", " x 37 "), STAT),
        (STATES.replace(" 8 37 100", ""), STAT),
        (STATES, STAT.replace("vpn,gw1-2", "vpn,other")),
        (STATES, STAT.replace("0,0,12,14", "0,0,,14")),
        ("", ""),
    ],
)
def test_what_can_not_be_read_is_no_answer(states: str, stat: str) -> None:
    with pytest.raises(RetryLater):
        runtime.servers(states, stat, backend="vpn")


def test_info_wants_haproxy() -> None:
    assert runtime.info("Name: HAProxy\nVersion: 2.6.12\nUptime_sec: 7\n")["Version"] == "2.6.12"
    for bad in ("", "Name: Other\nUptime_sec: 7\n", "Name: HAProxy\nUptime_sec: -1\n"):
        with pytest.raises(RetryLater):
            runtime.info(bad)


def test_the_stick_table_says_who_comes_where() -> None:
    assert runtime.stuck(TABLE) == {"192.0.2.7": 1, "192.0.2.8": 2}
    with pytest.raises(RetryLater):
        runtime.stuck("No such table\n")


REQUEST: dict[str, Any] = {"v": 2, "id": "1", "verb": "show", "args": {"backend": "vpn"}}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"show info\n",
        b"[]\n",
        json.dumps({**REQUEST, "more": 1}).encode(),
        json.dumps({**REQUEST, "v": 9}).encode(),
        json.dumps({**REQUEST, "args": "vpn"}).encode(),
        json.dumps({**REQUEST, "verb": 7}).encode(),
    ],
)
def test_hagate_reads_requests_only(line: bytes) -> None:
    assert parsed(json.dumps(REQUEST).encode())["verb"] == "show"
    with pytest.raises(Refused):
        parsed(line)


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a\nb", "vpn/gw", "-a", "a" * 65, 7, None])
def test_hagate_takes_no_name_that_could_be_a_command(name: object) -> None:
    with pytest.raises(Refused):
        named({"backend": name}, "backend")
    with pytest.raises(Refused):
        checked_changes([[name, "drain", -1]])


@pytest.mark.parametrize(
    "changes",
    [None, [], [["a"]], [["a", "off", 1]], [["a", "drain", 257]], [["a", "drain", True]], [["a", "", 1]] * 17],
)
def test_hagate_takes_no_other_change(changes: object) -> None:
    with pytest.raises(Refused):
        checked_changes(changes)


@pytest.mark.parametrize("seconds", [-1, 86401, "5", True, 1.5])
def test_hagate_takes_no_odd_length_of_a_trial(seconds: object) -> None:
    with pytest.raises(Refused):
        seconds_of({"seconds": seconds})


@pytest.mark.parametrize(
    ("text", "plain"), [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:DB8::1", "2001:db8::1")]
)
def test_an_address_has_one_spelling(text: str, plain: str) -> None:
    assert plain_address(text) == plain
