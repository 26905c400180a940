"""A real machine comes into the fleet and leaves it as people do it: scanned, confirmed, installed, adopted, let go."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from approvals import changes
from approvals.models import Actor, Request, User
from fleet import enrolment, gateways, guests, kit, sealed, services, sshca, stock
from fleet.enrolment import Asked
from fleet.gateways.guest import Login
from fleet.gateways.scan import scan
from fleet.models import Gateway, HostKey
from lab import gateway as machines
from lab.fleet import Lab
from releases.models import ChannelPolicy, Release
from tests import factories

pytestmark = [pytest.mark.gateway, pytest.mark.django_db(transaction=True)]
PASSWORD = "only-for-sudo-4711"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One gateway with Debian's ocserv and two users on it; ocgate was never there."""
    with Lab(gateways=1, users=2, adopt=True, say=lambda line: None) as built:
        yield built


@pytest.fixture
def machine(lab: Lab) -> machines.Gateway:
    call_command("signer", "add", str(lab.builder.signer.folder / "release-key.asc"), "--label", "Lab release key")
    call_command("gateway", "key", str(lab.controller_key))
    return lab.gateways[0]


@pytest.fixture
def ola() -> User:
    return factories.person("ola", ("enrol_gateway",))


def now() -> datetime:
    return datetime.now(UTC)


def confirm(asked: Request) -> None:
    ines = factories.person("ines", ("approve_gateway",))
    who: dict[str, Any] = {"by": ines, "actor": Actor("person", "ines", ines.pk), "now": now()}
    changes.decide(asked, yes=True, reason="Compared on the console", digest=asked.digest, **who)


def confirmed(machine: machines.Gateway, ola: User) -> Gateway:
    """Scan, ask, confirm: what the machine showed is what stands on its disk."""
    shown = scan(machine.address, machine.port)
    assert [" ".join(pair) for pair in shown.keys] == machine.host_keys
    asked = Asked(machine.name, machine.address, machine.port, keys=shown.keys)
    who: dict[str, Any] = {"actor": Actor("person", "ola", ola.pk), "now": now()}
    confirm(enrolment.propose([asked], factories.pool(), by=ola, **who))
    gateway = Gateway.objects.get(name=machine.name)
    assert not services.look(gateway, now=now())  # it is confirmed, and ocgate is not there yet
    kit.prepare(gateway, machine.config(), by=ola, **who)
    return gateway


def leave(gateway: Gateway, ola: User) -> None:
    who: dict[str, Any] = {"actor": Actor("person", "ola", ola.pk), "now": now()}
    gateways.close_all()
    confirm(enrolment.propose_leave(gateway, by=ola, why="Site closed", **who))


def people_on(machine: machines.Gateway) -> set[tuple[str, str]]:
    return {(one["user"], one["id"]) for one in machine.sessions()}


def left_there(machine: machines.Gateway) -> str:
    """What of ocgate is still on the machine."""
    places = "/usr/lib/ocgate /etc/ocgate /var/lib/ocgate/* /etc/sudoers.d/ocgate"
    return machine.run(["sh", "-c", f"find {places} 2>/dev/null; id ocgate 2>/dev/null; true"])


def test_one_printed_command_and_nobody_is_cut(machine: machines.Gateway, ola: User) -> None:
    before = people_on(machine)
    sealed.seal("ssh-ca", sshca.make())
    gateway = confirmed(machine, ola)
    made = kit.kit_of(gateway)
    machine.machine.write(f"root/{made.name}", made.data)
    machine.run(["sh", "-c", kit.command(gateway, made, adopt=True)], seconds=120)
    assert services.look(Gateway.objects.get(pk=gateway.pk), now=now())
    assert stock.take(Gateway.objects.get(pk=gateway.pk), opener=gateways.open, now=now())
    gateways.close_all()
    seen = Gateway.objects.get(pk=gateway.pk)
    assert seen.ssh_ca  # it said so itself; from here on we come with a certificate
    assert services.look(seen, now=now())
    assert (seen.state, seen.sessions, people_on(machine)) == ("enrolled", 2, before)
    leave(seen, ola)
    machine.run(guests.UNINSTALL.split())
    assert left_there(machine) == ""
    assert people_on(machine) == before
    assert not HostKey.objects.filter(gateway=gateway).exists()


def test_over_a_lent_login_and_off_again(machine: machines.Gateway, ola: User, tmp_path: Path) -> None:
    before = people_on(machine)
    gateway = confirmed(machine, ola)
    login = lent(machine, tmp_path)
    who: dict[str, Any] = {"by": ola, "actor": Actor("person", "ola", ola.pk), "clock": now}
    lines = list(guests.install(gateway, login, adopt=True, **who))
    assert lines[-1] == "Done. The login is forgotten.", lines
    assert services.look(Gateway.objects.get(pk=gateway.pk), now=now())
    assert PASSWORD not in machine.run(["sh", "-c", "journalctl --no-pager; cat /root/.bash_history 2>/dev/null; true"])
    leave(Gateway.objects.get(pk=gateway.pk), ola)
    lines = list(guests.uninstall(Gateway.objects.get(pk=gateway.pk), login, cut=False, **who))
    assert lines[-1] == "Done. The login is forgotten.", lines
    assert left_there(machine) == ""
    assert people_on(machine) == before
    assert machine.run(["sh", "-c", "ls -d /tmp/handover.* 2>/dev/null || true"]) == ""


@pytest.fixture
def newest(lab: Lab, machine: machines.Gateway, settings: Settings, tmp_path: Path) -> str:
    """A release that may go to the pool."""
    settings.REPOSITORY = tmp_path / "repository"
    built = lab.builder.debian()[-1]
    call_command("release", "add", str(built.folder))
    Release.objects.update(channel="production")
    ChannelPolicy.objects.get_or_create(channel="production")
    return built.release


def test_where_no_ocserv_runs_the_kit_brings_the_first_release(
    machine: machines.Gateway, ola: User, newest: str
) -> None:
    machine.run(["systemctl", "disable", "--now", "ocserv"])
    gateway = confirmed(machine, ola)
    made = kit.kit_of(gateway, adopt=False)
    machine.machine.write(f"root/{made.name}", made.data)
    machine.run(["sh", "-c", kit.command(gateway, made, adopt=False)], seconds=120)
    assert services.look(Gateway.objects.get(pk=gateway.pk), now=now())
    assert Gateway.objects.get(pk=gateway.pk).release == newest
    leave(Gateway.objects.get(pk=gateway.pk), ola)
    machine.run(guests.UNINSTALL.split())
    assert left_there(machine) == ""


def lent(machine: machines.Gateway, folder: Path) -> Login:
    """A person's own user there: signs in with a key, sudo asks for the password."""
    machine.run(["useradd", "-m", "-s", "/bin/sh", "admin"])
    machine.run(["chpasswd"], stdin=f"admin:{PASSWORD}\n")
    machine.run(["sh", "-c", "echo 'admin ALL=(ALL) ALL' > /etc/sudoers.d/admin; chmod 440 /etc/sudoers.d/admin"])
    call = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "admin")]
    subprocess.run(call, check=True)
    public = (folder / "admin.pub").read_text()
    home = "/home/admin/.ssh"
    keep = f"mkdir -m 700 {home}; cat > {home}/authorized_keys; chown -R admin: {home}"
    machine.run(["sh", "-c", keep], stdin=public)
    return Login("admin", password=PASSWORD, key=(folder / "admin").read_text())
