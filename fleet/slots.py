"""A gateway and its slots as pages show them: made from the gateway's last answer of `facts`. Pure but for the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet import words
from fleet.models import Gateway
from fleet.phrases import ago, count, duration, listed, sentence
from fleet.words import Word

STALE = timedelta(minutes=2)  # facts are asked for each 10 s


@dataclass(frozen=True)
class SlotView:
    slot: int
    word: Word
    state: str
    release: str
    sessions: int
    weight: int
    committed: bool
    since: datetime | None
    restarts: int


@dataclass(frozen=True)
class GatewayView:
    row: Gateway
    word: Word
    say: str
    slots: tuple[SlotView, ...]
    facts_ago: str
    disk: str
    clock: str
    conf_changed: bool
    events: tuple[Mapping[str, Any], ...]

    @property
    def used(self) -> tuple[SlotView, ...]:
        """Slots that run something, the committed one first."""
        return tuple(sorted((s for s in self.slots if s.release and s.state != "idle"), key=lambda s: not s.committed))

    @property
    def sessions(self) -> int:
        return sum(slot.sessions for slot in self.slots)

    @property
    def serving(self) -> int:
        """Sessions on the newest slot that is not draining: the green part of the bar."""
        running = [slot for slot in self.used if slot.state != "draining"]
        newest = max(running, key=lambda slot: slot.since or datetime.min.replace(tzinfo=UTC), default=None)
        return newest.sessions if newest else 0

    @property
    def draining(self) -> int:
        """Sessions on all other slots: the grey part."""
        return self.sessions - self.serving

    @property
    def label(self) -> str:
        """The bar in words."""
        said = [f"{count(slot.sessions, 'session')} on {slot.release} in slot {slot.slot}" for slot in self.used]
        return ", ".join(said) or "no slot runs"


def slot_views(facts: Mapping[str, Any]) -> tuple[SlotView, ...]:
    """Return the slots of one `facts` answer; missing fields read as nothing, since old gateways say less."""
    committed = (facts.get("committed") or {}).get("slot")
    return tuple(
        SlotView(
            slot=int(slot.get("slot", 0)),
            word=words.SLOT.get(str(slot.get("state")), words.UNKNOWN),
            state=str(slot.get("state", "")),
            release=str(slot.get("release", "")),
            sessions=int(slot.get("sessions") or 0),
            weight=int(slot.get("weight") or 0),
            committed=slot.get("slot") == committed,
            since=datetime.fromtimestamp(slot["since"], UTC) if slot.get("since") else None,
            restarts=int(slot.get("restarts") or 0),
        )
        for slot in facts.get("slots", ())
    )


def view_of(gateway: Gateway, now: datetime) -> GatewayView:
    """Return the gateway as pages show it."""
    facts = gateway.facts or {}
    slots = slot_views(facts)
    word = words.GATEWAY.get(gateway.state, words.UNKNOWN)
    if not gateway.facts_at and gateway.state == Gateway.State.ENROLLED:
        word = Word("Not looked at yet", "planned", "hourglass")
    free = (facts.get("disk") or {}).get("free")
    return GatewayView(
        row=gateway,
        word=word,
        say=_say(gateway, slots, now),
        slots=slots,
        facts_ago=ago(gateway.facts_at, now) if gateway.facts_at else "never",
        disk=f"{free / 1e9:.1f} GB" if isinstance(free, int | float) else "",
        clock=_clock_offset(gateway, facts),
        conf_changed=bool((facts.get("conf") or {}).get("changed")),
        events=tuple((facts.get("keep") or {}).get("events", ())[-10:]),
    )


def _say(gateway: Gateway, slots: tuple[SlotView, ...], now: datetime) -> str:
    """One sentence: how it is and, if not well, what to do."""
    match gateway.state:
        case Gateway.State.UNREACHABLE:
            last = f"It last answered {ago(gateway.facts_at, now)}." if gateway.facts_at else "It never answered."
            return f"No answer. {sentence(gateway.state_reason)} {last} It is asked again by itself; its users stay."
        case Gateway.State.QUARANTINED:
            return f"{sentence(gateway.state_reason)} Nobody talks to it until a person has compared its host key."
        case Gateway.State.PROPOSED:
            return "A second person compares its host keys and confirms it. Until then nobody talks to it."
        case Gateway.State.LEFT:
            return f"{sentence(gateway.state_reason)} It has left the fleet. Its row stays for the record."
        case _ if not gateway.facts_at:
            return "It is enrolled and has not been asked yet."
        case _:
            users = sum(slot.sessions for slot in slots)
            old = "" if now - gateway.facts_at < STALE else " These facts are old: is the worker running?"
            return f"{count(users, 'user')}; new ones go to {_where_to(slots)}.{old}"


def _where_to(slots: tuple[SlotView, ...]) -> str:
    """The slots that take new users, with their shares when there are several."""
    takers = [slot for slot in slots if slot.weight]
    if len(takers) == 1:
        return f"{takers[0].release} in slot {takers[0].slot}"
    return listed([f"{slot.release} in slot {slot.slot} ({slot.weight} %)" for slot in takers]) or "no slot"


def _clock_offset(gateway: Gateway, facts: Mapping[str, Any]) -> str:
    """How far the gateway's clock was from ours when it was asked; "" when it is within 2 s or unknown."""
    if not gateway.facts_at or not isinstance(facts.get("now"), int | float):
        return ""
    offset = facts["now"] - gateway.facts_at.timestamp()
    return f"{duration(abs(offset))} {'ahead' if offset > 0 else 'behind'}" if abs(offset) > 2 else ""
