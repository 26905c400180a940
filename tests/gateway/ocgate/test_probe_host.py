"""A probe host signs in at a real gateway as a user does; it is no user there, and a ban is told from an outage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import gateways, sealed
from fleet.models import Gateway as GatewayRow
from fleet.models import Probe, ProbeHost, ProbeReading
from fleet.probes import door as probe_door
from fleet.probes import rounds
from lab import probehost
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.state import started_at
from tests import factories
from tests.gateway.ocgate.door import Door
from tests.gateway.ocgate.test_metrics import grown, slot

HOST = 235  # the last byte of its addresses
NETWORK = f"2001:db8:2:{HOST}::"  # what ocserv bans of an IPv6 address
SOON = "20\\nmin-reauth-time = 300"  # without the second line a ban of 1.1.6 lasts 5 s
OCCTL = "/var/lib/ocgate/releases/1.1.6-3/bin/occtl"


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Iterator[probehost.ProbeHost]:
    public = lab.controller_key.with_suffix(".pub").read_text().strip()
    made = probehost.ProbeHost(lab.clients.networks, HOST, key=public, ca=lab.authority.certificate)
    made.up()
    yield made
    gateways.close_all()
    made.reap()


@pytest.fixture
def host(machine: probehost.ProbeHost, lab: Lab, transactional_db: Any) -> ProbeHost:
    sealed.seal(probe_door.PROBE_KEY, lab.controller_key.read_bytes())
    ((kind, key),) = machine.host_keys
    where = {"address": machine.address, "ssh_user": machine.user, "key_kind": kind, "key": key}
    return ProbeHost.objects.create(name="probe-1", pool=factories.pool(), seen_from=machine.public, **where)


def row(gateway: Gateway, *, at: str, password: str) -> GatewayRow:
    """The gateway as the product knows it, with its probe account."""
    sealed.seal(f"probe:{gateway.name}", f"{gateway.probe.user}\n{password}".encode())
    facts = {"slots": [{"slot": 1, "release": "1.1.6-3", "state": "serving"}]}
    where = {"address": gateway.address, "public_address": at, "facts": facts}
    return GatewayRow.objects.update_or_create(name=gateway.name, defaults={"pool": factories.pool(), **where})[0]


def probed(host: ProbeHost) -> Probe:
    """What one round finds, now."""
    Probe.objects.update(due_at=0)
    assert rounds.probe(host) == 1, ProbeHost.objects.get().say
    return Probe.objects.get()


def links(machine: probehost.ProbeHost) -> list[str]:
    said = subprocess.run([*machine.corner.enter(), "ip", "-br", "address"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()


def test_it_signs_in_measures_and_is_no_user(
    gateway: Gateway, door: Door, machine: probehost.ProbeHost, host: ProbeHost
) -> None:
    before, counted = links(machine), door.ask("metrics", probes=[machine.public])["slots"][0]
    row(gateway, at=gateway.public, password=gateway.probe.password)
    # DTLS is waited for 2 s, which a machine under load may take.
    wait_until(lambda: probed(host).values["dtls"], seconds=120, what="A sign-in with DTLS")
    reading = ProbeReading.objects.get(dtls=1)
    assert (Probe.objects.get().outcome, reading.slot, reading.release) == ("ok", 1, "1.1.6-3")
    phases = [reading.connect_ms, reading.handshake_ms, reading.login_ms, reading.tunnel_ms]
    assert phases == sorted(phases)  # type: ignore[type-var]  # all are known after a success
    assert (reading.sent, reading.failed) == (10, 0)
    assert reading.rtt_ms
    assert reading.kbit_s
    assert reading.jitter_ms is not None
    assert links(machine) == before, "its own routes and links are as they were"
    assert grown(door, counted) == {}
    assert slot(door)["sessions"] == 4


def test_a_wrong_password_is_refused_and_without_one_the_form_is_enough(gateway: Gateway, host: ProbeHost) -> None:
    one = row(gateway, at=gateway.public, password="wrong")
    assert (probed(host).outcome, Probe.objects.get().failures) == ("refused", 1)
    sealed.drop(f"probe:{gateway.name}")
    assert (probed(host).outcome, Probe.objects.get().failures) == ("form", 0)
    one.public_address = gateway.public.rpartition(".")[0] + ".199"  # nobody is there
    one.save()
    assert probed(host).outcome == "down"


def test_a_ban_is_told_from_an_outage(
    gateway: Gateway, door: Door, machine: probehost.ProbeHost, host: ProbeHost
) -> None:
    # Addresses of a network that the gateway is in are never banned; over IPv6 the host is in another one.
    row(gateway, at=gateway.at.public6, password="wrong")
    ban(gateway, "0", SOON)
    try:
        assert probed(host).outcome == "refused", Probe.objects.get().say
        # Nobody has said yet that its ocserv is well, so it is no ban so far.
        wait_until(lambda: probed(host).outcome == "closed", seconds=120, what="The ban")
        told = door.ask("metrics", probes=[machine.public6])["slots"][0]
        assert (told["banned_probes"], told["banned_ours"]) == (1, 0)
    finally:
        ban(gateway, "20", "0")
        gateway.run(["sh", "-c", f"{OCCTL} -s /run/ocgate/1/occtl.sock unban ip {NETWORK} || true"])
    door.ask("metrics", probes=[machine.public])


def test_whoever_kills_it_leaves_no_tunnel_behind(lab: Lab, gateway: Gateway, machine: probehost.ProbeHost) -> None:
    account = {"user": gateway.probe.user, "password": gateway.probe.password}
    one = {"gateway": gateway.name, "host": gateway.public, "port": 443, **account}
    request = {"v": 3, "id": "1", "verb": "probe", "args": {"seconds": 60, "probes": [one]}}
    words = [*machine.corner.enter(), "/usr/bin/python3", "-I", str(machine.folder / "probegate.pyz"), "serve"]
    before = links(machine)
    with subprocess.Popen(
        [*words, "--cafile", str(lab.authority.certificate)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as program:
        assert program.stdin
        program.stdin.write(json.dumps(request).encode() + b"\n")
        program.stdin.flush()
        wait_until(lambda: len(children(program.pid)) >= 2, seconds=30, what="openconnect and its namespace")
        left = children(program.pid)
        program.kill()
    wait_until(lambda: not any(started_at(pid) for pid in left), seconds=30, what="The end of what it started")
    assert links(machine) == before


def children(pid: int) -> list[int]:
    """The processes that a process has started from any of its threads, and that live."""
    told = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/children")]
    return sorted(int(word) for text in told for word in text.split())


def ban(gateway: Gateway, old: str, new: str) -> None:
    """Let the slot ban in another way from now on."""
    score = f"s/^max-ban-score = {old}$/max-ban-score = {new}/"
    edit = f"sed -Ei '/^min-reauth-time = 300$/d; {score}' /var/lib/ocgate/slots/1/ocserv.conf"
    gateway.run(["sh", "-c", f"{edit} && kill -HUP $(cat /run/ocgate/1/ocserv.pid)"])
