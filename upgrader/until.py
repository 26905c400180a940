"""Until when going back is a matter of a moment: as long as the old slots are there. Pure.

An old slot may be retired as soon as it is empty after its gateway's commit. From then on a rollback starts the old
release again, and needs a second person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fleet.phrases import clock, count, duration
from upgrader.picture import Picture, WaveRow
from upgrader.states import R, U, W

THEN = "then it needs a second person"


@dataclass(frozen=True)
class Until:
    """`big` and `small` as the fact shows them; `at`: the earliest moment at which an old slot may be retired."""

    big: str
    small: str
    at: datetime | None = None


def rollback_until(seen: Picture, now: datetime) -> Until:
    """Until when a rollback is possible at once, whatever state the rollout is in."""
    if seen.state in (R.ROLLED_BACK, R.ROLLING_BACK, R.REJECTED):
        return Until("–", "nothing was changed" if seen.state is R.REJECTED else "it goes back already")
    if seen.state_migration:
        return Until("now" if seen.touched else "the start", "this release migrates state")
    if seen.reloads:
        return Until("no limit", "the old configuration is read again")
    if seen.between:
        return both_stand(seen.between[0])
    if rows := [row for row in seen.gateways if row.way == "in_place"]:
        return Until("no limit", f"but users of {count(len(rows), 'gateway')} have to sign in again")
    return after_retiring(seen) or while_draining(seen, now) or before_the_first(seen, now)


def both_stand(pool: str) -> Until:
    """Between two pools nothing is stopped: the way back is one weight at the balancer."""
    return Until("no limit", f"{pool} stands as it is: new users are sent back there at once")


def after_retiring(seen: Picture) -> Until | None:
    gone = [row for row in seen.touched if row.gone]
    if not gone:
        return None
    if len(gone) == len(seen.touched):
        return Until(
            "over", f"{count(len(gone), 'old slot')} retired: only with approval, the old release starts first"
        )
    left = len(seen.touched) - len(gone)
    return Until(f"over on {len(gone)}", f"those only with approval, for their old slots are retired; {left} at once")


def while_draining(seen: Picture, now: datetime) -> Until | None:
    """The first slots drain: one that is empty is retired. Only a strategy that cuts has a latest moment."""
    rows = [row for row in seen.gateways if row.state is U.DRAINING]
    if not rows:
        return None
    deadlines = [row.drain_until for row in rows if row.drain_until]
    slots = count(len(rows), "old slot")
    if seen.drain.at_deadline == "cut" and deadlines:
        return Until(clock(max(deadlines), now), f"at the latest: {slots} retire when empty, {THEN}", now)
    return Until("slots are empty", f"{slots}: each retires when empty, {THEN}", now)


def before_the_first(seen: Picture, now: datetime) -> Until:
    left = seconds_to_commit(seen, now)
    if seen.state in (R.PLANNED, R.WAITING_APPROVAL):
        return from_the_start(left)
    at = now + timedelta(seconds=left)
    return Until(clock(at, now), f"at the earliest: empty old slots retire, {THEN}", at)


def from_the_start(seconds: float) -> Until:
    lead = f"start + {duration(seconds)}" if seconds else "the start"
    return Until(lead, f"at the earliest: empty old slots retire, {THEN}")


def of_plan(plan: Mapping[str, Any]) -> Until:
    """The same for a plan that nobody has stored yet."""
    waves, observe = plan["waves"], int(plan["spec"].get("observe_seconds", 0))
    in_place = sum(gateway.get("way") == "in_place" for wave in waves for gateway in wave["gateways"])
    if plan["release"].get("state_migration"):
        return Until("the start", "this release migrates state")
    if both := plan.get("between"):
        return both_stand(both["serves"]["name"])
    if (plan.get("config") or {}).get("way") == "reload":
        return Until("no limit", "the old configuration is read again")
    if in_place:
        return Until("no limit", f"but users of {count(in_place, 'gateway')} have to sign in again")
    each = [wave.get("observe_seconds", observe) * len(wave["weights"]) for wave in waves]
    return from_the_start(min(each, default=0))


def seconds_to_commit(seen: Picture, now: datetime) -> float:
    """At least so long until the first gateway may be committed: what its wave must still be observed."""
    return min((left_of(wave, now) for wave in seen.waves if wave.state is not W.ROLLED_BACK), default=0.0)


def left_of(wave: WaveRow, now: datetime) -> float:
    match wave.state:
        case W.PLANNED:
            return float(wave.observe_seconds * len(wave.weights))
        case W.UPGRADING:
            return float(wave.observe_seconds * (len(wave.weights) - wave.stage))
        case W.OBSERVING if wave.observe_until:
            rest = wave.observe_seconds * (len(wave.weights) - wave.stage - 1)
            return max(0.0, (wave.observe_until - now).total_seconds()) + rest
        case _:
            return 0.0


def ends_say(seen: Picture, now: datetime) -> str:
    """What the approval agrees to besides: when the quick way back ends, and whom a drain may cut."""
    if seen.reloads or seen.state_migration or seen.between or not seen.gateways:
        return ""
    steered = [row for row in seen.gateways if row.way != "in_place"]
    if not steered:
        return ""
    lead = duration(seconds_to_commit(seen, now))
    few = f" or have at most {count(seen.drain.sessions_max, 'user')}, who are cut" if seen.drain.sessions_max else ""
    return (
        f"{count(len(steered), 'old slot')} {'is' if len(steered) == 1 else 'are'} retired when empty{few}, at the "
        f"earliest {lead} after the start: from then on rolling back needs a second person. {at_deadline(seen)}"
    )


def at_deadline(seen: Picture) -> str:
    """What becomes of users who are still on an old slot when the agreed time is over."""
    hours = duration(3600 * seen.drain.deadline_hours)
    match seen.drain.at_deadline:
        case "cut":
            most = count(seen.drain.cut_at_most, "user")
            return f"After {hours} up to {most} a gateway are cut; with more on it on-call is asked."
        case "extend":
            return f"After {hours} it goes on for {duration(3600 * seen.drain.extend_hours)}, then on-call is asked."
        case _:
            return f"After {hours} on-call is asked; nobody is cut without that."


MIGRATES = "This release migrates state: from its start on the old release can't take over what it wrote."


def why_not_migration(migrates: bool, reason: str) -> str:
    """Why this yes is not enough: a release that ends the way back is approved by that name."""
    if not migrates or "migrat" in reason.lower():
        return ""
    return f"{MIGRATES} Approve it with a reason that says the word migration, or reject it."
