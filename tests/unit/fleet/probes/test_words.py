"""Requests to probegate: what fits is taken whole, what does not is refused with its part."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.probes.probegate.words import Refused, parsed, wishes

GOOD = {"gateway": "fra-gw-01", "host": "vpn.example.org", "port": 443, "user": "probe", "password": "it's $ecret"}


def test_a_good_wish_is_taken_as_it_is() -> None:
    (wish,) = wishes({"seconds": 25, "probes": [{**GOOD, "ping": "10.0.0.1", "fetch": "http://10.0.0.5/100k"}]})
    assert (wish.where, wish.password, wish.ping, wish.seconds) == (
        "vpn.example.org:443",
        "it's $ecret",
        "10.0.0.1",
        25,
    )
    (six,) = wishes({"seconds": 25, "probes": [{**GOOD, "host": "2001:db8::1"}]})
    assert (six.where, six.path) == ("[2001:db8::1]:443", "/")
    (hidden,) = wishes({"seconds": 25, "probes": [{**GOOD, "secret": "open-sesame"}]})
    assert hidden.path == "/?open-sesame"


@pytest.mark.parametrize(
    "other",
    [
        {"host": "-oProxyCommand"},
        {"host": "a b"},
        {"port": 0},
        {"port": True},
        {"user": "--script=x"},
        {"password": "two\nlines"},
        {"ping": "::1"},
        {"fetch": "file:///etc/shadow"},
        {"fetch": "http://a/ b"},
        {"gateway": ""},
        {"script": "/bin/sh"},
        {"user": 7},
        {"secret": "a b"},
        {"secret": "x\nscript=/bin/sh"},
        {"secret": "#"},
    ],
)
def test_what_openconnect_must_not_hear_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        wishes({"seconds": 25, "probes": [{**GOOD, **other}]})


@pytest.mark.parametrize("args", [{}, {"seconds": 1, "probes": [GOOD]}, {"seconds": 25, "probes": []}, {"seconds": 25}])
def test_a_request_without_bounds_is_refused(args: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        wishes(args)


def test_a_line_is_a_request_or_nothing() -> None:
    good = {"v": 3, "id": "1", "verb": "hello", "args": {}}
    assert parsed(json.dumps(good).encode())["verb"] == "hello"
    for bad in (b"", b"{", b"[]", json.dumps({**good, "v": 9}).encode(), json.dumps({**good, "sudo": 1}).encode()):
        with pytest.raises(Refused):
            parsed(bad)
