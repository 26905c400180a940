"""Secrets are planted, a whole day is lived, and then everything that was written down is searched for them."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings

from approvals.models import Actor, AuditEvent
from fleet import gateways, guests, sealed, services, sshca
from fleet.errors import Unfinished
from fleet.gateways.dial import public_line
from fleet.gateways.guest import Login
from fleet.gateways.holdings import CONF
from fleet.gateways.rows import target_of
from fleet.models import Credential, Gateway
from tests import factories
from tests.db.upgrader.world import Fleet
from upgrader import hint
from upgrader.celery import app

PROBE, CAMOUFLAGE, LENT = "plum-tree-4711-probe", "plum-tree-4711-camouflage", "plum-tree-4711-lent"


SECRET_CONF = f'camouflage = true\ncamouflage_secret = "{CAMOUFLAGE}"\n'
REAL_HINT = hint.send  # the fleet's fixture replaces it


@pytest.fixture
def messages(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every message that would go to the broker."""
    sent: list[str] = []
    monkeypatch.setattr(hint, "send", REAL_HINT)
    monkeypatch.setattr(app, "send_task", lambda *args, **kwargs: sent.append(repr((args, kwargs))))
    return sent


def planted() -> dict[str, list[bytes]]:
    """Name → the forms in which a secret could stand somewhere."""
    plain = {"probe": PROBE.encode(), "camouflage": CAMOUFLAGE.encode(), "lent login": LENT.encode()}
    forms = {name: [text, base64.b64encode(text), text.hex().encode()] for name, text in plain.items()}
    for name in ("ssh-key", "ssh-ca"):
        forms[name] = sealed.unseal(name).splitlines()[2:-1]
    return forms


def written_down() -> Iterator[tuple[str, bytes]]:
    """Every column of every row of every table, and every file of the snapshots."""
    for model in apps.get_models():
        for row in model._default_manager.all():
            for field in model._meta.concrete_fields:
                value = getattr(row, field.attname)
                data = bytes(value) if isinstance(value, bytes | memoryview) else _text(value)
                yield f"{model.__name__}.{field.name} of {row.pk}", data
    for path in Path(settings.SNAPSHOTS).rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def _text(value: Any) -> bytes:
    said = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return said.encode()


def live_a_day(fleet: Fleet) -> None:
    """A rollout that fails its probes and comes back, a look at each gateway, a login that is refused, a rotation."""
    fleet.agreed(CONF + SECRET_CONF)
    for name, gateway in fleet.machines.items():
        sealed.seal(f"probe:{name}", f"probe\n{PROBE}".encode())
        gateway.machine.holdings.conf += SECRET_CONF
        gateway.machine.holdings.agreed = gateway.machine.holdings.conf
        gateway.faults.bad_logins_after[fleet.release.name] = 3
    fleet.until(fleet.started(), "rolled_back", seconds=90)
    for row in Gateway.objects.all():
        services.note_facts(row, fleet.machines[row.name].facts().raw, now=fleet.now())
        hint.send("upgrader.tasks.look_at", row.pk)
    ola = factories.person("ola", ("enrol_gateway",), on=fleet.pool)
    lend(Gateway.objects.all()[0], ola)
    broken_key()


def lend(row: Gateway, ola: Any) -> None:
    """Nobody answers there: the login fails, and that is written down."""
    Gateway.objects.filter(pk=row.pk).update(address="127.0.0.1", port=1, adapter="ssh")
    row.refresh_from_db()
    services.pin(row, host_keys=[("ssh-ed25519", KEY)], actor=Actor.machine("test"), now=datetime.now(UTC))
    row.state = Gateway.State.LEFT
    who: dict[str, Any] = {"by": ola, "actor": Actor("person", "ola", ola.pk), "clock": lambda: datetime.now(UTC)}
    target = target_of(row)
    work = guests.Work(row, target, Login("root", password=LENT), "uninstalled", who["actor"])
    list(guests._told(work, lambda guest: guest.as_root("true"), clock=who["clock"]))
    with pytest.raises(Unfinished):
        gateways.open(Gateway.objects.get(pk=row.pk)).facts()


def broken_key() -> None:
    """A key that can't be read is an error message too."""
    row = Credential.objects.get(name="ssh-key")
    whole = sealed.unseal("ssh-key")
    sealed.seal("ssh-key", whole[:-100])
    with pytest.raises(Unfinished):
        public_line(sealed.unseal("ssh-key"))
    sealed.seal("ssh-key", whole)
    assert str(row) == "ssh-key"


KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def test_no_planted_secret_is_written_anywhere(
    fleet: Fleet, messages: list[str], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    sealed.seal("ssh-key", sshca.make())
    sealed.seal("ssh-ca", sshca.make())
    with caplog.at_level(logging.DEBUG):
        live_a_day(fleet)
    out, err = capfd.readouterr()
    places = [*written_down(), ("the log", caplog.text.encode()), ("the broker", "".join(messages).encode())]
    places += [("standard output", out.encode()), ("standard error", err.encode())]
    found = [
        f"{name} in {place}"
        for name, forms in planted().items()
        for place, data in places
        for form in forms
        if form in data
    ]
    assert found == []
    assert messages
    assert AuditEvent.objects.filter(verb="gateway.not_uninstalled").exists()


def test_the_search_finds_what_is_there(fleet: Fleet) -> None:
    Gateway.objects.filter(name="gw-1").update(state_reason=f"the password {PROBE} was refused")
    assert any(PROBE.encode() in data for _, data in written_down())
