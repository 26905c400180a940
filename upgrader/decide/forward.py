"""How a rollout goes on: which gateways begin, what a wave does when they have, what a passed window leads to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from fleet.phrases import count
from upgrader.decide import seen as say
from upgrader.decide.seen import (
    AT_WORK,
    CARRIES,
    OUT,
    Move,
    RolloutSeen,
    UpgradeSeen,
    WaveSeen,
    complaint,
    current,
    names,
    rollout,
)
from upgrader.decide.stops import PERSON, barred, refusal, stop
from upgrader.states import Outcome, R, U, W

UNOBSERVED = "Not observed, by the strategy."
LOOK = "Retry or skip it, or roll back."


def go_on(seen: RolloutSeen) -> Move | None:
    wave = current(seen)
    if wave is None:
        if seen.between:
            return rollout(R.DRAINING, f"All new users go from {seen.between}; who is on the former stays there.")
        return rollout(R.DRAINING, f"Every gateway serves {seen.release} to new users; old slots drain.")
    match wave.state:
        case W.PLANNED:
            return start(seen, wave)
        case W.UPGRADING:
            return spread(seen, wave)
        case W.OBSERVING:
            return after_window(seen, wave)
        case W.COMMITTING:
            return commit(seen, wave)
        case _:
            return None


def start(seen: RolloutSeen, wave: WaveSeen) -> Move | None:
    """The next wave, if a person need not say so first."""
    if wave.number > max(1, seen.promoted_to):
        if not any(one.count(*CARRIES) for one in seen.waves):
            unproven = f"No gateway carries {seen.release} yet, so nothing speaks for it."
            return rollout(R.WAITING_PROMOTION, f"{unproven} Wave {wave.number} waits for a person.")
        if seen.promote == "hand":
            passed = f"Wave {wave.number - 1} passed. Wave {wave.number} waits for a person."
            return rollout(R.WAITING_PROMOTION, passed)
    if barred(seen):
        return stop(seen)
    return say.wave(wave, W.UPGRADING, f"Wave {wave.number} starts.")


def spread(seen: RolloutSeen, wave: WaveSeen) -> Move | None:
    """Begin gateways while there is room. When none is left that has not begun, see what became of them."""
    waiting = wave.of(U.PLANNED)
    if gone := [upgrade for upgrade in waiting if upgrade.gone]:
        return say.upgrades(gone[:1], U.SKIPPED, gone[0].gone)
    if not waiting:
        return begun(seen, wave)
    if barred(seen):
        return stop(seen)
    if chosen := turn_of(waiting, wave, room=seen.at_once - wave.count(*AT_WORK)):
        return say.upgrades(chosen, U.UPGRADING, f"Its turn in wave {wave.number}.")
    return behind_failed(waiting, wave)


def behind_failed(waiting: list[UpgradeSeen], wave: WaveSeen) -> Move | None:
    """Who has not begun stands in for one that failed, and nothing else is at work: only a person gets on from here."""
    if wave.of(*AT_WORK, U.ROLLING_BACK) or any(upgrade.taken for upgrade in waiting):
        return None
    groups = {upgrade.group for upgrade in waiting}
    failed = [upgrade for upgrade in wave.of(U.FAILED) if upgrade.group in groups]
    if not failed:
        return None
    kept = f"{names(waiting)} of wave {wave.number} can't begin: two of one redundancy group are never out together"
    return rollout(R.HELD, f"{kept}, and {names(failed)} failed there. {complaint(failed[0])} {LOOK}")


def turn_of(waiting: list[UpgradeSeen], wave: WaveSeen, *, room: int) -> list[UpgradeSeen]:
    """Who begins now: in the plan's order, and never two that stand in for each other."""
    busy = {upgrade.group for upgrade in wave.of(*AT_WORK, U.ROLLING_BACK, U.FAILED) if upgrade.group}
    chosen: list[UpgradeSeen] = []
    for upgrade in waiting:
        if len(chosen) >= room:
            break
        if upgrade.taken or upgrade.group in busy:
            continue
        chosen.append(upgrade)
        busy |= {upgrade.group} - {""}
    return chosen


