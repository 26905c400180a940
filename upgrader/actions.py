"""Which buttons a person has on a rollout, what each one does, and why one is not to be had. Pure.

Made from ACTION_STATES and ACTION_PERMISSION: pages and the API read this, the services check it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from fleet.phrases import count
from upgrader import words
from upgrader.labels import EFFECTS, LABELS, no_pass, soon, when_promotable
from upgrader.picture import Asked, Picture
from upgrader.states import ACTION_STATES, R, W

Tone = Literal["go", "back", "plain"]

WHO: dict[str, str] = {
    "submit": "somebody who may plan rollouts",
    "approve": "somebody who may approve",
    "reject": "somebody who may approve",
    "promote": "somebody who may promote",
    "hold": "somebody who may hold",
    "resume": "somebody who may hold",
    "retry": "somebody who may hold",
    "skip": "somebody who may hold",
    "take_in": "somebody who may hold",
    "abort": "somebody who may roll back",
    "roll_back": "somebody who may roll back",
    "agree_back": "somebody who may approve",
    "refuse_back": "somebody who may approve",
    "extend": "somebody who may hold",
    "ask_cut": "somebody who may hold",
    "agree_cut": "somebody who may approve",
    "refuse_cut": "somebody who may approve",
}
TONES: dict[str, Tone] = {
    **dict.fromkeys(("submit", "approve", "promote", "agree_back", "agree_cut"), "go"),
    **dict.fromkeys(("reject", "roll_back", "abort", "refuse_back", "refuse_cut", "ask_cut"), "back"),
}
ANSWERS = {"agree_back": "refuse_back", "agree_cut": "refuse_cut", "approve": "reject"}
"""A yes → the no beside it."""
DECISIONS = frozenset({"roll_back", "abort", "extend", "ask_cut", "skip", *ANSWERS, *ANSWERS.values()})
"""These have a page of their own: they name their effect and take a reason."""
NEEDS_REASON = frozenset({"reject", "roll_back", "abort", "ask_cut", "refuse_back", "refuse_cut", "skip"})
ORDER = (
    *("hold", "resume", "abort", "roll_back", "ask_cut", "extend", "submit", "reject", "refuse_cut", "refuse_back"),
    *("approve", "promote", "agree_cut", "agree_back"),
)
"""The recommended one comes last, and a no right before its yes."""


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
    digest: str = ""  # of what a yes or no is about
    fields: tuple[tuple[str, str], ...] = ()  # what else is sent with it

    @property
    def enabled(self) -> bool:
        return not self.reason

    @property
    def path(self) -> str:
        return self.action.replace("_", "-")

    @property
    def key(self) -> str:
        """Tells it from others of the same action on one page."""
        return "-".join((self.path, *(value for _, value in self.fields)))


def offers(seen: Picture, now: datetime) -> list[Offer]:
    """Return every action with its label, its effect and the reason why not, the recommended one last."""
    made = [offer(seen, action, now) for action in ORDER]
    return [*made[:-1], *every_wave(seen, made), made[-1]]


def offer(seen: Picture, action: str, now: datetime) -> Offer:
    return Offer(
        action=action,
        label=LABELS[action](seen),
        effect=EFFECTS[action](seen),
        reason=why_not(seen, action, now),
        tone=TONES.get(action, "plain"),
        shown=visible(seen, action, now),
        decision=action in DECISIONS or (action == "promote" and no_pass(seen)),
        needs_reason=action in NEEDS_REASON
        or (action == "promote" and no_pass(seen))
        or (action == "approve" and (bool(seen.downgrade) or seen.state_migration)),
        digest=digest_of(seen, action),
    )


def every_wave(seen: Picture, made: list[Offer]) -> list[Offer]:
    """Promoting all waves at once, where more than one is left."""
    left = [wave for wave in seen.waves if wave.state is W.PLANNED]
    one = next(offer for offer in made if offer.action == "promote")
    if len(left) < 2 or seen.state is not R.WAITING_PROMOTION or no_pass(seen):
        return []
    rows = [row for wave in left for row in wave.gateways]
    users = count(sum(wave.sessions for wave in left), "user")
    label = f"Promote all {len(left)} waves"
    effect = f"{count(len(rows), 'gateway')}, {users}; each wave still needs its pass"
    return [replace(one, label=label, effect=effect, tone="plain", fields=(("through", "all"),))]


def digest_of(seen: Picture, action: str) -> str:
    if action in ("agree_back", "refuse_back"):
        return seen.back.digest if seen.back else ""
    if action in ("agree_cut", "refuse_cut"):
        return seen.cut_asked.digest if seen.cut_asked else ""
    return seen.digest


def asked_of(seen: Picture, action: str) -> Asked | None:
    return seen.back if action.endswith("_back") else seen.cut_asked


def visible(seen: Picture, action: str, now: datetime) -> bool:
    """On the page: what the state allows and has an object, and a promotion that will be asked for."""
    if seen.state not in ACTION_STATES[action]:
        return action == "promote" and soon(seen)
    return not nothing_to(seen, action, now)


def nothing_to(seen: Picture, action: str, now: datetime) -> str:
    """Why there is no object for the action, or "" when there is one."""
    match action:
        case "roll_back" if not seen.touched:
            return "no gateway carries this release by this rollout"
        case "roll_back" | "abort" if seen.back and seen.back.is_open(now):
            return f"{seen.back.by} asked for it: a second person decides"
        case "abort" if seen.touched and not seen.goes_back:
            return "every old slot is retired, so every gateway would stay"
        case "agree_back" | "refuse_back" | "agree_cut" | "refuse_cut":
            asked = asked_of(seen, action)
            return "" if asked and asked.is_open(now) else "nobody asked for it"
        case "extend" if not seen.overdue(now):
            return "no drain is over its time"
        case "ask_cut" if not any(row.drain_left for row in seen.overdue(now)):
            return "no drain is over its time with users on it"
        case "ask_cut" if seen.cut_asked and seen.cut_asked.is_open(now):
            return f"{seen.cut_asked.by} asked for it: a second person decides"
        case _:
            return ""


def why_not(seen: Picture, action: str, now: datetime) -> str:
    """Return why the one who looks cannot do it now, or "" if he can."""
    if seen.state not in ACTION_STATES[action]:
        if action == "promote" and soon(seen):
            return when_promotable(seen, now)
        return f"not while it is: {words.ROLLOUT[seen.state].say.lower()}"
    if missing := nothing_to(seen, action, now):
        return missing
    if action not in seen.may:
        return f"needs {WHO[action]} on {seen.pool}"
    return his_own(seen, action)


def his_own(seen: Picture, action: str) -> str:
    """Nobody answers his own question."""
    asked = asked_of(seen, action) if action.startswith(("agree", "refuse")) else None
    own = seen.own if action in ("approve", "reject") else bool(asked and asked.own)
    return f"you asked for it: needs {WHO[action]} on {seen.pool}, not you" if own else ""
