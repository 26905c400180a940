"""A lent SSH login before a real sshd: pinned host, used once, in no command line, no log, no record."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, User
from fleet import guests, kit
from fleet.errors import GiveUp
from fleet.gateways.dial import HostKeyChanged
from fleet.gateways.guest import Guest, Login, clean
from fleet.kit import Kit
from fleet.models import Gateway, HostKey
from tests import factories
from tests.gateway.ssh.sshd import Sshd

pytestmark = [pytest.mark.gateway, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lent(sshd: Sshd) -> Iterator[Login]:
    """The key "other" may run anything on this sshd while the test lasts."""
    keys = sshd.folder / "authorized_keys"
    before = keys.read_text()
    # This sshd lets root in with a forced command only; this one runs what was asked for.
    anything = r'command="eval \"$SSH_ORIGINAL_COMMAND\""'
    keys.write_text(f"{before}{anything} {(sshd.folder / 'other.pub').read_text()}")
    yield Login(getpass.getuser(), key=(sshd.folder / "other").read_text())
    keys.write_text(before)


@pytest.fixture
def ola() -> User:
    return factories.person("ola", ("enrol_gateway",))


@pytest.fixture
def gateway(sshd: Sshd) -> Gateway:
    made = factories.gateway("fra-gw-01")
    made.address, made.port = "127.0.0.1", sshd.port
    made.save()
    kind, key = (sshd.folder / "host.pub").read_text().split()[:2]
    HostKey.objects.filter(gateway=made).update(kind=kind, key=key)
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kit whose program only says what it was asked: nothing is installed on this machine."""
    program = b"import sys\nprint('asked:', *sys.argv[1:])\nsys.exit('no more' if '--adopt' in sys.argv else 0)\n"
    made = kit._packed({"ocgate": program, "config.json": b"{}", "key.pub": b"ssh-ed25519 AAAA us\n", "trust/x": b""})
    monkeypatch.setattr(kit, "kit_of", lambda gateway, adopt: Kit(gateway.name, made))


def who(user: User) -> dict[str, Any]:
    return {"by": user, "actor": Actor("person", user.username, user.pk), "clock": lambda: datetime.now(UTC)}


@pytest.mark.usefixtures("told")
def test_it_installs_and_says_each_line(gateway: Gateway, lent: Login, ola: User) -> None:
    lines = list(guests.install(gateway, lent, adopt=False, **who(ola)))
    asked = "asked: install --user ocgate --key ssh-ed25519 AAAA us --config config.json --trust trust --first first"
    assert asked in lines
    assert lines[-1] == "Done. The login is forgotten."
    verbs = list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))
    assert verbs == ["gateway.installed_begun", "gateway.installed"]


@pytest.mark.usefixtures("told")
def test_what_the_machine_refuses_is_said_and_recorded(gateway: Gateway, lent: Login, ola: User) -> None:
    lines = list(guests.install(gateway, lent, adopt=True, **who(ola)))
    assert "no more" in lines
    assert "ended it with 1: no more" in lines[-1]
    assert AuditEvent.objects.order_by("-seq")[0].verb == "gateway.not_installed"


@pytest.mark.usefixtures("told")
def test_the_login_is_nowhere_afterwards(
    gateway: Gateway, lent: Login, ola: User, caplog: pytest.LogCaptureFixture
) -> None:
    secret = lent.key.splitlines()[2]
    with caplog.at_level(logging.DEBUG):
        lines = list(guests.install(gateway, lent, adopt=False, **who(ola)))
        wrong = Login(lent.user, password="plum-tree-4711")
        lines += list(guests.install(gateway, wrong, adopt=False, **who(ola)))
    said = [*lines, caplog.text, repr(lent), repr(wrong), *AuditEvent.objects.values_list("body", flat=True)]
    assert "does not let" in lines[-1]
    for text in said:
        assert secret not in text
        assert "plum-tree-4711" not in text


def test_another_machine_gets_nothing(sshd: Sshd, lent: Login) -> None:
    with pytest.raises(HostKeyChanged, match="Nothing was sent"):
        Guest(sshd.target(key="other"), lent)


def test_a_key_that_is_none_is_not_quoted(sshd: Sshd) -> None:
    with pytest.raises(GiveUp) as no:
        Guest(sshd.target(), Login("root", key="hunter2"))
    assert "hunter2" not in str(no.value)


def test_without_right_or_login_nobody_connects(gateway: Gateway, lent: Login, ola: User) -> None:
    with pytest.raises(Refused, match="lack the right"):
        guests.install(gateway, lent, adopt=False, **who(factories.person("ines")))
    for login in (Login("", "x"), Login("root; id", "x"), Login("root")):
        with pytest.raises(Refused):
            guests.install(gateway, login, adopt=False, **who(ola))
    with pytest.raises(Refused, match="still in the fleet"):
        guests.uninstall(gateway, lent, cut=False, **who(ola))
    assert not AuditEvent.objects.exists()


def test_what_a_machine_says_is_cleaned() -> None:
    assert clean(b"\x1b[31mred\x07\xe2\x80\xaegpj.exe\xff") == "[31mredgpj.exe\ufffd"
    assert len(clean(b"x" * 10_000)) == 300
