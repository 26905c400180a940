"""From a probe host's row to probegate on it: pinned host key, the sealed private key or a certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import paramiko
from django.utils import timezone

from fleet import sealed, sshca
from fleet.errors import GiveUp
from fleet.gateways.dial import ConnectionLost, HostKeyChanged, Target, private_key
from fleet.gateways.kept import KEEPER, Loan
from fleet.gateways.session import Question
from fleet.models import ProbeHost
from fleet.probes import journal

PROBE_KEY = "probe-key"
"""The credential's name. Not the gateways' key: a probe host stands in places that are trusted least."""
COMMAND = "sudo -n /usr/lib/probegate/probegate serve"
AT_ONCE = 4  # probegate's own
SECONDS = 25  # that one probe may take
MOST = 32  # in one request


class Prober(Protocol):
    """What a round needs of a host."""

    def probe(self, wishes: Sequence[Mapping[str, Any]], *, seen: Callable[[Mapping[str, Any]], None]) -> None: ...
    def close(self) -> None: ...


class ProbeDoor:
    """One probe host over its kept connection."""

    def __init__(self, loan: Loan) -> None:
        self._loan = loan

    def hello(self) -> Mapping[str, Any]:
        """{"probegate": version, "now": epoch seconds, "missing": [programs]}"""
        return self._ask(Question("hello", seconds=10))

    def probe(self, wishes: Sequence[Mapping[str, Any]], *, seen: Callable[[Mapping[str, Any]], None]) -> None:
        """Probe these gateways; `seen` gets each result when it is there. RetryLater, GiveUp as ever."""

        def one(message: Mapping[str, Any]) -> None:
            if isinstance(found := message.get("probed"), Mapping):
                seen(found)

        seconds = SECONDS * -(-len(wishes) // AT_ONCE) + 15
        args = {"probes": [dict(wish) for wish in wishes], "seconds": SECONDS}
        self._ask(Question("probe", args, seconds=seconds), on_progress=one)

    def close(self) -> None:
        self._loan.give_back()

    def _ask(
        self, question: Question, *, on_progress: Callable[[Mapping[str, Any]], None] = lambda _: None
    ) -> Mapping[str, Any]:
        session, fresh = self._loan.take()
        try:
            return session.ask(question, on_progress=on_progress)
        except ConnectionLost:
            # A second sign-in costs points of the ban: only one that can't have begun is asked for again.
            if fresh or question.verb == "probe":
                raise
        time.sleep(0.05)
        session, _ = self._loan.take()
        return session.ask(question, on_progress=on_progress)


def open(host: ProbeHost) -> ProbeDoor:
    """Return the door. It connects at the first question; close() gives the kept connection back."""
    if host.shut:
        raise HostKeyChanged(f"{host.name} is shut. {host.shut}")
    return ProbeDoor(Loan(KEEPER, target_of(host), key=partial(_key, host), on_changed=partial(_changed, host)))


def target_of(host: ProbeHost) -> Target:
    return Target(host.name, host.address, host.port, host.ssh_user, ((host.key_kind, host.key),))


def _changed(host: ProbeHost, changed: HostKeyChanged) -> None:
    journal.shut(host, reason=changed.say, now=timezone.now())


def _key(host: ProbeHost) -> paramiko.PKey:
    if host.ssh_ca:
        return sshca.key_for(host.name, now=timezone.now(), command=COMMAND)
    secret = sealed.unseal_or_none(PROBE_KEY)
    if secret is None:
        raise GiveUp(f'There is no credential "{PROBE_KEY}". Make one: manage.py probehost key.', code="no_ssh_key")
    return private_key(secret, name=f'The credential "{PROBE_KEY}"')
