"""Which address counts: what somebody writes into a header never does."""

from __future__ import annotations

import pytest

from approvals.devices import named
from approvals.where import UNKNOWN, address, network

FORGED = "6.6.6.6, 198.51.100.7"


@pytest.mark.parametrize(
    ("remote", "header", "proxies", "counts"),
    [
        ("203.0.113.5", FORGED, 0, "203.0.113.5"),
        ("10.0.0.1", FORGED, 1, "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", 2, "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7", 2, "10.0.0.1"),
        ("10.0.0.1", "", 1, "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, not an address", 1, "10.0.0.1"),
        ("::ffff:203.0.113.5", "", 0, "203.0.113.5"),
        ("", FORGED, 0, UNKNOWN),
    ],
)
def test_address(remote: str, header: str, proxies: int, counts: str) -> None:
    assert address({"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": header}, proxies) == counts


def test_one_customer_is_one_place() -> None:
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network("203.0.113.5") == "203.0.113.5"


def test_devices_have_names() -> None:
    phone = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
    assert named(phone) == "Chrome on Android"
    assert named("Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/150.0") == "Firefox on Windows"
    assert named("\x00whatever") == "an unknown device"
