"""What stops a rollout: a FAIL, gateways that say no, a window that closed. Pure."""

from __future__ import annotations

from fleet.phrases import count, sentence
from upgrader.decide.seen import (
    AT_WORK,
    Move,
    RolloutSeen,
    UpgradeSeen,
    WaveSeen,
    complaint,
    current,
    names,
    rollout,
)
from upgrader.states import Outcome, R, U, W


def failed_verdict(seen: RolloutSeen) -> Move | None:
    """A FAIL takes back what the strategy says, also while the rollout is held or waits for a person."""
    wave = current(seen)
    if wave is None or wave.verdict is not Outcome.FAIL or wave.state not in (W.UPGRADING, W.OBSERVING):
        return None
    return going_back(seen, wave, wave.verdict_reason)


def torn(seen: RolloutSeen) -> Move | None:
    """Blue-green is all or nothing: when one gateway did not shift, the others come back together."""
    wave = current(seen)
    if seen.kind != "blue_green" or wave is None or wave.state not in (W.UPGRADING, W.OBSERVING):
        return None
    refused = [upgrade for upgrade in wave.of(U.FAILED) if upgrade.failed_step == "shift"]
    if not refused:
        return None
    return going_back(seen, wave, f"{complaint(refused[0])} A pool shifts together, so the others go back together.")


def going_back(seen: RolloutSeen, wave: WaveSeen, why: str) -> Move | None:
    """The rollback, without the gateways whose old release is in trouble itself: those are a person's to judge."""
    waves = [wave] if seen.on_fail == "wave" else [one for one in seen.waves if touched(one)]
    concerned = [upgrade for one in waves for upgrade in one.of(*set(U) - {U.PLANNED, U.SKIPPED, U.ROLLED_BACK})]
    ill = [upgrade for upgrade in concerned if upgrade.old_trouble]
    # Between two pools the way back leads to the other one: the old release is what serves there.
    home = [upgrade for upgrade in concerned if upgrade.outgoing] or concerned
    if ill and all(upgrade.old_trouble for upgrade in home):
        say = f"{why} It was not rolled back, for the old release is no better: {trouble(ill)} {PERSON}"
        return None if seen.state is R.HELD else rollout(R.HELD, say)
    return rollout(
        R.ROLLING_BACK,
        why,
        waves=[one.id for one in waves],
        leave=[upgrade.id for upgrade in concerned if upgrade.old_trouble or upgrade.overtaken],
    )


PERSON = "Roll back all the same, or mend the old release first: a person decides."


def trouble(ill: list[UpgradeSeen]) -> str:
    more = f" The same on {count(len(ill) - 1, 'other gateway')}." if len(ill) > 1 else ""
    return f"{ill[0].old_trouble}{more}"


def touched(wave: WaveSeen) -> bool:
    return wave.state not in (W.PLANNED, W.ROLLED_BACK)


def stuck(seen: RolloutSeen) -> Move | None:
    """More gateways said no than the strategy lets pass: a person is needed; the others stay as they are."""
    failed = seen.of(U.FAILED)
    if astray := [upgrade for upgrade in failed if upgrade.failed_step == "restore"]:
        return rollout(R.HELD, f"{astray[0].gateway} could not be taken back: {astray[0].reason}")
    if len(failed) <= seen.failures_max:
        return None
    return rollout(R.HELD, refusal(failed, seen.failures_max))


def refusal(failed: list[UpgradeSeen], most: int) -> str:
    first = complaint(failed[0])
    if most:
        return f"{count(len(failed), 'gateway')} failed, {most} may: {names(failed)}. {first}"
    return f"{first} And {len(failed) - 1} more." if len(failed) > 1 else first


def too_many(seen: RolloutSeen) -> Move | None:
    """Before something new begins those count, too, that have not answered lately."""
    silent = [upgrade for upgrade in seen.of(*AT_WORK, U.READY, U.OBSERVING) if upgrade.silent]
    failed = seen.of(U.FAILED)
    if not silent or len(silent) + len(failed) <= seen.failures_max:
        return None
    also = f" {names(failed)} failed." if failed else ""
    allowed = f"{count(seen.failures_max, 'gateway')} may fail" if seen.failures_max else "none may fail"
    say = f"No answer lately from {names(silent)}.{also} By the strategy {allowed}, so nothing new begins."
    return rollout(R.HELD, f"{say} Look there, then resume.")


def barred(seen: RolloutSeen) -> bool:
    """Whether nothing new may begin now."""
    return bool(seen.blocked) or too_many(seen) is not None


def stop(seen: RolloutSeen) -> Move | None:
    """How a rollout stops that may begin nothing: what is in hand ends first; one that has not begun just waits."""
    if move := too_many(seen):
        return move
    in_hand = any(upgrade.state in AT_WORK or upgrade.shifting for upgrade in seen.of(*AT_WORK, U.READY))
    if not seen.blocked or not seen.began or in_hand:
        return None
    return rollout(R.HELD, f"{sentence(seen.blocked)} What was in hand is finished; resume when it may go on.")


def waits(seen: RolloutSeen) -> str:
    """Why nothing new begins now although it is its turn, as a sentence; "" when nothing is in the way."""
    wave = current(seen)
    if seen.state is not R.UPGRADING or wave is None or wave.state not in (W.PLANNED, W.UPGRADING):
        return ""
    planned = wave.of(U.PLANNED)
    if seen.blocked and (planned or wave.state is W.PLANNED):
        return seen.blocked
    taken = [upgrade for upgrade in planned if upgrade.taken]
    if taken and len(taken) == len(planned):
        return f"Another rollout works on {names(taken)}. This one goes on there after that."
    return ""
