"""What a plan promises and allows, as sentences for those who approve it. Reads plans of older versions too. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.phrases import count, duration, listed
from upgrader.strategy import Spec, parse_spec
from upgrader.strategy_spec import Metric, Source


def cut_say(plan: Mapping[str, Any]) -> str:
    """Who would be cut by the way the gateways go; "" when nobody is."""
    hit = [g for wave in plan["waves"] for g in wave["gateways"] if g.get("cut")]
    if not hit:
        return ""
    users = count(sum(g["cut"] for g in hit), "user")
    names = listed([f"{g['name']} ({g['cut']})" for g in hit], 12)
    return f"Up to {users} will be cut: {names} can't hold two releases at once and restart in place."


def left_out_say(plan: Mapping[str, Any]) -> str:
    return " ".join(plan.get("left_out", []))


def rules(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The plan's rules by name, each as a sentence with its numbers."""
    spec = parse_spec(plan["spec"])
    migrates = bool(plan.get("release", {}).get("state_migration"))
    said = [
        ("Observation", observed_say(spec)),
        ("Limits", limits_say(spec)),
        ("Who lets it on", promote_say(spec)),
        ("A FAIL", fail_say(spec, migrates=migrates)),
        ("At work at once", room_say(spec)),
        (left_of(spec), drain_say(spec)),
    ]
    return [*said, ("Emergency", EMERGENCY)] if spec.emergency else said


WORDS: Mapping[str, str] = {
    "logins": "users' failed logins",
    "session_errors": "session errors",
    "login_time": "login time",
    "handshake_time": "handshake time",
    "reconnects": "reconnects",
    "rtt": "round trip",
    "retransmissions": "packets sent again",
    "memory": "memory a session",
    "cpu": "CPU a session",
    "door_time": "handshake on the gateway itself",
    "auth_time": "sign-in time by ocserv",
    "complaints": "complaints of users",
    "files": "open files a session",
    "outside_logins": "failed sign-ins from outside",
    "outside_loss": "packets lost from outside",
    "outside_time": "sign-in time from outside",
    "outside_handshake": "TLS from outside",
    "outside_rtt": "round trip from outside",
    "outside_jitter": "jitter from outside",
    "machine_cpu": "CPU of the machine",
    "machine_memory": "memory of the machine",
}
BESIDE: Mapping[str, str] = {
    "best": "on the old slot",
    "slots": "on the old slot",
    "control": "on other gateways of the pool",
    "past": "in the same hour of other weeks",
}
EMERGENCY = (
    "It may be approved through a freeze by who holds that right, it is shouted about, and it takes a third slot where"
    " the second still drains."
)


def observed_say(spec: Spec) -> str:
    if spec.observe_seconds == 0 and not any(wave.observe_seconds for wave in spec.waves):
        return "None: only the login probe before the shift speaks for the release."
    each = "each share" if any(len(wave.weights) > 1 for wave in spec.waves) else "each wave"
    dead = f"A gateway that hears nothing of us for {duration(spec.trial_seconds)} goes back by itself."
    if spec.between:
        dead = f"A balancer that hears nothing of us for {duration(spec.trial_seconds)} sends new users back by itself."
    return f"After {each} it is watched for {duration(spec.observe_seconds)}, every {spec.poll_seconds} s. {dead}"


def limits_say(spec: Spec) -> str:
    limits = spec.limits
    restarts = "no restart" if limits.restarts_max == 0 else f"at most {count(limits.restarts_max, 'restart')}"
    return (
        f"Logins succeed in at least {100 * limits.login_success_min:g} % of at least {limits.min_logins} tries;"
        f" {restarts} of the new release. {metrics_say(limits.metrics, beside(spec))} {sources_say(spec)}"
    ).rstrip()


def beside(spec: Spec) -> str:
    return "in the pool that served" if spec.between else BESIDE[spec.limits.compare]


SOURCE_WORDS: Mapping[Source, str] = {"gateway": "the gateways", "probes": "probe hosts", "prometheus": "Prometheus"}


def sources_say(spec: Spec) -> str:
    """Who must speak for a verdict; "" where whoever is there counts."""
    named = listed([SOURCE_WORDS[name] for name in spec.limits.sources])
    return f"Only what {named} say counts, and while one of them is quiet there is no verdict." if named else ""


