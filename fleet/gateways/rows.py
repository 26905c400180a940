"""From a gateway's row to its adapter: pinned keys, the sealed private key, the simulated state."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import paramiko
from django.utils import timezone

from approvals.models import Actor
from fleet import journal, ports, sealed
from fleet.errors import GiveUp
from fleet.gateways.dial import HostKeyChanged, Target, private_key
from fleet.gateways.kept import KEEPER, Loan
from fleet.gateways.machine import Machine
from fleet.gateways.memory import MemoryFleet
from fleet.gateways.simulated_facts import raw_facts
from fleet.gateways.ssh import SshGateway
from fleet.models import Gateway

log = logging.getLogger(__name__)

SSH_KEY = "ssh-key"  # the credential's name
FLEET = MemoryFleet(pace=2.0)  # what `script/demo --simulated` runs on


def open(gateway: Gateway) -> ports.Gateway:
    """Return the adapter for a row. It connects at the first question; close() gives a kept connection back.

    GiveUp for a gateway in quarantine: nobody talks to it until a person has looked.
    """
    if gateway.state == Gateway.State.QUARANTINED:
        raise HostKeyChanged(f"{gateway.name} is in quarantine. {gateway.state_reason}")
    if gateway.adapter == Gateway.Adapter.MEMORY:
        return _simulated(gateway)

    def on_changed(changed: HostKeyChanged) -> None:
        journal.quarantine(gateway, reason=changed.say, actor=Actor.machine("ssh"), now=timezone.now())

    return SshGateway(Loan(KEEPER, target_of(gateway), key=_key, on_changed=on_changed))


def close_all() -> None:
    """Close every kept connection and forget the simulated gateways."""
    KEEPER.close_all()
    FLEET.clear()


def newest(gateway: Gateway, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The facts to store. What a simulated gateway did since it answered must not be forgotten again."""
    if gateway.adapter != Gateway.Adapter.MEMORY or not FLEET.knows(gateway.name):
        return dict(raw)
    return {**raw, "simulation": FLEET.open(gateway.name).dump()}


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


def _simulated(gateway: Gateway) -> ports.Gateway:
    """The gateway in this process's memory, or as another process left it in the row."""
    pk = gateway.pk

    def keep(machine: Machine, now: float) -> None:
        Gateway.objects.filter(pk=pk).update(facts=raw_facts(machine, now))

    simulate: dict[str, Any] = gateway.labels.get("simulate", {})
    FLEET.revive(gateway.name, gateway.facts.get("simulation", {}), simulate=simulate, keep=keep)
    return FLEET.open(gateway.name)
