"""The operator's ocserv.conf becomes a slot's; what can't be is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.ocgate import derive
from fleet.ocgate.errors import Refused
from tests.unit.ocgate.values import place

SOURCE = """# the operator's
auth = "plain[passwd=/etc/ocserv/passwd]"
tcp-port = 443
udp-port = 443
listen-host = vpn.example
listen-host = 192.0.2.1
socket-file = /run/ocserv-socket
occtl-socket-file = /run/occtl.socket
pid-file = /run/ocserv.pid
device = vpns
log-level = 1
ipv4-network = 192.168.1.0
ipv4-netmask = 255.255.255.0
route = 10.0.0.0/8
route = 172.16.0.0/12
#chroot-dir = relative
[vhost:other]
server-cert = /etc/other.pem
"""


def test_what_must_differ_differs_and_the_rest_stays() -> None:
    text = derive.derive(SOURCE, place())
    options = derive.options(text)
    assert options["tcp-port"] == "4443"
    assert options["udp-port"] == "443"
    assert options["listen-host"] == options["udp-listen-host"] == "ocgate-slot-2"
    assert options["occtl-socket-file"] == "/run/ocgate/2/occtl.sock"
    assert options["device"] == "vpnsb"
    assert options["ipv4-network"] == "10.10.8.0/22"
    assert options["log-level"] == "2"
    assert "ipv4-netmask" not in options
    assert text.count("listen-host = vpn.example") == 0
    assert text.count("\nroute = ") == 2


def test_without_steering_a_slot_listens_where_the_operators_does() -> None:
    text = derive.derive(SOURCE, replace(place(), front=True))
    options = derive.options(text)
    assert (options["tcp-port"], options["udp-port"], options["listen-host"]) == ("443", "443", "192.0.2.1")
    assert options["occtl-socket-file"] == "/run/ocgate/2/occtl.sock"
    assert derive.knock(text) == ("192.0.2.1", 443)
    bare = SOURCE.replace("tcp-port = 443\n", "").replace("listen-host", "# listen-host")
    assert derive.knock(derive.derive(bare, replace(place(), front=True))) == ("127.0.0.1", 443)


def test_a_message_stands_in_for_every_banner() -> None:
    given = SOURCE.replace("[vhost:other]\n", '[vhost:other]\nbanner = "Hello"\n') + 'banner = "Ho"\n'
    text = derive.derive('banner = "Hi"\n' + given, replace(place(), message="Sign in again"))
    assert [line for line in text.splitlines() if "banner" in line] == ['banner = "Sign in again"'] * 2
    assert text.index("[vhost:other]") < text.rindex("banner")
    assert "Hi" in derive.derive('banner = "Hi"\n' + given, place())


def test_our_options_stand_before_the_first_virtual_host() -> None:
    text = derive.derive(SOURCE, place())
    assert text.index("tcp-port = 4443") < text.index("[vhost:other]") < text.index("/etc/other.pem")


def test_a_derived_configuration_derives_to_the_same_values() -> None:
    once = derive.derive(SOURCE, place())
    assert derive.options(derive.derive(once.replace("vpnsb", "vpns"), place())) == derive.options(once)


def test_no_udp_stays_no_udp() -> None:
    assert "udp-port" not in derive.options(derive.derive(SOURCE.replace("udp-port = 443\n", ""), place()))


def test_a_higher_log_level_stays() -> None:
    assert derive.options(derive.derive(SOURCE.replace("log-level = 1", "log-level = 5"), place()))["log-level"] == "5"


def test_below_a_chroot_the_socket_stays_in_the_operators_folder() -> None:
    text = derive.derive(SOURCE + "", place()).replace("#chroot-dir = relative", "")
    assert derive.options(text)["socket-file"] == "/run/ocgate/2/sec.sock"
    jailed = derive.derive(SOURCE.replace("#chroot-dir = relative", "chroot-dir = /var/lib/ocserv"), place())
    assert derive.options(jailed)["socket-file"] == "/run/ocgate-slot-2.sock"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("listen-netns", "listen-netns = blue\n"),
        ("listen-clear-file", "listen-clear-file = /run/clear\n"),
        ("listen-proxy-proto", "listen-proxy-proto = true\n"),
        ("server-cert", "server-cert = cert.pem\n"),
        ("device", "device = averylongdevice\n"),
        ("udp-port", "udp-port = abc\n"),
        ("ipv4-network", "[vhost:a]\nipv4-network = 10.0.0.0/8\n"),
    ],
)
def test_what_cannot_be_derived_is_refused_by_name(name: str, source: str) -> None:
    with pytest.raises(Refused, match=f"The option {name} ") as refusal:
        derive.derive(source, place())
    assert refusal.value.code == "option_not_derivable"


@pytest.mark.parametrize("source", ["listen-proxy-proto = false\n", "server-key = pkcs11:token=x\n", "; a = b\n"])
def test_what_does_no_harm_is_let_pass(source: str) -> None:
    assert source in derive.derive(source, place())


@pytest.mark.parametrize(
    ("written", "value"),
    [('a = "x y"', "x y"), ("a = x # note", "x"), ("a=x", "x"), ("  a = 'x'  ", "x"), ("a = x#y", "x#y")],
)
def test_values_are_read_as_ocserv_reads_them(written: str, value: str) -> None:
    assert derive.options(written) == {"a": value}


def test_another_spelling_is_another_name() -> None:
    assert derive.options("Max-Same-Clients = 2\nmtu\u00a0= 1\n") == {"Max-Same-Clients": "2"}
