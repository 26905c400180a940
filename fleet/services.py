"""What may be done with gateways: enrol, look, quarantine, pin."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack

from django.db import transaction

from approvals import audit, sql
from approvals.errors import Refused
from approvals.models import Actor
from fleet import gateways, journal, orders, ports
from fleet.errors import GiveUp, RetryLater
from fleet.gateways import answers
from fleet.gateways.answers import GatewayBug
from fleet.gateways.dial import HOST_KEY_TYPES, HostKeyChanged, fingerprint_of
from fleet.gateways.rows import newest
from fleet.models import Gateway, HostKey, Pool

CLOCK_SECONDS = 5.0  # an offset that is worth a sentence
WATCHER = Actor.machine("look")
_ORDERED = sql.Read(lambda: Gateway.objects.all(), ("ordered",))


class Wish(TypedDict):
    """What a gateway shall be enrolled as. `host_keys`: (kind, base64) as in known_hosts; none for a simulated one."""

    name: str
    pool: Pool
    address: str
    port: NotRequired[int]
    host_keys: NotRequired[Sequence[tuple[str, str]]]
    ssh_user: NotRequired[str]
    public_address: NotRequired[str]
    adapter: NotRequired[str]
    failure_domain: NotRequired[str]
    labels: NotRequired[Mapping[str, Any] | None]
    why: NotRequired[str]  # for the record: who compared the host keys where no second person did on a page


def enrol(*, actor: Actor, now: datetime, **wish: Unpack[Wish]) -> Gateway:
    """Enrol a gateway with its host keys pinned; the fields are those of `Wish`. Refused when something is wrong.

    Again with the same wish: nothing happens. With another one the row changes, on the record; host keys do not: `pin`.
    """
    keys = _checked_keys(wish)
    with transaction.atomic():
        gateway, fresh = Gateway.objects.get_or_create(name=wish["name"], defaults=_columns(wish))
        if fresh:
            write_keys(gateway, keys, now=now)
            changed = {**_columns_shown(wish), "host_keys": _fingerprints(keys)}
        else:
            _refuse_other_keys(gateway, keys)
            changed = _update(gateway, wish)
        if changed:
            verb = "gateway.enrolled" if fresh else "gateway.changed"
            details = {"name": gateway.name, **changed}
            audit.append(
                verb, subject=_subject(gateway), actor=actor, at=now, reason=wish.get("why", ""), details=details
            )
    return gateway


def look(gateway: Gateway, *, now: datetime) -> bool:
    """Ask a gateway for its facts and note them; True when it answered. Never raises for what a gateway does."""
    if gateway.state not in Gateway.SPOKEN_TO:
        return False
    rows = Gateway.objects.filter(pk=gateway.pk)
    noted_at = rows.values_list("facts_at", flat=True).get()
    try:
        reached = gateways.open(gateway)
        try:
            facts = reached.facts()
        finally:
            reached.close()
    except HostKeyChanged:
        return False  # the adapter has written it down
    except (RetryLater, GiveUp, GatewayBug) as silence:
        journal.move(gateway, Gateway.State.UNREACHABLE, reason=silence.say, actor=WATCHER, now=now)
        return False
    with transaction.atomic():
        # A step that ended while we asked has noted newer facts than these.
        if rows.select_for_update().filter(facts_at=noted_at).exists():
            note_facts(gateway, facts.raw, now=now)
    return True


def prove(gateway: Gateway, reached: ports.Gateway, *, fence: int, now: datetime) -> None:
    """Ask a gateway what it has seen before it is sent this fence. GiveUp "ahead": it is quarantined now."""
    if ahead := note_facts(gateway, reached.facts().raw, now=now):
        raise GiveUp(ahead, code="ahead")
    orders.may_send(gateway.pk, fence)


def note_facts(gateway: Gateway, raw: Mapping[str, Any], *, now: datetime) -> str:
    """Store an answer of `facts` and what follows from it; a gateway that answers is not unreachable.

    Return why nothing is done there, "" while it is not ahead of this database.
    """
    facts = answers.facts(raw)
    known_first = gateway.facts_at is None
    gateway.release = facts.committed.release if facts.committed else ""
    gateway.sessions = sum(slot.sessions for slot in facts.slots)
    # One statement needs no transaction of its own; a simulated gateway's row is read before it is written.
    with transaction.atomic() if gateway.adapter == Gateway.Adapter.MEMORY else contextlib.nullcontext():
        gateway.facts, gateway.facts_at = newest(gateway, raw), now
        fields = {"facts": gateway.facts, "facts_at": now, "release": gateway.release, "sessions": gateway.sessions}
        sql.update(Gateway, {"id": gateway.pk}, fields)
    sentence = clock_sentence(gateway.name, facts.now - now.timestamp())
    if gateway.state == Gateway.State.ENROLLED and gateway.state_reason != sentence:
        gateway.state_reason = sentence
        # Not a move: it says how an enrolled gateway is, and only while it is one.
        Gateway.objects.filter(pk=gateway.pk, state=Gateway.State.ENROLLED).update(state_reason=sentence)
    ahead = "" if known_first else ahead_say(gateway, facts.fence)
    if known_first:
        take_over(gateway, facts.fence)
    if ahead:
        orders.forget(gateway.pk)
        journal.quarantine(gateway, reason=ahead, actor=WATCHER, now=now)
    else:
        orders.seen(gateway.pk, now)
    journal.move(gateway, Gateway.State.ENROLLED, reason=f"{gateway.name} answers again.", actor=WATCHER, now=now)
    return ahead


def take_over(gateway: Gateway, fence: int) -> None:
    """Our orders go on after those that it has seen."""
    Gateway.objects.filter(pk=gateway.pk, fence__lt=fence).update(fence=fence)
    Gateway.objects.filter(pk=gateway.pk, ordered__lt=fence).update(ordered=fence)


def ahead_say(gateway: Gateway, fence: int) -> str:
    """Why a gateway that has seen this fence is not to be spoken to; "" while we know of it.

    Each of our fences is in `ordered` before the gateway sees it, so a higher one was given by somebody whom this
    database has forgotten. Read after the gateway has answered.
    """
    (known,) = _ORDERED.get(gateway.pk)
    if fence <= known:
        return ""
    return (
        f"{gateway.name} has seen orders up to {fence}, and this database knows {known}: was it restored from a backup?"
        " Nothing is done there on old plans. Look at it, then ask on its page to believe it."
    )


def orders_ahead(gateway: Gateway) -> int:
    """The number up to which a quarantined gateway has seen orders that this database does not know; 0: none."""
    seen = int((gateway.facts or {}).get("fence", 0))
    return seen if gateway.state == Gateway.State.QUARANTINED and seen > gateway.ordered else 0


def believe_next(gateway: Gateway, *, actor: Actor, now: datetime, why: str) -> None:
    """Its next answer is taken as the first one was, whatever we knew. Inside a transaction; nobody is asked here."""
    journal.release(gateway, reason=why, actor=actor, now=now)
    gateway.facts_at = None
    Gateway.objects.filter(pk=gateway.pk).update(facts_at=None)


def believe(gateway: Gateway, *, actor: Actor, now: datetime, why: str) -> bool:
    """A person says that what the gateway says is true and what we knew is old; False when it does not answer."""
    known_at, gateway.facts_at = gateway.facts_at, None  # as one that was never looked at
    journal.release(gateway, reason=why, actor=actor, now=now)
    answered = look(gateway, now=now)
    gateway.facts_at = gateway.facts_at or known_at
    return answered


def clock_sentence(name: str, offset: float) -> str:
    """What to say about a gateway's clock, "" within CLOCK_SECONDS of ours. `offset`: theirs minus ours, seconds."""
    if abs(offset) <= CLOCK_SECONDS:
        return ""
    way = "ahead of" if offset > 0 else "behind"
    return (
        f"The clock of {name} is {abs(offset):.0f} s {way} ours. Trials are counted in seconds from now and are not"
        " affected; times in its logs are. Check its time service."
    )