def begun(seen: RolloutSeen, wave: WaveSeen) -> Move | None:
    """Every gateway of the wave has had its turn."""
    if any(upgrade.shifting for upgrade in wave.of(U.READY)) or wave.of(*AT_WORK, U.ROLLING_BACK):
        return None
    if ready := wave.of(U.READY):
        return shift(seen, wave, ready)
    if wave.of(U.OBSERVING):
        return say.wave(wave, W.OBSERVING, f"Every gateway of wave {wave.number} carries its share.")
    return over(seen, wave, f"Every gateway of wave {wave.number} serves the new release for good.")


def shift(seen: RolloutSeen, wave: WaveSeen, ready: list[UpgradeSeen]) -> Move | None:
    """Those that bring the release together; only when they have the new users, the others lose theirs."""
    first = [upgrade for upgrade in ready if not upgrade.outgoing]
    if not first and (carry := [upgrade for upgrade in wave.of(U.OBSERVING) if not upgrade.outgoing]):
        # No window stops it half-way: from here it only ends what has begun.
        took = f"{count(len(carry), 'gateway')} {'takes' if len(carry) == 1 else 'take'} new users"
        return say.upgrades(ready, U.READY, f"{took}, so {names(ready)} {'takes' if len(ready) == 1 else 'take'} none.")
    if barred(seen):
        return stop(seen)
    if not first:
        return rollout(R.HELD, f"No gateway has {seen.release} ready, so {names(ready)} keep their new users. {LOOK}")
    return say.upgrades(first, U.READY, f"{count(len(first), 'gateway')} of wave {wave.number} shift together.")


def over(seen: RolloutSeen, wave: WaveSeen, reason: str) -> Move:
    """The wave has nothing in hand. It passes if a gateway carries the release; failed ones are no success."""
    failed = wave.of(U.FAILED)
    if not wave.size:
        return rollout(R.HELD, f"Wave {wave.number} has no gateway, so nothing speaks for going on. Draft it anew.")
    if wave.count(*CARRIES):
        more = f" Except {names(failed)}, which failed." if failed else ""
        if behind := wave.of(U.UPGRADING, U.READY, U.OBSERVING):
            more += f" Except {names(behind)}, which is tried again and comes behind it."
        return say.wave(wave, W.PASSED, f"{reason}{more}")
    if failed:
        more = f" {complaint(failed[0])}" if len(failed) == 1 else f" {refusal(failed, seen.failures_max)}"
        return rollout(R.HELD, f"Every gateway of wave {wave.number} failed, so it does not pass.{more} {LOOK}")
    return say.wave(wave, W.PASSED, f"Every gateway of wave {wave.number} was left out: nothing was done.")


def after_window(seen: RolloutSeen, wave: WaveSeen) -> Move | None:
    """The window ended: PASS goes on by itself, anything else waits for a person."""
    if wave.observe_until is None or seen.now < wave.observe_until:
        return None
    if not wave.of(U.OBSERVING) and not wave.of(*AT_WORK, U.READY, U.ROLLING_BACK):
        return over(seen, wave, f"Wave {wave.number} is over.")
    if wave.verdict is Outcome.PASS:
        return passed(seen, wave, wave.verdict_reason)
    if wave.observe_seconds == 0:
        return passed(seen, wave, UNOBSERVED)
    word = (wave.verdict or Outcome.NO_EVIDENCE).replace("_", " ")
    return rollout(R.WAITING_PROMOTION, f"Wave {wave.number} has no pass ({word}): {wave.verdict_reason}")


def passed(seen: RolloutSeen, wave: WaveSeen, why: str) -> Move | None:
    if wave.stage + 1 >= wave.stages:
        return say.wave(wave, W.COMMITTING, why)
    if seen.shares == "hand":
        share = f"share {wave.stage + 1} of {wave.stages}"
        return rollout(R.WAITING_PROMOTION, f"Wave {wave.number} passed at {share}. The next waits for a person. {why}")
    if barred(seen):
        return stop(seen)
    return say.wave(wave, W.UPGRADING, why, stage=wave.stage + 1)


def evidence_came(seen: RolloutSeen) -> Move | None:
    """While a person is awaited because evidence was missing, evidence may still come."""
    wave = current(seen)
    if wave is None or wave.state is not W.OBSERVING or wave.verdict is not Outcome.PASS:
        return None
    if seen.shares == "hand" and wave.stage + 1 < wave.stages:
        return None
    return rollout(R.UPGRADING, f"Enough evidence came: {wave.verdict_reason}")


