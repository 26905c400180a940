"""A strategy's deadlines and limits against each other: one that contradicts itself is refused when it is loaded. Pure.

Argo Rollouts takes such a pair and shows a false "Degraded" hours later (argo-rollouts#3414).
"""

from __future__ import annotations

from upgrader.strategy_spec import Drain, Spec, SpecError, WaveSpec

TRIAL_MOST = 43_200  # seconds, between two pools: hagate's longest is a day


def check_together(spec: Spec) -> None:
    """Raise SpecError with the two fields that contradict each other, and how."""
    for number, wave in enumerate(spec.waves):
        where: tuple[str | int, ...] = ("batch",) if spec.kind == "rolling" else ("waves", number)
        _wave(spec, wave, *where)
    _order(spec)
    _drain(spec.drain)
    _shares(spec)
    _room(spec)
    if spec.kind == "blue_green":
        _blue_green(spec)
    if spec.between:
        _between(spec)
    if spec.emergency:
        _emergency(spec)


def observed(spec: Spec, wave: WaveSpec) -> int:
    """Seconds for which each share of the wave is watched."""
    return spec.observe_seconds if wave.observe_seconds is None else wave.observe_seconds


def check_times(spec: Spec) -> None:
    """What every gateway's dead man needs."""
    if spec.trial_seconds < 4 * spec.poll_seconds:
        raise SpecError(
            f"trial_seconds is {spec.trial_seconds} and must be at least 4 × poll_seconds ({spec.poll_seconds}):"
            " else the gateway goes back while it is being watched.",
            "trial_seconds",
        )


def _wave(spec: Spec, wave: WaveSpec, *where: str | int) -> None:
    seconds = observed(spec, wave)
    place = (*where, "observe_seconds") if wave.observe_seconds is not None else ("observe_seconds",)
    if seconds == 0:
        if len(wave.weights) > 1:
            raise SpecError(
                f"weights has {len(wave.weights)} shares, and with observe_seconds 0 nobody looks between them:"
                " give one share, 100, or an observation.",
                *where,
                "weights",
            )
        return
    # One look a gateway each poll, and one login a look. Of percent, labels and rest the number is not known yet.
    gateways = {"count": wave.amount, "names": len(wave.names)}.get(wave.take, 0)
    looks = seconds // spec.poll_seconds
    if looks < 1 or (gateways and looks * gateways < spec.limits.min_logins):
        raise SpecError(
            f"observe_seconds is {seconds}, and with poll_seconds {spec.poll_seconds} that gives"
            f" {looks * max(gateways, 1)} logins; limits.min_logins asks for {spec.limits.min_logins}:"
            " there would never be a verdict.",
            *place,
        )


def _order(spec: Spec) -> None:
    """Which waves can come after which."""
    for number, wave in enumerate(spec.waves[:-1]):
        if wave.take == "rest":
            raise SpecError("A wave that takes the rest leaves nothing for those after it.", "waves", number, "rest")
    named = [name for wave in spec.waves for name in wave.names]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise SpecError(f"Two waves name {', '.join(twice)}; a gateway is in one wave.", "waves")
    unwatched = any(observed(spec, wave) == 0 for wave in spec.waves)
    if spec.promote == "machine" and unwatched and spec.failures_max:
        raise SpecError(
            f"promote is machine, observe_seconds 0 and failures_max {spec.failures_max}: nothing would stop it at the"
            " first fault. Set failures_max to 0, observe, or let a person promote.",
            "failures_max",
        )


def _drain(drain: Drain) -> None:
    if (drain.at_deadline == "extend") != (drain.extend_hours > 0):
        raise SpecError(
            f"at_deadline is {drain.at_deadline} and extend_hours {drain.extend_hours:g}:"
            " extending needs hours above 0, and nothing else reads them.",
            *("drain", "extend_hours" if drain.extend_hours else "at_deadline"),
        )
    if (drain.at_deadline == "cut") != (drain.cut_at_most > 0):
        raise SpecError(
            f"at_deadline is {drain.at_deadline} and cut_at_most {drain.cut_at_most}:"
            " cutting needs a number of users above 0, and nothing else reads it.",
            *("drain", "cut_at_most" if drain.cut_at_most else "at_deadline"),
        )
    if drain.at_deadline == "cut" and drain.cut_at_most < drain.sessions_max:
        raise SpecError(
            f"cut_at_most is {drain.cut_at_most} and sessions_max {drain.sessions_max}: at the deadline fewer could be"
            " cut than before it.",
            *("drain", "cut_at_most"),
        )


def _shares(spec: Spec) -> None:
    if spec.shares == "machine":
        return
    if spec.kind == "rolling":
        raise SpecError("shares is hand, and a rolling strategy goes on batch by batch: use canary for that.", "shares")
    if all(len(wave.weights) == 1 for wave in spec.waves):
        raise SpecError("shares is hand, and no wave has a share before 100: there is nothing to let on.", "shares")


def _room(spec: Spec) -> None:
    most = spec.max_out.gateways
    if most is not None and spec.at_once > most:
        raise SpecError(
            f"at_once is {spec.at_once} and max_out.gateways {most}: so many would never be at work.", "at_once"
        )


def _blue_green(spec: Spec) -> None:
    """All gateways shift at the same moment, and back as fast: no shares, no second wave, no early retirement."""
    if len(spec.waves) != 1 or spec.waves[0].take != "rest" or spec.waves[0].weights != (100,):
        raise SpecError("blue_green shifts all at once: it has one wave, rest, with the one share 100.", "waves")
    if spec.drain.sessions_max and not spec.between:
        raise SpecError(
            f"sessions_max is {spec.drain.sessions_max}, and blue_green keeps its old slots to go back as fast:"
            " set it to 0.",
            *("drain", "sessions_max"),
        )


def _between(spec: Spec) -> None:
    """The pool that served stays as it is, with whoever is on it: its drain only says when the rollout is over."""
    drain = spec.drain
    if spec.trial_seconds > TRIAL_MOST:
        raise SpecError(
            f"trial_seconds is {spec.trial_seconds}, and between two pools {TRIAL_MOST} at most: a balancer keeps no"
            " trial longer than a day, and that of the new side lasts twice as long.",
            "trial_seconds",
        )
    if drain.at_deadline == "cut":
        raise SpecError(
            "at_deadline is cut, and between two pools nobody is cut: who is left stays on the pool that served.",
            *("drain", "at_deadline"),
        )
    if drain.message:
        raise SpecError(
            "message is set, and between two pools it would still be shown when the pool that served serves again.",
            *("drain", "message"),
        )


def _emergency(spec: Spec) -> None:
    """What may pass a freeze is watched, and nobody is asked twice on the way."""
    for number, wave in enumerate(spec.waves):
        if observed(spec, wave) == 0:
            where = ("batch",) if spec.kind == "rolling" else ("waves", number)
            raise SpecError("emergency is true and observe_seconds 0: what passes a freeze is watched.", *where)
    if spec.shares == "hand":
        raise SpecError("emergency is true and shares is hand: a patch does not wait for a comparison.", "shares")