def quarantine(
    gateway: Gateway, *, reason: str, actor: Actor, now: datetime, seen: Sequence[tuple[str, str]] = ()
) -> bool:
    """Nobody talks to this gateway until a person has looked; True when it was not so before."""
    return journal.quarantine(gateway, reason=reason, seen=seen, actor=actor, now=now)


def pin(gateway: Gateway, *, host_keys: Sequence[tuple[str, str]], actor: Actor, now: datetime, why: str = "") -> None:
    """A person has compared the fingerprints: these are the gateway's host keys now, and it is talked to again."""
    keys = checked_pairs(gateway.name, host_keys)
    with transaction.atomic():
        before = _fingerprints(dict(gateway.host_keys.values_list("kind", "key")))
        write_keys(gateway, keys, now=now)
        Gateway.objects.filter(pk=gateway.pk).update(seen_keys=[])
        details = {"before": before, "after": _fingerprints(keys)}
        audit.append("gateway.pinned", subject=_subject(gateway), actor=actor, at=now, reason=why, details=details)
    journal.release(gateway, reason="its host keys were compared and pinned anew", actor=actor, now=now)


def _checked_keys(wish: Wish) -> dict[str, str]:
    if wish.get("adapter") == Gateway.Adapter.MEMORY:
        return {}
    if not 1 <= wish.get("port", 22) <= 65535:
        raise Refused(f"{wish.get('port')} is no port.")
    return checked_pairs(wish["name"], wish.get("host_keys", ()))