def commit(seen: RolloutSeen, wave: WaveSeen) -> Move | None:
    """What passed is made the steady state, as many at once as the strategy lets be at work."""
    due = [upgrade for upgrade in wave.of(U.OBSERVING) if not is_late(upgrade, wave)]
    if coming := [upgrade for upgrade in due if not upgrade.outgoing]:
        due = coming
    elif any(not upgrade.outgoing for upgrade in wave.of(*AT_WORK)):
        return None  # else a trial that ends now would leave nobody open
    room = seen.at_once - wave.count(*AT_WORK)
    if due and room > 0:
        return say.upgrades(due[:room], U.COMMITTING, wave.verdict_reason or "Passed.")
    if due or wave.of(*AT_WORK, U.ROLLING_BACK):
        return None
    return over(seen, wave, f"Every gateway of wave {wave.number} serves the new release for good.")


def is_late(upgrade: UpgradeSeen, wave: WaveSeen) -> bool:
    """It came to carry its share after the wave's verdict was drawn, so that verdict is not on it."""
    if wave.state is W.PASSED:
        return True
    return wave.state is W.COMMITTING and bool(upgrade.since and wave.since and upgrade.since > wave.since)


def latecomers(seen: RolloutSeen) -> Move | None:
    """Gateways that were tried again behind their wave: each is shifted alone and has a window of its own."""
    return next(late_moves(seen), None)


def ill_latecomers(seen: RolloutSeen) -> Move | None:
    """On hold none of them goes on; one that fails is taken back all the same."""
    return next((move for move in late_moves(seen) if move.to is U.ROLLING_BACK), None)


def late_moves(seen: RolloutSeen) -> Iterator[Move]:
    for wave in seen.waves:
        if wave.state is W.UPGRADING or wave.state in (W.PLANNED, W.ROLLING_BACK, W.ROLLED_BACK):
            continue
        for upgrade in wave.of(U.READY, U.OBSERVING):
            if move := late(seen, wave, upgrade):
                yield move


def late(seen: RolloutSeen, wave: WaveSeen, upgrade: UpgradeSeen) -> Move | None:
    if upgrade.state is U.READY:
        alone = f"{upgrade.gateway} shifts behind its wave."
        return None if upgrade.shifting or barred(seen) else say.upgrades([upgrade], U.READY, alone)
    if not is_late(upgrade, wave):
        return None
    if wave.verdict is Outcome.FAIL:
        ill = f"{wave.verdict_reason} {upgrade.gateway} was not taken back: {upgrade.old_trouble} {PERSON}"
        back = say.upgrades([upgrade], U.ROLLING_BACK, wave.verdict_reason)
        return rollout(R.HELD, ill) if upgrade.old_trouble else back
    until = (upgrade.since or seen.now) + timedelta(seconds=wave.observe_seconds)
    if wave.observe_seconds and (seen.now < until or wave.verdict is not Outcome.PASS):
        return None
    return say.upgrades([upgrade], U.COMMITTING, wave.verdict_reason if wave.observe_seconds else UNOBSERVED)


def drained(seen: RolloutSeen) -> Move | None:
    """Everything is over, or a person must say what becomes of those that failed."""
    sizes = {state: sum(wave.count(state) for wave in seen.waves) for state in U}
    if sum(sizes.values()) != sizes[U.DONE] + sizes[U.FAILED] + sum(sizes[state] for state in OUT):
        return None
    if failed := seen.of(U.FAILED):
        return rollout(R.HELD, f"All else is done. {refusal(failed, seen.failures_max)} {LOOK}")
    if not sizes[U.DONE]:
        return rollout(R.DONE, "Every gateway was left out: nothing was done.")
    left = f" {count(sizes[U.SKIPPED], 'gateway')} left out." if sizes[U.SKIPPED] else ""
    if seen.between:
        return rollout(R.DONE, f"All new users went from {seen.between}, and the former stands idle as it was.{left}")
    return rollout(R.DONE, f"The last old slot is empty and retired.{left}")
