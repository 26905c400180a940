"""What a probe means, from what its host found and what the gateway itself says at the time. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    OK = "ok"
    FORM = "form"  # as far as a program can come: the sign-in form
    BANNED = "banned"  # the gateway has our address on its ban list: nothing is known of users
    REFUSED = "refused"
    MORE = "more"  # it asks for more than a password
    HIDDEN = "hidden"  # a camouflaged gateway that shows nothing to who has not its secret
    CERTIFICATE = "certificate"
    DOWN = "down"  # no TCP
    CLOSED = "closed"  # TCP, then nothing: no TLS
    LATE = "late"
    SILENT = "silent"  # the tunnel stands and carries nothing
    NO_FETCH = "no_fetch"
    FAILED = "failed"
    HOST = "host"  # the probe host's own fault


GOOD = frozenset({Outcome.OK, Outcome.FORM})
NO_EVIDENCE = frozenset({Outcome.BANNED, Outcome.HOST, Outcome.MORE, Outcome.HIDDEN})
"""Neither a success nor a failure of the gateway."""
STAGES = {
    "connect": "TCP",
    "tls": "the TLS handshake",
    "form": "the sign-in form",
    "password": "user name and password",  # nosec B105 # a stage's name
    "tunnel": "the tunnel",
    "traffic": "traffic through the tunnel",
}


@dataclass(frozen=True)
class Inside:
    """What the gateway's own ocgate said lately. `answers`: its ocserv does, seen from the machine itself."""

    answers: bool = False
    banned: bool = False  # one of our probe hosts is on its ban list


@dataclass(frozen=True)
class Meaning:
    outcome: Outcome
    say: str


def meaning(found: Mapping[str, Any], inside: Inside, *, host: str, gateway: str) -> Meaning:
    """Return the outcome and its sentence; `found` is one `probed` of probegate.

    A banned client is cut off before TLS, or told 401 or 403: a gateway that is down says the same, or nothing. It is a
    ban where the gateway says so, or where its ocserv answers on the machine itself and has closed our connection.
    """
    outcome = _named(found.get("outcome"))
    if outcome in (Outcome.CLOSED, Outcome.BANNED):
        outcome = Outcome.BANNED if inside.banned or inside.answers else Outcome.CLOSED
    return Meaning(outcome, _said(outcome, found, inside, host=host, gateway=gateway))


def slot_of(address: str, config: Mapping[str, Any], running: Mapping[int, str]) -> tuple[int, str]:
    """Which slot and release gave this tunnel address: each slot has a pool of its own. (0, "") where nobody knows.

    `running`: slot → release, as the gateway last said.
    """
    try:
        inner = ipaddress.IPv4Address(address)
    except ValueError:
        return 0, ""
    for number, slot in dict(config.get("slots", {})).items():
        if inner in ipaddress.IPv4Network(str(slot["pool4"])):
            return int(number), running.get(int(number), "")
    if not config.get("slots") and len(running) == 1:
        return next(iter(running.items()))
    return 0, ""


def _named(given: object) -> Outcome:
    try:
        return Outcome(str(given))
    except ValueError:
        return Outcome.HOST


def _said(outcome: Outcome, found: Mapping[str, Any], inside: Inside, *, host: str, gateway: str) -> str:
    why = str(found.get("why") or "")[:300].rstrip(".")
    because = f": {why}." if why else "."
    match outcome:
        case Outcome.OK:
            return f"{host} signed in and sent traffic through the tunnel."
        case Outcome.FORM:
            return f"{host} got the sign-in form; without a probe account it goes no further."
        case Outcome.BANNED:
            known = "its ban list says so" if inside.banned else "its ocserv answers on the machine itself"
            return f"{gateway} has banned {host} ({known}): this says nothing about users. It is left alone for 5 min."
        case Outcome.MORE:
            return f"{gateway} asks {host} for more than a password: take its probe account away to end at the form."
        case Outcome.HIDDEN:
            way_on = f"Give it what stands in its ocserv.conf: manage.py probehost camouflage {gateway}."
            return f"{gateway} hides from {host}{because} {way_on}"
        case Outcome.HOST:
            return f"{host} could not probe{because}"
        case Outcome.SILENT | Outcome.NO_FETCH:
            return f"{host} signed in at {gateway}, but the tunnel carries nothing{because}"
        case _:
            stage = STAGES.get(str(found.get("stage")), "the start")
            return f"{host} failed at {stage}{because}"
