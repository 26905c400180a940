"""Where messages may go, and what may be shown of an address."""

from __future__ import annotations

import pytest

from fleet.alarms.addresses import KINDS, BadAddress, Kind, allowed_networks, hint, kind_of, masked, why_not
from fleet.alarms.hooks import target


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "metadata.google.internal",
    ],
)
def test_metadata_and_link_local_are_never_reached_whatever_is_allowed(address: str) -> None:
    assert why_not(address, allowed_networks(["0.0.0.0/0", "::/0"]))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd12::1", "::ffff:10.0.0.1"])
def test_private_addresses_are_reached_where_the_setting_names_them(address: str) -> None:
    assert "HANDOVER_ALERTS_TO" in why_not(address, ())
    assert why_not(address, allowed_networks(["10.0.0.0/8", "127.0.0.1", "192.168.1.1", "::1", "fd12::/16"])) == ""


def test_public_addresses_are_reached() -> None:
    assert why_not("93.184.216.34", ()) == ""
    assert why_not("2606:4700::1111", ()) == ""


BROWSER = "push://push.example.net/send/TOKEN#KEY.SECRET"  # nobody types it, so the form has no example


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_hint_shows_no_part_of_the_token(kind: Kind) -> None:
    example = kind.example or BROWSER
    shown = hint(example)
    assert kind_of(example) in KINDS
    for secret in ("TOKEN", "PASSWORD", "KEY", "SECRET", "USER", "CHAT", "hooks", "oncall"):
        assert secret not in shown


@pytest.mark.parametrize("url", ["", "gopher://example.org", "file:///etc/passwd", "json://", "json://a b", "hunter2"])
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadAddress) as bad:
        kind_of(url)
    assert not url or url not in bad.value.say


def test_a_topic_that_is_a_password_is_not_shown() -> None:
    assert hint("ntfy://my-secret-topic") == "ntfy, topic hidden"
    assert hint("ntfys://ntfy.example.org/oncall") == "ntfy by ntfy.example.org"


def test_a_setting_that_can_not_be_read_allows_nothing() -> None:
    with pytest.raises(BadAddress, match="HANDOVER_ALERTS_TO can't be read: 10.0.0.1/8 has host bits set."):
        allowed_networks(["10.0.0.1/8"])


def test_an_answer_that_repeats_the_token_does_not_show_it() -> None:
    said = masked("404 no hook T0KEN-abcdef at noc.example.org", "jsons://noc.example.org/T0KEN-abcdef")
    assert said == "404 no hook … at noc.example.org"


@pytest.mark.parametrize(
    ("address", "url", "headers"),
    [
        ("https://noc.example.org/h?a=1&+b=2", "https://noc.example.org/h?a=1&+b=2", {}),
        ("jsons://[2001:db8::1]:8443/h?verify=no&-a=1&+X-A=b%20c", "https://[2001:db8::1]:8443/h?a=1", {"X-A": "b c"}),
        ("http://u%40x:p@noc.example.org", "http://noc.example.org/", {"Authorization": "Basic dUB4OnA="}),
    ],
)
def test_a_webhooks_address_says_where_and_with_which_headers(address: str, url: str, headers: dict[str, str]) -> None:
    assert target(address) == (url, headers)


@pytest.mark.parametrize(
    "address", ["https:///x", "https://[::1", "json://h/?+Webhook-Id=1", "json://h/?+A=b%0d%0aC:d"]
)
def test_a_webhooks_address_that_could_forge_a_message_is_refused(address: str) -> None:
    pytest.raises(BadAddress, target, address)
