"""What a switch between two pools does, and why it waits, as sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.phrases import clock, count, duration, listed, sentence
from upgrader.flow import OUTGOING
from upgrader.picture import GatewayRow, Picture, WaveRow
from upgrader.states import R, S, U, W

NAMES = 40  # gateways of a pool that a plan lists

Said = tuple[str, datetime | None, str]
"""A sentence that may hold a countdown: what stands before it, its end, what stands behind it."""


@dataclass(frozen=True)
class PoolShown:
    """One of the two as a plan shows it."""

    name: str
    role: str
    releases: str
    gateways: Sequence[Mapping[str, Any]]
    users: int

    @property
    def first(self) -> Sequence[Mapping[str, Any]]:
        return self.gateways[:NAMES]

    @property
    def beyond(self) -> int:
        """Gateways that the page does not list."""
        return max(0, len(self.gateways) - NAMES)


@dataclass(frozen=True)
class Shown:
    pools: tuple[PoolShown, PoolShown]
    steps: tuple[str, ...]  # what happens, in this order


def shown(plan: Mapping[str, Any]) -> Shown | None:
    """Both pools of a plan and what happens between them; None for a plan that has one pool."""
    both = plan.get("between")
    if not both:
        return None
    rows = [gateway for wave in plan["waves"] for gateway in wave["gateways"]]
    leaving = [row for row in rows if row["way"] == OUTGOING]
    coming = [row for row in rows if row["way"] != OUTGOING]
    serves, idle, release = both["serves"]["name"], both["idle"]["name"], plan["release"]["name"]
    front = f"{both['balancer']}/{both['backend']}"
    seconds = int(plan["spec"]["observe_seconds"])
    watched = f"is watched for {duration(seconds)} against {serves}" if seconds else "is not watched, by the strategy"
    return Shown(
        (
            _pool(serves, "new users go there now", leaving),
            _pool(idle, f"idle now; gets {release}", coming),
        ),
        (
            f"{count(len(coming), 'gateway')} of {idle} {'gets' if len(coming) == 1 else 'get'} {release}, each checked"
            f" by a login. No new user is sent there meanwhile.",
            f"When all are ready, {front} sends new users to {idle} at the same moment; when they are open there, it"
            f" sends none to {serves} any more.",
            f"{staying(sum(row['sessions'] for row in leaving), serves)}. Nobody is cut.",
            f"{idle} {watched}. On a FAIL, or when you roll back, new users go to {serves} again at once.",
            f"After that {serves} stands idle as it is, and is the one that gets the next release.",
        ),
    )


def _pool(name: str, role: str, rows: Sequence[Mapping[str, Any]]) -> PoolShown:
    releases = " / ".join(sorted({str(row["from"]) for row in rows}))
    return PoolShown(name, role, releases, rows, sum(row["sessions"] for row in rows))


def effect(plan: Mapping[str, Any]) -> str:
    """What the plan does, in two sentences with numbers."""
    if (found := shown(plan)) is None:
        return ""
    serves, idle = found.pools
    return (
        f"{count(len(idle.gateways), 'gateway')} of {idle.name} {'gets' if len(idle.gateways) == 1 else 'get'}"
        f" {plan['release']['name']} while nobody is sent there. Then all new users go from {serves.name} to"
        f" {idle.name}; {staying(serves.users, serves.name)}."
    )


def touches(seen: Picture) -> str:
    """What the whole rollout touches, with numbers."""
    serves, idle = seen.between
    new, old = coming(seen), leaving(seen)
    get = f"{count(len(new), 'gateway')} of {idle} {'gets' if len(new) == 1 else 'get'} {seen.release}"
    there = f"{count(len(old), 'gateway')} of {serves} with {count(users(old), 'user')}"
    return f"{get}, then new users go there from {there}"


def why(seen: Picture, now: datetime) -> Said | None:
    """What is going on and why it waits, where that is something else than within one pool."""
    serves, idle = seen.between
    match seen.state:
        case R.UPGRADING if seen.current:
            return _at_work(seen, seen.current, now)
        case R.DRAINING:
            end = max((row.drain_until for row in leaving(seen) if row.drain_until), default=None)
            last = f", or at {clock(end, now)}: who is left then stays" if end else ""
            on_old = staying(users(leaving(seen)), serves)
            say = f"All new users go to {idle} with {seen.release}. {on_old}"
            return f"{say}; the rollout is done when nobody is left{last}.", None, ""
        case R.DONE:
            old = " / ".join(sorted({row.from_release for row in leaving(seen)}))
            say = f"Done at {clock(seen.since, now)}. New users go to {idle} with {seen.release}; {serves} stands idle"
            return f"{say} with {old}, so they can be sent back there at once.", None, ""
        case R.ROLLING_BACK:
            return f"Being rolled back: new users are sent to {serves} again. {sentence(seen.reason)}", None, ""
    return None


def _at_work(seen: Picture, wave: WaveRow, now: datetime) -> Said | None:
    serves, idle = seen.between
    match wave.state:
        case W.UPGRADING:
            return " ".join(filter(None, [_filling(seen), _hindered(wave), sentence(seen.waits)])), None, ""
        case W.OBSERVING if wave.observe_until and wave.observe_until > now:
            stay = staying(users(leaving(seen)), serves)
            say = f"New users go to {idle} with {seen.release}; {stay}. Observed against {serves}: "
            return say, wave.observe_until, f" left. Then it stays so, and {serves} stands idle."
    return None


def _filling(seen: Picture) -> str:
    serves, idle = seen.between
    rows = coming(seen)
    opened = sum(row.state is U.OBSERVING for row in rows)
    if opened:
        of = count(len(rows), "gateway")
        return f"{opened} of {of} of {idle} {'takes' if opened == 1 else 'take'} new users; then {serves} takes none."
    ready = sum(row.state is U.READY for row in rows)
    has = "has" if ready == 1 else "have"
    of = count(len(rows), "gateway")
    return f"{ready} of {of} of {idle} {has} {seen.release} ready. New users stay on {serves} until all have."


def _hindered(wave: WaveRow) -> str:
    for row in wave.gateways:
        if row.step and row.step.error and row.step.state in (S.DUE, S.CLAIMED):
            tries = f", tried {row.step.attempts} times" if row.step.attempts > 1 else ""
            return f"{row.name} has trouble{tries}: {sentence(row.step.error)}"
    busy = [f"{row.name} {row.step.line}" for row in wave.gateways if row.step and row.state is U.UPGRADING]
    return f"{sentence(listed(busy, 2))}" if busy else ""


def after_back(seen: Picture) -> str:
    """What is still to come when it was rolled back, as a sentence with a space before; "" when nothing is."""
    on = users(coming(seen)) if seen.between else 0
    if not on:
        return ""
    old = " / ".join(sorted({row.from_release for row in coming(seen)}))
    return f" {staying(on, seen.between[1])}; then it gets {old} again."


def staying(number: int, pool: str) -> str:
    """ "9 users on blue stay there until they leave"."""
    stay = "stays there until he leaves" if number == 1 else "stay there until they leave"
    return f"{count(number, 'user')} on {pool} {stay}"


def coming(seen: Picture) -> Sequence[GatewayRow]:
    return [row for row in seen.gateways if row.way != OUTGOING and row.state is not U.SKIPPED]


def leaving(seen: Picture) -> Sequence[GatewayRow]:
    return [row for row in seen.gateways if row.way == OUTGOING]


def users(rows: Sequence[GatewayRow]) -> int:
    return sum(row.sessions for row in rows)
