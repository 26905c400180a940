"""Which buttons a person has on a rollout, what each one does, and why one is not to be had. Pure.

Made from ACTION_STATES and ACTION_PERMISSION: pages and the API read this, the services check it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fleet.phrases import clock, count
from upgrader import words
from upgrader.picture import Picture
from upgrader.states import ACTION_STATES, R, W

Tone = Literal["go", "back", "plain"]

WHO: dict[str, str] = {
    "submit": "somebody who may plan rollouts",
    "approve": "somebody who may approve",
    "reject": "somebody who may approve",
    "promote": "somebody who may promote",
    "hold": "somebody who may hold",
    "resume": "somebody who may hold",
    "roll_back": "somebody who may roll back",
}
TONES: dict[str, Tone] = {"submit": "go", "approve": "go", "promote": "go", "reject": "back", "roll_back": "back"}
DECISIONS = frozenset({"approve", "reject", "roll_back"})
"""These have a page of their own: they name their effect and take a reason."""


@dataclass(frozen=True)
class Offer:
    """One thing that could be done. `reason` says why not; it is empty when it can be done now."""

    action: str
    label: str
    effect: str
    reason: str
    tone: Tone
    shown: bool  # on the page; the API lists all of them
    decision: bool  # has a page of its own
    needs_reason: bool

    @property
    def enabled(self) -> bool:
        return not self.reason

    @property
    def path(self) -> str:
        return self.action.replace("_", "-")


def offers(seen: Picture, now: datetime) -> list[Offer]:
    """Return every action with its label, its effect and the reason why not, the recommended one last."""
    order = ("reject", "hold", "resume", "roll_back", "submit", "approve", "promote")
    return [
        Offer(
            action=action,
            label=LABELS[action](seen),
            effect=EFFECTS[action](seen),
            reason=why_not(seen, action, now),
            tone=TONES.get(action, "plain"),
            shown=visible(seen, action),
            decision=action in DECISIONS or (action == "promote" and no_pass(seen)),
            needs_reason=action in ("reject", "roll_back")
            or (action == "promote" and no_pass(seen))
            or (action == "approve" and bool(seen.downgrade)),
        )
        for action in order
    ]


def visible(seen: Picture, action: str) -> bool:
    """On the page: what the state allows and has an object, and a promotion that will be asked for."""
    if action == "roll_back" and not seen.touched:
        return False
    return seen.state in ACTION_STATES[action] or (action == "promote" and soon(seen))


def why_not(seen: Picture, action: str, now: datetime) -> str:
    """Return why the one who looks cannot do it now, or "" if he can."""
    if seen.state not in ACTION_STATES[action]:
        if action == "promote" and soon(seen):
            return when_promotable(seen, now)
        return f"not while it is: {words.ROLLOUT[seen.state].say.lower()}"
    if action == "roll_back" and not seen.touched:
        return "no gateway carries this release by this rollout"
    if action not in seen.may:
        return f"needs {WHO[action]} on {seen.pool}"
    if action in ("approve", "reject") and seen.own:
        return f"you asked for it: needs {WHO[action]} on {seen.pool}, not you"
    return ""


def soon(seen: Picture) -> bool:
    """Promotion will be asked for by and by."""
    return seen.state is R.UPGRADING and seen.promote == "hand" and seen.next is not None and seen.next.number > 1


def no_pass(seen: Picture) -> bool:
    """A wave stands there without a PASS: only a person with a reason lets it go on."""
    return seen.state is R.WAITING_PROMOTION and seen.current is not None and seen.current.state is not W.PLANNED


def when_promotable(seen: Picture, now: datetime) -> str:
    wave = seen.current
    if wave and wave.state is W.OBSERVING and wave.observe_until and wave.stage + 1 == len(wave.weights):
        return f"after wave {wave.number} is observed, at {clock(wave.observe_until, now)}"
    return f"after wave {wave.number} has passed" if wave else "after the wave at work has passed"


def promote_label(seen: Picture) -> str:
    wave = seen.current
    if wave and no_pass(seen):
        return f"Go on with wave {wave.number} all the same"
    return f"Promote wave {seen.next.number}" if seen.next else "Go on"


def promote_effect(seen: Picture) -> str:
    wave = seen.next if not seen.current or seen.current.state is W.PLANNED else seen.current
    if seen.state is R.UPGRADING:
        wave = seen.next
    if wave is None:
        return ""
    return (
        f"{count(len(wave.gateways), 'gateway')}, {count(wave.sessions, 'user')} stay on the old slots until they leave"
    )


def everyone(seen: Picture) -> str:
    return f"{count(len(seen.gateways), 'gateway')}, {count(seen.users, 'user')}"


def back_label(seen: Picture) -> str:
    return f"Roll back {count(len(seen.touched), 'gateway')}"


def back_effect(seen: Picture) -> str:
    """What a rollback does to people: existing connections stay where they are."""
    return f"{count(seen.sessions, 'user')} stay, 0 cut"


LABELS = {
    "submit": lambda seen: "Ask for approval",
    "approve": lambda seen: f"Approve {count(len(seen.gateways), 'gateway')}",
    "reject": lambda seen: "Reject",
    "promote": promote_label,
    "hold": lambda seen: "Hold",
    "resume": lambda seen: "Resume",
    "roll_back": back_label,
}
EFFECTS = {
    "submit": lambda seen: f"{everyone(seen)}; nothing changes before the approval",
    "approve": lambda seen: (
        f"wave 1 starts at once: {count(len(seen.waves[0].gateways), 'gateway')}" if seen.waves else ""
    ),
    "reject": lambda seen: "nothing is changed on any gateway",
    "promote": promote_effect,
    "hold": lambda seen: "nothing new starts, nobody is cut",
    "resume": lambda seen: "goes on where it was held",
    "roll_back": back_effect,
}
