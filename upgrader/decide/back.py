"""How a rollback goes on. Pure."""

from __future__ import annotations

from fleet.phrases import count
from upgrader.decide import seen as say
from upgrader.decide.seen import CARRIES, NEEDS_ROLLBACK, Move, RolloutSeen, UpgradeSeen, WaveSeen, rollout
from upgrader.decide.stops import PERSON, trouble
from upgrader.states import R, U, W

TAKEN_BACK = NEEDS_ROLLBACK - {U.DONE}
"""Where the old slot is gone the rollback's own transaction says whether a gateway goes back; it is not added later."""


def take_back(seen: RolloutSeen) -> Move | None:
    """Roll back the gateways of the waves that are being taken back; one that says no needs a person."""
    for wave in seen.waves:
        if wave.state is W.ROLLING_BACK:
            return one_wave(wave)
    left = sum(wave.count(*CARRIES) for wave in seen.waves)
    more = (
        f" {count(left, 'gateway')} of earlier waves {'stays' if left == 1 else 'stay'} on {seen.release}."
        if left
        else ""
    )
    return rollout(R.ROLLED_BACK, f"Rolled back and verified.{more} Why: {seen.reason}")


def one_wave(wave: WaveSeen) -> Move | None:
    refused = [upgrade for upgrade in wave.of(U.FAILED) if upgrade.failed_step == "restore"]
    if refused:
        return rollout(R.FAILED, f"{refused[0].gateway} could not be rolled back: {refused[0].reason}")
    left = [upgrade for upgrade in wave.of(*TAKEN_BACK) if not upgrade.overtaken]
    if due := [upgrade for upgrade in left if not upgrade.old_trouble]:
        return say.upgrades(due, U.ROLLING_BACK, "Its wave is rolled back.")
    if wave.count(U.ROLLING_BACK):
        return None
    if left:
        return rollout(R.FAILED, not_onto_that(left))
    return say.wave(wave, W.ROLLED_BACK, wave.verdict_reason)


def not_onto_that(ill: list[UpgradeSeen]) -> str:
    """One never goes back onto a release that is no better."""
    return f"{say.names(ill)} stayed: the old release is no better there. {trouble(ill)} {PERSON}"