def checked_pairs(name: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the keys by kind, as they are to be pinned; Refused where none of them can be used."""
    keys = dict(pairs)
    usable = [kind for kind in keys if kind in HOST_KEY_TYPES]
    if not usable:
        kinds = " or ".join(HOST_KEY_TYPES)
        raise Refused(f"{name} needs a host key of kind {kinds}. Its /etc/ssh/ssh_host_ed25519_key.pub holds one.")
    for kind, key in keys.items():
        try:
            shown = base64.b64decode(key, validate=True)
        except binascii.Error:
            shown = b""
        if shown[4 : 4 + len(kind)] != kind.encode():
            raise Refused(f"The {kind} host key given for {name} is not one.")
    return keys


def write_keys(gateway: Gateway, keys: Mapping[str, str], *, now: datetime) -> None:
    """Pin these keys and no others."""
    gateway.host_keys.all().delete()
    HostKey.objects.bulk_create(
        HostKey(gateway=gateway, kind=kind, key=key, pinned_at=now) for kind, key in keys.items()
    )


def _refuse_other_keys(gateway: Gateway, keys: Mapping[str, str]) -> None:
    if keys != dict(gateway.host_keys.values_list("kind", "key")):
        raise Refused(
            f"{gateway.name} is enrolled with other host keys. If a person has compared the new ones on its console:"
            " its page proposes to pin them."
        )


def _update(gateway: Gateway, wish: Wish) -> dict[str, Any]:
    """Write the columns that differ; return before and after of each."""
    columns = _columns(wish)
    differ = {name: value for name, value in columns.items() if getattr(gateway, name) != value}
    changed = {
        name: {"before": _shown(getattr(gateway, name)), "after": _shown(value)} for name, value in differ.items()
    }
    for name, value in differ.items():
        setattr(gateway, name, value)
    if differ:
        gateway.save(update_fields=list(differ))
    return changed


def _columns(wish: Wish) -> dict[str, Any]:
    return {
        "pool": wish["pool"],
        "address": wish["address"],
        "port": wish.get("port", 22),
        "ssh_user": wish.get("ssh_user", "ocgate"),
        "public_address": wish.get("public_address", ""),
        "adapter": wish.get("adapter", Gateway.Adapter.SSH),
        "failure_domain": wish.get("failure_domain", ""),
        "labels": dict(wish.get("labels") or {}),
    }


def _columns_shown(wish: Wish) -> dict[str, Any]:
    return {name: _shown(value) for name, value in _columns(wish).items()}


def _shown(value: Any) -> Any:
    return value.name if isinstance(value, Pool) else value


def _fingerprints(keys: Mapping[str, str]) -> dict[str, str]:
    return {kind: fingerprint_of(key) for kind, key in sorted(keys.items())}


def _subject(gateway: Gateway) -> str:
    return f"gateway:{gateway.pk}"
