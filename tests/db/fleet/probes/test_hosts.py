"""Probe hosts: asked by one person, confirmed by another, on the record; shut when their key changed."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from approvals import changes
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Request, User
from fleet import sealed, sshca
from fleet.errors import GiveUp
from fleet.gateways.dial import HostKeyChanged
from fleet.models import Gateway, Pool, ProbeHost
from fleet.probes import door, hosts, rounds
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
LINE = f"ssh-ed25519 {KEY} root@probe"


def who(user: User) -> dict[str, Any]:
    return {"by": user, "actor": Actor("person", user.username, user.pk), "now": NOW}


def wish(**other: Any) -> hosts.Asked:
    return hosts.asked_of("probe-1", "probegate@192.0.2.40:2222", LINE, **other)


def agreed(request: Request, by: User) -> Request:
    return changes.decide(request, yes=True, reason="", digest=request.digest, **who(by))


def test_two_people_add_one_and_it_is_on_the_record(ola: User, ines: User) -> None:
    asked = hosts.propose(wish(), factories.pool(), why="A look from Berlin", **who(ola))
    assert not ProbeHost.objects.exists()
    assert "probe-1 at 192.0.2.40:2222 as probegate: ssh-ed25519 SHA256:" in asked.summary["lines"][0]
    agreed(asked, ines)
    host = ProbeHost.objects.get()
    assert (host.name, host.port, host.key, host.seen_from, host.ping) == ("probe-1", 2222, KEY, "192.0.2.40", None)
    event = AuditEvent.objects.get(verb="probehost.added")
    assert (event.reason, event.subject) == ("A look from Berlin", f"probehost:{host.pk}")
    assert '"name":"probe-1"' in event.body


def test_asked_again_it_gets_the_other_key_and_is_open_again(ola: User, ines: User) -> None:
    agreed(hosts.propose(wish(), factories.pool(), **who(ola)), ines)
    ProbeHost.objects.update(shut="probe-1 shows another key.")
    agreed(hosts.propose(wish(seen_from="198.51.100.7", ssh_ca=True), factories.pool(), **who(ola)), ines)
    host = ProbeHost.objects.get()
    assert (host.shut, host.seen_from, host.ssh_ca) == ("", "198.51.100.7", True)


def test_nobody_agrees_with_himself_or_asks_without_the_right(ola: User, ines: User) -> None:
    with pytest.raises(Refused):
        hosts.propose(wish(), factories.pool(), **who(ines))
    asked = hosts.propose(wish(), factories.pool(), **who(ola))
    with pytest.raises(Refused):
        agreed(asked, ola)
    assert not ProbeHost.objects.exists()


@pytest.mark.parametrize(
    "other",
    [{"ping": "::1"}, {"ping": "x"}, {"fetch": "ftp://10.0.0.1/"}, {"seen_from": "probe.example.org"}],
)
def test_what_it_could_not_do_is_refused(ola: User, other: dict[str, str]) -> None:
    with pytest.raises(Refused):
        hosts.propose(wish(**other), factories.pool(), **who(ola))


@pytest.mark.parametrize(
    ("where", "key"), [("192.0.2.40:port", LINE), ("a b", LINE), ("192.0.2.40", "ssh-dss AAAA"), ("192.0.2.40", "")]
)
def test_where_nobody_can_be_reached_is_refused(ola: User, where: str, key: str) -> None:
    with pytest.raises(Refused):
        hosts.propose(hosts.asked_of("probe-1", where, key), factories.pool(), **who(ola))


def test_addresses_are_read_as_people_write_them() -> None:
    for text, found in {
        "192.0.2.40": ("probegate", "192.0.2.40", 22),
        "eve@probe.example.org": ("eve", "probe.example.org", 22),
        "[2001:db8::1]:2222": ("probegate", "2001:db8::1", 2222),
        "2001:db8::1": ("probegate", "2001:db8::1", 22),
    }.items():
        asked = hosts.asked_of("p", text, LINE)
        assert (asked.ssh_user, asked.address, asked.port) == found


def test_a_name_belongs_to_one_pool_and_goes_by_two_people(ola: User, ines: User) -> None:
    agreed(hosts.propose(wish(), factories.pool(), **who(ola)), ines)
    other = Pool.objects.create(name="other")
    with pytest.raises(Refused, match="of another pool, eu-west"):
        hosts.refuse_bad(wish(), other)
    asked = hosts.propose_removal(ProbeHost.objects.get(), why="sold", **who(ola))
    assert ProbeHost.objects.exists()
    agreed(asked, ines)
    assert not ProbeHost.objects.exists()
    assert AuditEvent.objects.get(verb="probehost.removed").reason == "sold"


def test_another_host_key_shuts_it_once(ola: User, ines: User) -> None:
    agreed(hosts.propose(wish(), factories.pool(), **who(ola)), ines)
    for _ in range(2):
        door._changed(ProbeHost.objects.get(), HostKeyChanged("probe-1 shows another key."))
    with pytest.raises(HostKeyChanged, match="probe-1 is shut. probe-1 shows another key."):
        door.open(ProbeHost.objects.get())
    assert AuditEvent.objects.filter(verb="probehost.shut").count() == 1


def test_the_command_asks(ola: User, ines: User) -> None:
    factories.pool()
    said = StringIO()
    words = ["--pool", "eu-west", "--at", "192.0.2.40", "--key", LINE, "--by", "ola"]
    call_command("probehost", "add", "probe-1", *words, stdout=said)
    assert "It waits for a second person" in said.getvalue()
    with pytest.raises(CommandError):
        call_command("probehost", "remove", "nobody", "--by", "ola")


def test_the_command_makes_our_key_once() -> None:
    keys = [StringIO(), StringIO()]
    for out in keys:
        call_command("probehost", "key", stdout=out)
    assert keys[0].getvalue() == keys[1].getvalue()
    assert keys[0].getvalue().startswith("ssh-ed25519 ")
    assert sealed.unseal_or_none(door.PROBE_KEY)


def test_a_camouflage_secret_is_kept_sent_and_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway.objects.create(name="fra-gw-01", pool=factories.pool(), address="192.0.2.1")
    host = ProbeHost(name="probe-1", pool=gateway.pool)
    assert "secret" not in rounds.wish_of(host, gateway)
    for said, code in (("open sesame", 1), ("", 1), ("open-sesame\n", 0)):
        monkeypatch.setattr("sys.stdin", StringIO(said))
        with pytest.raises(CommandError) if code else nullcontext():
            call_command("probehost", "camouflage", "fra-gw-01", stdout=StringIO())
    assert rounds.wish_of(host, gateway)["secret"] == "open-sesame"
    assert "sesame" not in AuditEvent.objects.get(verb="gateway.camouflage_set").body
    for _ in range(2):
        call_command("probehost", "camouflage", "fra-gw-01", "--off", stdout=StringIO())
    assert "secret" not in rounds.wish_of(host, gateway)
    assert AuditEvent.objects.filter(verb="gateway.camouflage_dropped").count() == 1


def test_an_account_is_kept_from_standard_input_and_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway.objects.create(name="fra-gw-01", pool=factories.pool(), address="192.0.2.1")
    monkeypatch.setattr("sys.stdin", StringIO("se:cret\n"))
    call_command("probehost", "account", "fra-gw-01", "--user", "probe", stdout=StringIO())
    assert sealed.unseal_or_none("probe:fra-gw-01") == b"probe\nse:cret"
    event = AuditEvent.objects.get(verb="gateway.probe_account_set")
    assert (event.subject, "cret" in event.body) == (f"gateway:{gateway.pk}", False)
    monkeypatch.setattr("sys.stdin", StringIO(""))
    with pytest.raises(CommandError):
        call_command("probehost", "account", "fra-gw-01", "--user", "probe")
    for _ in range(2):
        call_command("probehost", "account", "fra-gw-01", stdout=StringIO())
    assert sealed.unseal_or_none("probe:fra-gw-01") is None
    assert AuditEvent.objects.filter(verb="gateway.probe_account_dropped").count() == 1


def test_where_the_ca_is_trusted_a_certificate_of_minutes_runs_probegate_alone(ola: User, ines: User) -> None:
    agreed(hosts.propose(wish(ssh_ca=True), factories.pool(), **who(ola)), ines)
    host = ProbeHost.objects.get()
    with pytest.raises(GiveUp, match="there is none"):
        door._key(host)
    sealed.seal(sshca.SSH_CA, sshca.make())
    blob = door._key(host).public_blob
    assert blob is not None
    assert blob.key_type == "ssh-ed25519-cert-v01@openssh.com"
    assert b"sudo -n /usr/lib/probegate/probegate serve" in blob.key_blob
    assert b"ocgate" not in blob.key_blob
    assert b"probe-1" in blob.key_blob
