"""Traffic that steering must not touch, and clients that make it hard: IPv6, silence, roaming, fixed addresses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lab import faults
from lab.commands import text, wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, slots_of, started
from tests.gateway.ocgate.guests import answers, sign_in

NEW = "1.3.0-2"


def test_ipv6_clients_are_steered_learnt_and_reconnect(lab: Lab, gateway: Gateway, door: Door) -> None:
    old = sign_in(lab, gateway, 230, server=gateway.at.public6)
    assert slots_of(gateway)["guest1"] == 1
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    text(["ip", "netns", "exec", old.corner.space, "ss", "-HKnt", "dport", "=", ":443"])
    wait_until(lambda: "reconnect" in [what for _, what in old.events()], seconds=30, what="The IPv6 reconnect")
    assert slots_of(gateway)["guest1"] == 1
    new = sign_in(lab, gateway, 231, server=gateway.at.public6)
    assert sorted(s["slot"] for s in gateway.sessions() if s["user"] == "guest1") == [1, 2]
    old.stop()
    new.stop()


def test_a_vpn_users_own_https_through_the_gateway_is_not_caught(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    client = lab.clients.all[0]
    # The lab's echo stands behind the gateway, on TCP 443 too.
    assert "through the tunnel" in text([*client.vpn.corner.enter(), "python3", "-c", ASK, client.inside])


ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 443), timeout=5) as server:
    server.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print(server.recv(1000).decode())
"""


def test_after_silence_the_server_may_speak_first(lab: Lab, gateway: Gateway, door: Door) -> None:
    """UDP entries expire after 120 s without traffic; deleting them while the client is kept silent is the same."""
    client = lab.clients.all[0]
    session = next(s for s in gateway.sessions() if s["user"] == client.user)
    gateway.run(["nft", "-f", "-"], stdin=SILENT.format(client=client.vpn.corner.address))
    inside = ["ip", "netns", "exec", client.vpn.corner.space]
    text([*inside, "nft", "-f", "-"], stdin=LOOK.format(public=gateway.public))
    try:
        gateway.run(["conntrack", "-D", "-p", "udp"])
        gateway.run(["sh", "-c", f"ping -c 5 -i 0.1 -W 1 {session['vpn_ip']} || true"])
        counted = text([*inside, "nft", "list", "table", "inet", "look"])
    finally:
        text([*inside, "nft", "delete", "table", "inet", "look"])
        gateway.run(["nft", "delete", "table", "inet", "silent"])
    assert packets(counted, "strange") == 0
    assert packets(counted, "known") >= 5
    assert session["id"] in {s["id"] for s in gateway.sessions()}


SILENT = """table inet silent {{
  chain in {{
    type filter hook prerouting priority -400;
    ip saddr {client} udp dport 443 drop
  }}
}}
"""
LOOK = """table inet look {{
  counter known {{ }}
  counter strange {{ }}
  chain in {{
    type filter hook prerouting priority -400;
    udp sport 443 ip saddr {public} counter name known
    udp sport 443 ip saddr != {public} counter name strange
  }}
}}
"""


def packets(listing: str, counter: str) -> int:
    return int(listing.split(f"counter {counter} {{")[1].split("packets ")[1].split()[0])


FIXED = "10.101.200.5"


def test_a_user_with_a_fixed_address_who_roams_gets_his_traffic_back(lab: Lab, gateway: Gateway, door: Door) -> None:
    with fixed_address(gateway):
        started(door, lab.releases[NEW], 2)
        door.ask("shift", weights={"2": 100}, seconds=60)
        old = sign_in(lab, gateway, 232)
        started(door, lab.releases["1.5.0-1"], 3)
        door.ask("shift", weights={"3": 100}, seconds=60)
        new = sign_in(lab, gateway, 233)
        wait_until(lambda: slots_with(gateway, FIXED) == [3], seconds=30, what="The end of the older session")
        wait_until(lambda: answers(new, lab.gateways[0].at.inside), seconds=30, what="Traffic of the newer one")
        assert "address_held_twice" in [event["code"] for event in door.ask("facts")["keep"]["events"]]
        old.stop()
        new.stop()


def slots_with(gateway: Gateway, vpn_ip: str) -> list[int]:
    return [session["slot"] for session in gateway.sessions() if session["vpn_ip"] == vpn_ip]


@contextlib.contextmanager
def fixed_address(gateway: Gateway) -> Iterator[None]:
    """guest1 has one address for ever, by the operator's agreed configuration."""
    faults.edit_ocserv_conf(gateway, "dpd = 90", "config-per-user = /etc/ocserv/users/")
    gateway.run(["sh", "-c", f"mkdir -p /etc/ocserv/users; echo explicit-ipv4 = {FIXED} > /etc/ocserv/users/guest1"])
    agree(gateway)
    try:
        yield
    finally:
        faults.edit_ocserv_conf(gateway, "config-per-user = /etc/ocserv/users/", "dpd = 90")
        agree(gateway)


def agree(gateway: Gateway) -> None:
    """The installer, run again, takes the configuration as it stands for the agreed one."""
    gateway.run(["cp", "-r", "/etc/ocgate/trust", "/etc/ocgate/config.json", "/tmp/"])
    words = ["--key", "ssh-ed25519 AAAA again", "--config", "/tmp/config.json", "--trust", "/tmp/trust"]
    keys = "/var/lib/ocgate/home/.ssh/authorized_keys"
    gateway.run(["cp", keys, "/tmp/keys"])
    gateway.run(["/usr/lib/ocgate/ocgate", "install", *words])
    gateway.run(["cp", "/tmp/keys", keys])
