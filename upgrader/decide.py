"""What the machine does next with one rollout. Pure: a snapshot in, one move out, safe to ask any number of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from upgrader.states import Outcome, R, U, W


@dataclass(frozen=True)
class UpgradeSeen:
    id: int
    gateway: str
    state: U
    reason: str = ""
    failed_step: str = ""  # name of the step that said no, when FAILED


@dataclass(frozen=True)
class WaveSeen:
    id: int
    number: int
    state: W
    stage: int
    stages: int
    upgrades: tuple[UpgradeSeen, ...]
    observe_until: datetime | None = None
    verdict: Outcome | None = None  # on the stage under observation
    verdict_reason: str = ""


@dataclass(frozen=True)
class RolloutSeen:
    state: R
    release: str
    promote: Literal["hand", "machine"]
    at_once: int
    waves: tuple[WaveSeen, ...]
    now: datetime
    reason: str = ""  # why the rollout is where it is
    answer: str = ""  # of the people who were asked: open, approved, rejected, void, expired


@dataclass(frozen=True)
class Move:
    """One row goes to one state. `what` names the row's kind; a rollout's rollback carries the waves it takes back."""

    what: Literal["rollout", "wave", "upgrade"]
    id: int  # 0 for the rollout
    to: R | W | U
    reason: str
    stage: int | None = None
    waves: tuple[int, ...] = ()


AT_WORK = frozenset({U.UPGRADING, U.COMMITTING})
NEEDS_ROLLBACK = frozenset({U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.DONE, U.FAILED})
CARRIES = frozenset({U.DRAINING, U.DONE})


def decide(seen: RolloutSeen) -> Move | None:
    """Return the next move, or None to stay."""
    match seen.state:
        case R.WAITING_APPROVAL:
            return answered(seen)
        case R.UPGRADING:
            return failed_verdict(seen) or stuck(seen) or go_on(seen)
        case R.WAITING_PROMOTION:
            return failed_verdict(seen) or stuck(seen) or evidence_came(seen)
        case R.HELD:
            return failed_verdict(seen)
        case R.DRAINING:
            return stuck(seen) or drained(seen)
        case R.ROLLING_BACK:
            return take_back(seen)
        case _:
            return None


def answered(seen: RolloutSeen) -> Move | None:
    match seen.answer:
        case "approved":
            return Move("rollout", 0, R.UPGRADING, "Approved; wave 1 starts.")
        case "rejected":
            return Move("rollout", 0, R.REJECTED, "Rejected.")
        case "void" | "expired":
            return Move("rollout", 0, R.PLANNED, f"The request is {seen.answer}; submit it again.")
        case _:
            return None


def current(seen: RolloutSeen) -> WaveSeen | None:
    return next((wave for wave in seen.waves if wave.state not in (W.PASSED, W.ROLLED_BACK)), None)


def failed_verdict(seen: RolloutSeen) -> Move | None:
    """A FAIL rolls back what the wave changed, also while the rollout is held or waits for a person."""
    wave = current(seen)
    if wave is None or wave.verdict is not Outcome.FAIL or wave.state not in (W.UPGRADING, W.OBSERVING):
        return None
    return Move("rollout", 0, R.ROLLING_BACK, wave.verdict_reason, waves=(wave.id,))


def stuck(seen: RolloutSeen) -> Move | None:
    """A gateway that said no holds the rollout for a person; the others stay as they are."""
    failed = [upgrade for wave in seen.waves for upgrade in wave.upgrades if upgrade.state is U.FAILED]
    if not failed:
        return None
    more = f" And {len(failed) - 1} more." if len(failed) > 1 else ""
    # Most sentences begin with the gateway's name already.
    name, why = failed[0].gateway, failed[0].reason
    return Move("rollout", 0, R.HELD, f"{why if why.startswith(name) else f'{name}: {why}'}{more}")


def go_on(seen: RolloutSeen) -> Move | None:
    wave = current(seen)
    if wave is None:
        return Move("rollout", 0, R.DRAINING, f"Every gateway serves {seen.release} to new users; old slots drain.")
    match wave.state:
        case W.PLANNED if wave.number > 1 and seen.promote == "hand":
            return Move(
                "rollout",
                0,
                R.WAITING_PROMOTION,
                f"Wave {wave.number - 1} passed. Wave {wave.number} waits for a person.",
            )
        case W.PLANNED:
            return Move("wave", wave.id, W.UPGRADING, f"Wave {wave.number} starts.")
        case W.UPGRADING:
            return spread(seen, wave)
        case W.OBSERVING:
            return after_window(seen, wave)
        case W.COMMITTING:
            return commit(wave)
        case _:
            return None


def spread(seen: RolloutSeen, wave: WaveSeen) -> Move | None:
    """Begin gateways while there is room; when every one carries its share, observe."""
    if all(upgrade.state is U.OBSERVING for upgrade in wave.upgrades):
        return Move("wave", wave.id, W.OBSERVING, f"Every gateway of wave {wave.number} carries its share.")
    room = seen.at_once - sum(upgrade.state in AT_WORK for upgrade in wave.upgrades)
    waiting = [upgrade for upgrade in wave.upgrades if upgrade.state is U.PLANNED]
    if room > 0 and waiting:
        return Move("upgrade", waiting[0].id, U.UPGRADING, f"Its turn in wave {wave.number}.")
    return None


def after_window(seen: RolloutSeen, wave: WaveSeen) -> Move | None:
    """The window ended: PASS goes on by itself, anything else waits for a person."""
    if wave.observe_until is None or seen.now < wave.observe_until:
        return None
    if wave.verdict is Outcome.PASS:
        return passed(wave)
    word = (wave.verdict or Outcome.NO_EVIDENCE).replace("_", " ")
    return Move("rollout", 0, R.WAITING_PROMOTION, f"Wave {wave.number} has no pass ({word}): {wave.verdict_reason}")


def passed(wave: WaveSeen) -> Move:
    if wave.stage + 1 < wave.stages:
        return Move("wave", wave.id, W.UPGRADING, wave.verdict_reason, stage=wave.stage + 1)
    return Move("wave", wave.id, W.COMMITTING, wave.verdict_reason)


def evidence_came(seen: RolloutSeen) -> Move | None:
    """While a person is awaited because evidence was missing, evidence may still come."""
    wave = current(seen)
    if wave is None or wave.state is not W.OBSERVING or wave.verdict is not Outcome.PASS:
        return None
    return Move("rollout", 0, R.UPGRADING, f"Enough evidence came: {wave.verdict_reason}")


def commit(wave: WaveSeen) -> Move | None:
    for upgrade in wave.upgrades:
        if upgrade.state is U.OBSERVING:
            return Move("upgrade", upgrade.id, U.COMMITTING, wave.verdict_reason or "Passed.")
    if all(upgrade.state in CARRIES for upgrade in wave.upgrades):
        return Move("wave", wave.id, W.PASSED, f"Every gateway of wave {wave.number} serves the new release for good.")
    return None


def drained(seen: RolloutSeen) -> Move | None:
    if all(upgrade.state is U.DONE for wave in seen.waves for upgrade in wave.upgrades):
        return Move("rollout", 0, R.DONE, "The last old slot is empty and retired.")
    return None


def take_back(seen: RolloutSeen) -> Move | None:
    """Roll back the gateways of the waves that are being taken back; one that says no needs a person."""
    for wave in seen.waves:
        if wave.state is not W.ROLLING_BACK:
            continue
        for upgrade in wave.upgrades:
            if upgrade.state is U.FAILED and upgrade.failed_step == "restore":
                return Move("rollout", 0, R.FAILED, f"{upgrade.gateway} could not be rolled back: {upgrade.reason}")
            if upgrade.state in NEEDS_ROLLBACK:
                return Move("upgrade", upgrade.id, U.ROLLING_BACK, "Its wave is rolled back.")
        if all(upgrade.state in (U.ROLLED_BACK, U.PLANNED, U.SKIPPED) for upgrade in wave.upgrades):
            return Move("wave", wave.id, W.ROLLED_BACK, wave.verdict_reason)
        return None
    left = [upgrade for wave in seen.waves for upgrade in wave.upgrades if upgrade.state in CARRIES]
    more = f" {count(left)} of earlier waves stay on {seen.release}." if left else ""
    return Move("rollout", 0, R.ROLLED_BACK, f"Rolled back and verified.{more} Why: {seen.reason}")


def count(upgrades: Sequence[UpgradeSeen]) -> str:
    return f"{len(upgrades)} gateway{'' if len(upgrades) == 1 else 's'}"
