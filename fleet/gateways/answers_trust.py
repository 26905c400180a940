"""JSON of the verbs about trust and inventory → dataclasses. Pure; as strict as answers.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.gateways.answers import GatewayBug, Json, count, flat, need, rows
from fleet.inventory import ConfFile, HeldRelease, Inventory, Login, Pinned, PinnedCa, SlotProgram
from fleet.ports import Authorized, Trusted, Upgraded


def inventory(raw: Json) -> Inventory:
    """The answer of `inventory`."""
    program = need(raw, "ocgate")
    at = need(raw, "at")
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise GatewayBug(f"The gateway's at is {at!r:.80}, not a number.", code="bad_answer")
    return Inventory(
        at=float(at),
        ocgate_version=str(need(program, "version")),
        ocgate_sha256=str(need(program, "sha256")),
        trust=_pinned(need(raw, "trust")),
        conf=flat(ConfFile, need(raw, "conf")),
        releases=tuple(flat(HeldRelease, row) for row in rows(raw, "releases")),
        slots=tuple(flat(SlotProgram, row) for row in rows(raw, "slots")),
        authorized_keys_sha256=str(need(raw, "authorized_keys_sha256")),
        counter=count(raw, "counter"),
        logins=tuple(_login(row) for row in rows(raw, "logins")),
        raw=raw,
    )


def trusted(raw: Json) -> Trusted:
    return flat(Trusted, raw)


def upgraded(raw: Json) -> Upgraded:
    return flat(Upgraded, raw)


def authorized(raw: Json) -> Authorized:
    return flat(Authorized, raw)


def _pinned(raw: Any) -> Pinned:
    return Pinned(
        serial=count(raw, "serial"),
        sha256=str(need(raw, "sha256")),
        threshold=count(raw, "threshold"),
        signers=tuple(str(value) for value in rows(raw, "signers")),
        cas=tuple(flat(PinnedCa, row) for row in rows(raw, "cas")),
        approvers=tuple(str(value) for value in rows(raw, "approvers")),
    )


def _login(raw: Any) -> Login:
    if not isinstance(raw, Mapping):
        raise GatewayBug(f"Where a login belongs, the gateway said {raw!r:.80}.", code="bad_answer")
    return flat(Login, {**raw, "remote": need(raw, "from")})
