"""What the buttons of a rollout say, with the numbers, and what each does. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fleet.phrases import clock, count
from upgrader.picture import Picture
from upgrader.states import DRAINS, Outcome, R, W


def soon(seen: Picture) -> bool:
    """Promotion will be asked for by and by."""
    return seen.state is R.UPGRADING and seen.promote == "hand" and seen.next is not None and seen.next.number > 1


def no_pass(seen: Picture) -> bool:
    """A wave stands there without a PASS: only a person with a reason lets it go on."""
    wave = seen.current
    if seen.state is not R.WAITING_PROMOTION or wave is None or wave.state is W.PLANNED:
        return False
    return wave.verdict is None or wave.verdict.outcome is not Outcome.PASS


def next_share(seen: Picture) -> int:
    """The share of new users that a passed wave goes on to when a person says so; 0 when it is not that."""
    wave = seen.current
    if seen.state is not R.WAITING_PROMOTION or wave is None or wave.state is W.PLANNED or no_pass(seen):
        return 0
    return wave.weights[wave.stage + 1] if wave.stage + 1 < len(wave.weights) else 0


def when_promotable(seen: Picture, now: datetime) -> str:
    wave = seen.current
    if wave and wave.state is W.OBSERVING and wave.observe_until and wave.stage + 1 == len(wave.weights):
        return f"after wave {wave.number} is observed, at {clock(wave.observe_until, now)}"
    return f"after wave {wave.number} has passed" if wave else "after the wave at work has passed"


def promote_label(seen: Picture) -> str:
    wave = seen.current
    if wave and no_pass(seen):
        return f"Go on with wave {wave.number} all the same"
    if wave and next_share(seen):
        return f"Go on to {next_share(seen)} % in wave {wave.number}"
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
    again = "Ask again: roll back" if seen.back and seen.back.state == "expired" else "Roll back"
    return f"{again} {count(len(seen.touched), 'gateway')}"


def back_effect(seen: Picture) -> str:
    """What a rollback does to people: existing connections stay where they are."""
    stays = seen.sessions - seen.reconnect
    cut = f"{count(seen.reconnect, 'user')} are cut" if seen.reconnect else "0 cut"
    asks = "; asks a second person first" if seen.second_person(seen.touched) else ""
    return f"{count(stays, 'user')} stay, {cut}{asks}"


def abort_label(seen: Picture) -> str:
    if not seen.touched:
        return "Drop this plan" if seen.state is R.PLANNED else "Abort: nothing has begun"
    back, stay = len(seen.goes_back), len(seen.touched) - len(seen.goes_back)
    goes = f"Abort: {count(back, 'gateway')} {'goes' if back == 1 else 'go'} back"
    return f"{goes}, {stay} {'stays' if stay == 1 else 'stay'}" if stay else goes


def abort_effect(seen: Picture) -> str:
    if not seen.touched:
        return "no gateway learns of it"
    asks = "; asks a second person first" if seen.second_person(seen.goes_back) else ""
    return f"stops for good; {count(sum(row.sessions for row in seen.goes_back), 'user')} stay on their slots{asks}"


def agree_label(seen: Picture) -> str:
    if seen.back is None:
        return "Roll back"
    number = count(len(seen.back.summary.get("gateways", ())), "gateway")
    return f"{'Abort' if seen.back.summary.get('action') == 'abort' else 'Roll back'} {number} now"


def agree_effect(seen: Picture) -> str:
    if seen.back is None:
        return "nobody asked for it"
    stay, cut = seen.back.summary.get("stay", 0), seen.back.summary.get("reconnect", 0)
    whom = f"at most {count(cut, 'user')} are cut" if cut else "nobody is cut"
    return f"{count(stay, 'user')} stay, {whom}; starts at once"


def cut_users(seen: Picture) -> int:
    """Users who are left where the time to drain is over."""
    return sum(row.drain_left or 0 for row in seen.gateways if row.state in DRAINS and row.drain_until)


def agree_cut_label(seen: Picture) -> str:
    users = int(seen.cut_asked.summary.get("users", 0)) if seen.cut_asked else 0
    return f"Cut {count(users, 'user')}"


LABELS: dict[str, Callable[[Picture], str]] = {
    "submit": lambda seen: "Ask for approval",
    "approve": lambda seen: f"Approve {count(len(seen.gateways), 'gateway')}",
    "reject": lambda seen: "Reject",
    "promote": promote_label,
    "hold": lambda seen: "Hold",
    "resume": lambda seen: "Resume",
    "abort": abort_label,
    "roll_back": back_label,
    "agree_back": agree_label,
    "refuse_back": lambda seen: "Leave it, with a reason",
    "extend": lambda seen: "Give the drain more hours",
    "ask_cut": lambda seen: f"Ask to cut {count(cut_users(seen), 'user')}",
    "agree_cut": agree_cut_label,
    "refuse_cut": lambda seen: "Cut nobody, with a reason",
}
EFFECTS: dict[str, Callable[[Picture], str]] = {
    "submit": lambda seen: f"{everyone(seen)}; nothing changes before the approval",
    "approve": lambda seen: (
        f"wave 1 starts at once: {count(len(seen.waves[0].gateways), 'gateway')}" if seen.waves else ""
    ),
    "reject": lambda seen: "nothing is changed on any gateway",
    "promote": promote_effect,
    "hold": lambda seen: "nothing new starts, nobody is cut",
    "resume": lambda seen: "goes on where it was held",
    "abort": abort_effect,
    "roll_back": back_effect,
    "agree_back": agree_effect,
    "refuse_back": lambda seen: "the rollout stays as it is",
    "extend": lambda seen: "nobody is cut; it is asked again after that",
    "ask_cut": lambda seen: "a second person decides; nobody is cut before",
    "agree_cut": lambda seen: "idle ones first; more users than that and nobody is cut",
    "refuse_cut": lambda seen: "the drain goes on, nobody is cut",
}
