"""Why is it waiting? One sentence with numbers and times, for every state of a rollout. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.phrases import clock, count, duration, listed, sentence
from upgrader import between_words
from upgrader.picture import CARRIES, GatewayRow, Picture, WaveRow
from upgrader.states import ACTION_STATES, Outcome, R, S, U, W


@dataclass(frozen=True)
class Why:
    """A sentence that may hold a countdown: the page ticks it, `text` says it as of `now`."""

    before: str
    now: datetime
    until: datetime | None = None
    after: str = ""

    @property
    def left(self) -> str:
        return duration((self.until - self.now).total_seconds()) if self.until else ""

    @property
    def text(self) -> str:
        return f"{self.before}{self.left}{self.after}"


def why(seen: Picture, now: datetime) -> Why:
    """Return what is going on and why it waits."""
    if question := asked(seen, now):
        return question
    if seen.between and (said := between_words.why(seen, now)):
        return Why(said[0], now, *said[1:])
    match seen.state:
        case R.UPGRADING:
            return at_work(seen, now)
        case R.WAITING_APPROVAL if seen.decide_until:
            who = f"somebody other than {seen.created_by}"
            return Why(
                f"Waits for approval on {seen.pool} by {who}: {touches(seen)}. The question ends in ",
                now,
                seen.decide_until,
                "; until then nothing changes.",
            )
        case R.ROLLING_BACK:
            back = sum(row.state in (U.ROLLED_BACK, U.PLANNED) for row in seen.gateways)
            return Why(
                f"Being rolled back, {back} of {count(len(seen.gateways), 'gateway')} on the old release. "
                f"{sentence(seen.reason)}",
                now,
            )
        case _:
            return Why(at_rest(seen, now), now)


def at_rest(seen: Picture, now: datetime) -> str:
    """The sentence for the states in which the machine waits for a person, or for users to go."""
    at = clock(seen.since, now)
    match seen.state:
        case R.PLANNED:
            return f"The plan is drawn and nothing has changed: {touches(seen)}. It waits for you to ask for approval."
        case R.WAITING_APPROVAL:
            return f"Waits for approval on {seen.pool}: {touches(seen)}. Nothing changes before that."
        case R.WAITING_PROMOTION:
            return f"{sentence(seen.reason)} {promoter(seen)}"
        case R.HELD:
            return (
                f"On hold since {at}. {sentence(seen.reason)} {answered(seen, now)}{kept_slots(seen)}Users stay where "
                "they are until somebody resumes."
            )
        case R.DRAINING:
            return draining(seen, now)
        case R.DONE:
            do = "serves" if seen.carrying == 1 else "serve"
            serve = f"{seen.carrying} of {count(len(seen.gateways), 'gateway')} {do} {seen.release}"
            return f"Done at {at}. {serve}.{out(seen)}"
        case R.ROLLED_BACK:
            failed = cause(seen)
            # The rollout's own reason ends with why; the failed verdict says the same with the wave's number.
            reason = seen.reason.partition(" Why: ")[0] if failed else seen.reason
            said = " ".join(filter(None, [f"Rolled back at {at}.", failed, sentence(reason)]))
            return said + between_words.after_back(seen)
        case R.REJECTED:
            return f"Rejected at {at}; nothing was changed. {sentence(seen.reason)}"
        case _:
            return (
                f"The rollback could not be verified. {sentence(seen.reason)} "
                "Look at the gateway, then roll back again: the steps that are done are not done twice."
            )


def cause(seen: Picture) -> str:
    """The failed verdict that a rollback followed; "" when a person asked for it."""
    failed = [wave for wave in seen.waves if wave.verdict and wave.verdict.outcome is Outcome.FAIL]
    return (
        f"Wave {failed[0].number} failed: {sentence(failed[0].verdict.sentence)}"
        if failed and failed[0].verdict
        else ""
    )


def touches(seen: Picture) -> str:
    """What the whole rollout touches, with numbers."""
    gateways, waves = count(len(seen.gateways), "gateway"), count(len(seen.waves), "wave")
    within = f"{gateways} in {waves}, {count(seen.users, 'user')} on them"
    return between_words.touches(seen) if seen.between else within


def promoter(seen: Picture) -> str:
    if seen.current and seen.current.state is W.PLANNED:
        users = count(seen.current.sessions, "user")
        gateways = count(len(seen.current.gateways), "gateway")
        return f"It touches {gateways} with {users}; somebody who may promote on {seen.pool} says go on."
    return f"Somebody who may promote on {seen.pool} decides: go on, or roll back."


def out(seen: Picture) -> str:
    """Who was left out of it, and who failed."""
    skipped = [row.name for row in seen.gateways if row.state is U.SKIPPED]
    left = f" Left out: {listed(skipped)}." if skipped else ""
    may = f", {seen.failures_max} may" if seen.failures_max else ""
    failed = f" Failed{may}: {listed([row.name for row in seen.failed])}." if seen.failed else ""
    return left + failed


def asked(seen: Picture, now: datetime) -> Why | None:
    """A question beside the approval that waits for a second person."""
    back, cut = seen.back, seen.cut_asked
    if back and back.is_open(now) and seen.state in ACTION_STATES["agree_back"]:
        held = "the rollout stays on hold" if seen.state is R.HELD else "nothing changes"
        start = f"{back.summary.get('because', '')} {back.by} asked at {clock(back.at, now)}{quoted(back.why)}"
        who = f"Somebody else who may approve on {seen.pool} decides. The question ends in "
        return Why(f"{start}. {who}", now, back.expires_at, f"; until then {held}.")
    if cut and cut.is_open(now) and seen.state in ACTION_STATES["agree_cut"]:
        users, slots = int(cut.summary.get("users", 0)), len(cut.summary.get("cuts", ()))
        start = f"Asked by {cut.by}: cut {count(users, 'user')} on {count(slots, 'old slot')} whose time is over"
        who = f"Somebody else who may approve on {seen.pool} decides. The question ends in "
        return Why(f"{start}{quoted(cut.why)}. {who}", now, cut.expires_at, "; nobody is cut before.")
    return None


def quoted(reason: str) -> str:
    return f": “{reason.rstrip('.')}”" if reason else ""


def answered(seen: Picture, now: datetime) -> str:
    """What came of the question about rolling back, with a space behind; "" when none was asked since."""
    back = seen.back
    if back is None or back.at < seen.since:
        return ""
    if back.expired(now):
        return f"Nobody decided on the rollback until {clock(back.expires_at, now)}: ask again. "
    return f"{back.said_by} said no to the rollback{quoted(back.said)}. " if back.state == "rejected" else ""


def kept_slots(seen: Picture) -> str:
    """Old slots that are empty and not retired on hold, with a space behind; "" when there are none.

    Retiring one ends the quick way back. Who holds a rollout may be about to take it back.
    """
    empty = [row.name for row in seen.gateways if row.step and row.step.name == "retire" and row.state is U.DRAINING]
    if not empty:
        return ""
    slots, are = ("slot", "is") if len(empty) == 1 else ("slots", "are")
    return f"The empty old {slots} of {listed(empty)} {are} kept, so that the way back stays short. "


def draining(seen: Picture, now: datetime) -> str:
    left = [row for row in seen.gateways if row.state is U.DRAINING]
    users = sum(row.old_sessions for row in left)
    number = count(len(seen.gateways), "gateway")
    do = "serves" if seen.carrying == 1 else "serve"
    who = f"Of {number} {seen.carrying} {do}"
    if seen.carrying == len(seen.gateways):
        who = f"All {number} {do}" if seen.carrying > 1 else f"{number} {do}"
    serve = f"{who} {seen.release} to new users.{out(seen)}"
    slots = f"{count(users, 'user')} on {count(len(left), 'old slot')}"
    return f"{serve} {slots}: each slot retires when it is empty{end_of_drain(seen, left, now)}"


def end_of_drain(seen: Picture, left: Sequence[GatewayRow], now: datetime) -> str:
    """What becomes of users who stay on, as the end of a sentence."""
    if said := time_over(seen, now):
        return f". {said}"
    due = [row.drain_until for row in left if row.drain_until and row.drain_until > now]
    if not due:
        return ", nobody is cut."
    match seen.drain.at_deadline:
        case "cut":
            what = f"up to {count(seen.drain.cut_at_most, 'user')} a gateway are cut, with more on-call is asked"
        case "extend":
            what = f"it goes on for {duration(3600 * seen.drain.extend_hours)}, then on-call is asked"
        case _:
            what = "on-call is asked, nobody is cut without that"
    return f"; at {clock(min(due), now)} {what}."


def time_over(seen: Picture, now: datetime) -> str:
    """That the time agreed for a drain is over, and who says what becomes of the users; "" while it is not."""
    late = seen.overdue(now)
    if not late:
        return ""
    ended = clock(min(row.drain_until for row in late if row.drain_until), now)
    users = count(sum(row.drain_left or 0 for row in late), "user")
    unanswered = seen.cut_asked and seen.cut_asked.expired(now)
    before = "Nobody answered the question about cutting them. " if unanswered else ""
    return (
        f"The time of {count(len(late), 'slot')} with {users} ended at {ended}. {before}Somebody who may hold on "
        f"{seen.pool} gives them more hours, or asks to cut them; until then nobody is cut."
    )


def at_work(seen: Picture, now: datetime) -> Why:
    """The sentence while a wave is at work or watched."""
    wave = seen.current
    if wave is None:
        return Why(f"Every wave passed; the old slots of {count(len(seen.gateways), 'gateway')} begin to drain.", now)
    match wave.state:
        case W.PLANNED if seen.waits:
            users = count(wave.sessions, "user")
            whom = f"{count(len(wave.gateways), 'gateway')}, {users}"
            if (full := seen.waits.removeprefix("Waits for room: ")) != seen.waits:
                room = "It begins by itself when there is room."
                return Why(f"Wave {wave.number} waits for room: {whom}. {sentence(full)} {room}", now)
            return Why(f"Wave {wave.number} waits: {whom}. {sentence(seen.waits)}", now)
        case W.UPGRADING:
            return Why(
                " ".join(filter(None, [spreading(wave), sentence(seen.waits), time_over(seen, now)])) + out(seen), now
            )
        case W.OBSERVING if wave.observe_until and wave.observe_until > now:
            start = f"Wave {wave.number} is being observed at {wave.weight} % of new users: "
            return Why(start, now, wave.observe_until, f" left. {afterwards(seen, wave)}")
        case W.OBSERVING:
            return Why(f"The observation of wave {wave.number} is over; the verdict is being drawn.", now)
        case W.COMMITTING:
            done = sum(row.state in CARRIES for row in wave.gateways)
            return Why(
                f"Wave {wave.number} passed: {seen.release} becomes permanent, "
                f"{done} of {count(len(wave.gateways), 'gateway')} done.",
                now,
            )
        case _:
            return Why(f"Wave {wave.number} starts now: {count(len(wave.gateways), 'gateway')}.", now)


def spreading(wave: WaveRow) -> str:
    """How far the wave is, and what hinders it if something does."""
    carry = sum(row.state is U.OBSERVING for row in wave.gateways)
    total = count(sum(row.state is not U.SKIPPED for row in wave.gateways), "gateway")
    far = f"Wave {wave.number}: {carry} of {total} {'gives' if carry == 1 else 'give'} {wave.weight} % of new users"
    hindered = [row for row in wave.gateways if row.step and row.step.error and row.step.state in (S.DUE, S.CLAIMED)]
    if hindered and (step := hindered[0].step):
        tries = f", tried {step.attempts} times" if step.attempts > 1 else ""
        return f"{far} to the new release. {hindered[0].name} has trouble{tries}: {sentence(step.error)}"
    ready = sum(row.state is U.READY for row in wave.gateways)
    if ready:
        done = (
            f"Wave {wave.number}: {ready} of {total} {'has' if ready == 1 else 'have'} the new release ready beside the"
        )
        return f"{done} old one; all shift at the same moment when the last has."
    busy = [f"{row.name} {row.step.line}" for row in wave.gateways if row.step and row.state is U.UPGRADING]
    return f"{far} to the new release{'; ' + listed(busy, 2) if busy else ''}."


def afterwards(seen: Picture, wave: WaveRow) -> str:
    """What comes when the window ends well."""
    if wave.verdict and wave.verdict.outcome is Outcome.FAIL:
        return "The verdict is FAIL: it is taken back."
    if wave.stage + 1 < len(wave.weights):
        return f"Then it goes on to {wave.weights[wave.stage + 1]} %."
    if seen.next is None:
        return f"Then {seen.release} becomes permanent and the old slots drain."
    users = count(seen.next.sessions, "user")
    if seen.promote == "hand":
        return f"Then wave {seen.next.number} waits for a person, because it touches {users}."
    return f"Then wave {seen.next.number} starts by itself: {users}."


def begins(seen: Picture, wave: WaveRow) -> str:
    """When a planned wave begins, in a few words."""
    match seen.state:
        case R.HELD:
            return "not while it is on hold"
        case R.ROLLING_BACK | R.FAILED:
            return "not while it goes back"
        case R.DONE | R.ROLLED_BACK | R.REJECTED:
            return "did not start"
        case R.WAITING_PROMOTION if wave is seen.current:
            return "when a person promotes it"
        case R.UPGRADING if wave is seen.current:
            return "as soon as it may" if seen.waits else "now"
        case _ if wave is seen.current:
            return "after the approval"
    by_hand = ", by hand" if seen.promote == "hand" else ""
    return f"after wave {wave.number - 1}{by_hand}"
