"""The four facts that decide, for each thing that a decision page asks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet.phrases import clock, count, duration, listed
from upgrader import between_words
from upgrader.actions import Offer
from upgrader.picture import GatewayRow, Picture
from upgrader.states import R
from upgrader.until import Until, rollback_until

CUT = "users at most, where one release serves; they sign in again"


@dataclass(frozen=True)
class Fact:
    title: str
    big: str
    small: str


def facts(seen: Picture, asked: Offer | None, now: datetime, row: GatewayRow | None = None) -> list[Fact]:
    """What the one who decides must know, in the order in which it is read."""
    match asked.action if asked else "":
        case "roll_back" | "abort":
            return going_back(seen, asked.action if asked else "")
        case "agree_back" | "refuse_back":
            return back_asked(seen, now)
        case "agree_cut" | "refuse_cut":
            return cut_asked(seen, now)
        case "extend" | "ask_cut":
            return overdue(seen, now)
        case "skip" if row:
            return one(seen, row)
        case _:
            return plan(seen, now)


def plan(seen: Picture, now: datetime) -> list[Fact]:
    until = rollback_until(seen, now)
    if seen.between:
        return switch(seen, until)
    cuts = sum(row.sessions for row in seen.gateways if row.way == "in_place")
    stay = "stay until they leave" if not cuts else f"of them {cuts} on gateways that restart"
    return [
        Fact("From → to", seen.release, f"from {' / '.join(seen.from_releases)}"),
        Fact("Gateways", str(len(seen.gateways)), f"in {count(len(seen.waves), 'wave')}, {seen.at_once} at once"),
        Fact("Users on them", str(seen.users), stay),
        Fact("Rollback possible until", until.big, until.small),
    ]


def switch(seen: Picture, until: Until) -> list[Fact]:
    """The same for a switch between two pools."""
    serves, idle = seen.between
    coming, leaving = between_words.coming(seen), between_words.leaving(seen)
    return [
        Fact("From → to", seen.release, f"from {' / '.join(seen.from_releases)}"),
        Fact("New users go", f"{serves} → {idle}", f"{count(len(leaving), 'gateway')} to {len(coming)}"),
        Fact(f"Users on {serves}", str(between_words.users(leaving)), "stay there until they leave"),
        Fact("Rollback possible until", until.big, until.small),
    ]


def going_back(seen: Picture, action: str) -> list[Fact]:
    rows = seen.goes_back if action == "abort" else seen.touched
    again = sum(row.cuts for row in rows)
    stay = sum(row.sessions for row in rows) - again
    untouched = len(seen.gateways) - len(rows)
    return [
        Fact("Go back to", " / ".join(seen.from_releases), f"on {count(len(rows), 'gateway')}"),
        Fact("That means", f"{stay}", f"users stay, {again} must sign in again"),
        Fact("Stays as it is", str(untouched), f"of {count(len(seen.gateways), 'gateway')}"),
        Fact("If nobody acts", *left_alone(seen)),
    ]


def left_alone(seen: Picture) -> tuple[str, str]:
    """What becomes of the rollout without a word from anybody."""
    match seen.state:
        case R.HELD:
            return "it stays on hold", "users stay where they are"
        case R.FAILED:
            return "it stays", "nothing is tried again by itself"
        case R.WAITING_PROMOTION:
            return "it waits", "no further wave begins"
        case R.DRAINING:
            return "it drains on", "each old slot retires when it is empty"
        case R.DONE:
            return "it stays", f"{seen.carrying} of {count(len(seen.gateways), 'gateway')} on {seen.release}"
        case _:
            return "it goes on", "and a FAIL goes back by itself"


def back_asked(seen: Picture, now: datetime) -> list[Fact]:
    asked = seen.back
    if asked is None:
        return plan(seen, now)
    said = asked.summary
    gone = int(said.get("gone", 0))
    slots = f"on {count(len(said.get('gateways', ())), 'gateway')}" + (f", {gone} must start it again" if gone else "")
    left = duration((asked.expires_at - now).total_seconds())
    return [
        Fact("Go back to", " / ".join(said.get("to", ())), f"from {seen.release} {slots}"),
        Fact("Users stay", str(said.get("stay", 0)), "on the slots where they are"),
        Fact("Cut", str(cut := said.get("reconnect", 0)), CUT if cut else "users; nobody has to sign in again"),
        Fact("If nobody acts", clock(asked.expires_at, now), f"the question ends, in {left}; nothing goes back"),
    ]


def cut_asked(seen: Picture, now: datetime) -> list[Fact]:
    asked = seen.cut_asked
    if asked is None:
        return overdue(seen, now)
    cuts = asked.summary.get("cuts", ())
    left = duration((asked.expires_at - now).total_seconds())
    return [
        Fact("Users to cut", str(asked.summary.get("users", 0)), "who may sign in again at once"),
        Fact("On old slots of", str(len(cuts)), listed([str(cut["name"]) for cut in cuts])),
        who_is_left(seen, now),
        Fact("If nobody acts", clock(asked.expires_at, now), f"the question ends, in {left}; nobody is cut"),
    ]


def overdue(seen: Picture, now: datetime) -> list[Fact]:
    rows = seen.overdue(now)
    ended = min((row.drain_until for row in rows if row.drain_until), default=now)
    return [
        Fact("Users left", str(sum(row.drain_left or 0 for row in rows)), f"on {count(len(rows), 'old slot')}"),
        Fact("Time agreed for it", clock(ended, now), f"over for {duration((now - ended).total_seconds())}"),
        who_is_left(seen, now),
        Fact("If nobody acts", "it drains on", "nobody is cut"),
    ]


def who_is_left(seen: Picture, now: datetime) -> Fact:
    """Idle ones first: they notice least."""
    rows = seen.overdue(now)
    oldest = max((row.drain_oldest for row in rows), default=0)
    return Fact("Idle now", str(sum(row.drain_idle for row in rows)), f"the oldest is on for {duration(oldest)}")


def one(seen: Picture, row: GatewayRow) -> list[Fact]:
    touched = row in seen.touched
    return [
        Fact("Gateway", row.name, f"{row.word.say.lower()}, {count(row.sessions, 'user')} on it"),
        Fact("It keeps", row.from_release, "goes back to it first" if touched else "nothing is done there"),
        Fact("Others go on", str(len(seen.gateways) - 1), f"of {count(len(seen.gateways), 'gateway')}"),
        Fact("Later", "the next rollout", f"brings {seen.release} there"),
    ]