def left_of(spec: Spec) -> str:
    """What drains."""
    return "The pool that served" if spec.between else "Old slots"


def metrics_say(metrics: Mapping[str, Metric], beside: str) -> str:
    """What is compared, with what, and what follows when it is worse."""
    used = {name: metric for name, metric in metrics.items() if metric.use}
    fail = [f"{WORDS[name]} (×{one.tolerated:g})" for name, one in used.items() if one.critical]
    ask = [f"{WORDS[name]} (×{one.tolerated:g})" for name, one in used.items() if not one.critical]
    said = f"Worse than {beside} beyond chance: {listed(fail, 20)} fail the wave." if fail else ""
    asked = f"{'These' if fail else f'Worse than {beside} beyond chance, these'} ask a person: {listed(ask, 20)}."
    return f"{said} {asked}".strip() if ask else said


def promote_say(spec: Spec) -> str:
    waves = "A person promotes each next wave" if spec.promote == "hand" else "Waves that pass go on by themselves"
    if all(len(wave.weights) == 1 for wave in spec.waves):
        return f"{waves}."
    shares = "a person lets each next share on" if spec.shares == "hand" else "shares that pass go on by themselves"
    return f"{waves}; {shares}."


def fail_say(spec: Spec, *, migrates: bool = False) -> str:
    if spec.between:
        held = count(spec.failures_max + 1, "gateway") if spec.failures_max else "The first gateway"
        return f"Sends all new users back by itself, and checks that logins work there. {held} that fails holds it."
    what = "the wave in hand" if spec.on_fail == "wave" else "every gateway whose old slot is still there"
    held = f"More than {count(spec.failures_max, 'gateway')} that failed or don't answer" if spec.failures_max else ""
    held = f" {held or 'The first gateway that fails or does not answer'} holds it."
    never = " Not after the first start: this release migrates state." if migrates else ""
    return f"Takes back {what} by itself, and checks that the old release serves again.{held}{never}"


def room_say(spec: Spec) -> str:
    out = spec.max_out
    most = [
        say
        for known, say in (
            (out.gateways, f"{out.gateways} gateways"),
            (out.percent, f"{out.percent} % of the plan's gateways"),
            (out.sessions, f"{out.sessions} sessions at risk"),
        )
        if known is not None
    ]
    also = f" and at most {listed(most)} out" if most else ""
    return f"At most {count(spec.at_once, 'gateway')} of a wave{also}. Two that stand in for each other never."


def drain_say(spec: Spec) -> str:
    """When an old slot ends, and what may happen to users who are left then."""
    drain = spec.drain
    if spec.between:
        few = f"at most {count(drain.sessions_max, 'user')}" if drain.sessions_max else "nobody"
        return (
            f"It stays as it is, and nobody there is cut. The rollout is done when {few} is left on it, or after"
            f" {duration(3600 * drain.deadline_hours)}. Going back is a matter of a moment all the time."
        )
    after = f"After {duration(3600 * drain.deadline_hours)}"
    if drain.sessions_max:
        are = "is" if drain.sessions_max == 1 else "are"
        empty = f"Each ends when at most {count(drain.sessions_max, 'user')} {are} left, who {are} cut then."
    else:
        empty = "Each ends when nobody is left."
    late = {
        "ask": "people are asked, and nobody is cut before",
        "extend": f"users get {duration(3600 * drain.extend_hours)} more, once, then people are asked",
        "cut": f"up to {count(drain.cut_at_most, 'user')} a gateway are cut; of more people are asked",
    }[drain.at_deadline]
    note = " Users who sign in meanwhile read a message." if drain.message else ""
    return f"{empty} {after} {late}.{note} Until then going back is a matter of a moment."


@dataclass(frozen=True)
class Ends:
    """A wave's place in time, when nobody has to be waited for."""

    number: int
    seconds: int
    after: int  # seconds from the start of the rollout to its end


def ends(plan: Mapping[str, Any]) -> list[Ends]:
    """When each wave would end; [] for a plan of an older version, which did not say."""
    if any("seconds" not in wave for wave in plan["waves"]):
        return []
    made, at = [], 0
    for wave in plan["waves"]:
        at += wave["seconds"]
        made.append(Ends(wave["number"], wave["seconds"], at))
    return made
