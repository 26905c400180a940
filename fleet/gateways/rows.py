"""From a gateway's row to its adapter: pinned keys, the sealed private key, the simulated state."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import paramiko
from django.db import transaction
from django.utils import timezone

from approvals.models import Actor
from fleet import journal, ports, sealed, sshca
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.dial import HostKeyChanged, Target, private_key
from fleet.gateways.kept import KEEPER, Loan
from fleet.gateways.machine import Machine
from fleet.gateways.memory import as_wished
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.simulated_base import World
from fleet.gateways.simulated_facts import raw_facts
from fleet.gateways.ssh import SshGateway
from fleet.models import Gateway

log = logging.getLogger(__name__)

SSH_KEY = "ssh-key"  # the credential's name
PACE = 2.0  # seconds that staging takes on a simulated gateway whose labels don't say


def open(gateway: Gateway) -> ports.Gateway:
    """Return the adapter for a row. It connects at the first question; close() gives a kept connection back.

    GiveUp for a gateway that is not spoken to: in quarantine, not confirmed yet, or gone.
    """
    refuse_silent(gateway)
    if gateway.adapter == Gateway.Adapter.MEMORY:
        return _simulated(gateway)

    def on_changed(changed: HostKeyChanged) -> None:
        seen, now = changed.shown, timezone.now()
        journal.quarantine(gateway, reason=changed.say, seen=seen, actor=Actor.machine("ssh"), now=now)

    key = partial(_certified, gateway.name) if gateway.ssh_ca else _key
    return SshGateway(Loan(KEEPER, target_of(gateway), key=key, on_changed=on_changed))


def refuse_silent(gateway: Gateway) -> None:
    """GiveUp for a gateway that is not spoken to."""
    match gateway.state:
        case Gateway.State.QUARANTINED:
            raise HostKeyChanged(f"{gateway.name} is in quarantine. {gateway.state_reason}")
        case Gateway.State.PROPOSED:
            raise GiveUp(f"{gateway.name} waits for a second person to confirm its host keys.", code="not_enrolled")
        case Gateway.State.LEFT:
            raise GiveUp(f"{gateway.name} has left the fleet.", code="not_enrolled")


def close_all() -> None:
    """Close every kept connection."""
    KEEPER.close_all()


def newest(gateway: Gateway, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The facts to store; call it in the transaction that does. What a simulated gateway did since it answered stays.

    Its state lives in the row, so the row is locked here until that transaction ends.
    """
    if gateway.adapter != Gateway.Adapter.MEMORY:
        return dict(raw)
    kept = locked_facts(gateway.pk).get("simulation")
    return {**raw, "simulation": kept} if kept else dict(raw)


def target_of(gateway: Gateway) -> Target:
    """Where the gateway is and who it must be."""
    keys = tuple(sorted(gateway.host_keys.values_list("kind", "key")))
    return Target(gateway.name, gateway.address, gateway.port, gateway.ssh_user, keys)


def _key() -> paramiko.PKey:
    secret = sealed.unseal_or_none(SSH_KEY)
    if secret is None:
        raise GiveUp(
            'There is no credential "ssh-key". Add the private key: manage.py gateway key FILE.', code="no_ssh_key"
        )
    return private_key(secret)


def _certified(name: str) -> paramiko.PKey:
    return sshca.key_for(name, now=timezone.now())


def _simulated(gateway: Gateway) -> ports.Gateway:
    """The gateway whose whole state is in its row: every process that opens it meets the same one."""
    wish: dict[str, Any] = gateway.labels.get("simulate", {})
    world = World(pace=float(wish.get("pace", PACE)))
    machine = as_wished(gateway.name, wish, at=world.clock())
    return MemoryGateway(machine, world=world, hold=partial(in_row, gateway.pk))


@contextmanager
def in_row(pk: int, machine: Machine, changes: bool) -> Iterator[None]:
    """Bring the state from the row; what a question changes is there with its counters, or not at all.

    Users come and go by the clock alone, so a question that only reads need not write.
    """
    if not changes:
        state = Gateway.objects.values_list("facts", flat=True).get(pk=pk).get("simulation")
        if state:
            machine.load(state)
            yield
            return
    said: GiveUp | RetryLater | None = None
    with transaction.atomic():
        if state := locked_facts(pk).get("simulation"):
            machine.load(state)
        try:
            yield
        except (GiveUp, RetryLater) as no:
            said = no  # a refusal, or a lost answer, undoes nothing on a real gateway either
        Gateway.objects.filter(pk=pk).update(facts=raw_facts(machine, time.time()))
    if said:
        raise said


def locked_facts(pk: int) -> dict[str, Any]:
    """The row's facts, nobody else's until the transaction ends."""
    facts: dict[str, Any] = Gateway.objects.select_for_update().values_list("facts", flat=True).get(pk=pk)
    return facts


@contextmanager
def tampering(gateway: Gateway) -> Iterator[Machine]:
    """The machine behind a simulated row, to be changed as somebody at its host would: for tests and the demo."""
    machine = as_wished(gateway.name, gateway.labels.get("simulate", {}), at=time.time())
    with in_row(gateway.pk, machine, True):
        yield machine
