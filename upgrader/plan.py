"""From a strategy and a list of gateways to waves, and the digest of all that. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from fleet.phrases import count, listed
from upgrader.flow import TRIAL_LEAST


class SpecError(ValueError):
    """A strategy that can't be read. It stops the rollout; nothing is guessed."""


@dataclass(frozen=True)
class Limits:
    login_success_min: float  # share of probe logins; equal is allowed
    min_logins: int  # fewer are no evidence
    restarts_max: int  # of the new release's processes; equal is allowed


@dataclass(frozen=True)
class WaveSpec:
    title: str
    take: Literal["count", "percent", "rest"]
    amount: int
    weights: tuple[int, ...]  # shares of new clients in percent, one observation each, the last is 100


@dataclass(frozen=True)
class Spec:
    waves: tuple[WaveSpec, ...]
    observe_seconds: int
    poll_seconds: int
    trial_seconds: int  # the dead man: after so long without us the gateway goes back by itself
    at_once: int  # gateways at work at the same time in a wave
    promote: Literal["hand", "machine"]
    limits: Limits
    drain_hours: float


@dataclass(frozen=True)
class Target:
    """A gateway as the plan saw it."""

    id: int
    name: str
    release: str  # committed
    sessions: int
    domain: str


def whole(data: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{name} must be a whole number from {low} to {high}, and is {value!r}.")
    return value


def share(data: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SpecError(f"{name} must be a number from {low} to {high}, and is {value!r}.")
    return float(value)


def parse_wave(data: Mapping[str, Any]) -> WaveSpec:
    """Return one wave's rule. Exactly one of count, percent, rest; weights rise and end at 100."""
    takes = [name for name in ("count", "percent", "rest") if name in data]
    if len(takes) != 1 or set(data) - {"count", "percent", "rest", "title", "weights"}:
        raise SpecError(f"A wave takes one of count, percent or rest, and has {sorted(data)}.")
    weights = tuple(data.get("weights", [100]))
    rising = all(isinstance(w, int) and 1 <= w <= 100 for w in weights) and list(weights) == sorted(set(weights))
    if not weights or not rising or weights[-1] != 100:
        raise SpecError(f"Weights must rise and end at 100, and are {list(weights)}.")
    title = str(data.get("title", ""))
    match takes[0]:
        case "count":
            return WaveSpec(title, "count", whole(data, "count", 1, 10_000), weights)
        case "percent":
            return WaveSpec(title, "percent", whole(data, "percent", 1, 100), weights)
        case _:
            return WaveSpec(title, "rest", 0, weights)


def parse_spec(data: Mapping[str, Any]) -> Spec:
    """Return the strategy as values. Raise SpecError with one sentence about the first field that is wrong."""
    known = {
        "waves",
        "observe_seconds",
        "poll_seconds",
        "trial_seconds",
        "at_once",
        "promote",
        "limits",
        "drain",
    }
    if unknown := set(data) - known:
        raise SpecError(f"The strategy has fields that nobody reads: {', '.join(sorted(unknown))}.")
    waves = tuple(parse_wave(wave) for wave in data.get("waves", []))
    if not waves:
        raise SpecError("The strategy has no waves.")
    if data.get("promote") not in ("hand", "machine"):
        raise SpecError(f"promote must be hand or machine, and is {data.get('promote')!r}.")
    limits = data.get("limits", {})
    spec = Spec(
        waves=waves,
        observe_seconds=whole(data, "observe_seconds", 1, 86_400),
        poll_seconds=whole(data, "poll_seconds", 1, 300),
        trial_seconds=whole(data, "trial_seconds", TRIAL_LEAST, 86_400),
        at_once=whole(data, "at_once", 1, 1_000),
        promote=data["promote"],
        limits=Limits(
            login_success_min=share(limits, "login_success_min", 0.0, 1.0),
            min_logins=whole(limits, "min_logins", 1, 1_000_000),
            restarts_max=whole(limits, "restarts_max", 0, 1_000),
        ),
        drain_hours=share(data.get("drain", {}), "deadline_hours", 0.0, 10_000.0),
    )
    if spec.trial_seconds < 4 * spec.poll_seconds:
        raise SpecError(
            f"trial_seconds is {spec.trial_seconds} and must be at least 4 × poll_seconds ({spec.poll_seconds}):"
            " else the gateway goes back while it is being watched."
        )
    return spec


def in_order(targets: Sequence[Target]) -> list[Target]:
    """Fewest users first; failure domains take turns, so that one wave does not hold a whole domain."""
    left = sorted(targets, key=lambda target: (target.sessions, target.name))
    ordered: list[Target] = []
    while left:
        seen: set[str] = set()
        for target in list(left):
            if not target.domain or target.domain not in seen:
                seen.add(target.domain)
                ordered.append(target)
                left.remove(target)
    return ordered


def cut_waves(spec: Spec, targets: Sequence[Target]) -> list[tuple[WaveSpec, list[Target]]]:
    """Deal the gateways out to the waves; a wave that would be empty is left out, and what is over goes to the last."""
    left = in_order(targets)
    total = len(left)
    waves: list[tuple[WaveSpec, list[Target]]] = []
    for rule in spec.waves:
        match rule.take:
            case "count":
                size = rule.amount
            case "percent":
                size = ceil(total * rule.amount / 100)
            case _:
                size = len(left)
        taken, left = left[:size], left[size:]
        if taken:
            waves.append((rule, taken))
    if left and waves:
        waves[-1][1].extend(left)
    return waves


def build(
    *,
    release: Mapping[str, Any],
    pool: str,
    strategy: Mapping[str, Any],
    targets: Sequence[Target],
    downgrade: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the plan as data: what is shown, approved, digested and run.

    `release` has name, version, digest, state_migration; `strategy` has name, version, title, spec; `downgrade` names
    the gateways that have run something higher; `config` has id, number, sha256, changed, way, beyond.
    """
    spec = parse_spec(strategy["spec"])
    # A reload reaches all newcomers of a gateway at once: there are no shares.
    whole_only = config is not None and config["way"] == "reload"
    waves = [
        {
            "number": number,
            "title": rule.title,
            "weights": [100] if whole_only else list(rule.weights),
            "gateways": [{"id": t.id, "name": t.name, "from": t.release, "sessions": t.sessions} for t in taken],
        }
        for number, (rule, taken) in enumerate(cut_waves(spec, targets), start=1)
    ]
    return {
        "release": dict(release),
        "pool": pool,
        "strategy": {key: strategy[key] for key in ("name", "version", "title")},
        "spec": dict(strategy["spec"]),
        "waves": waves,
        "downgrade": list(downgrade),
        **({"config": dict(config)} if config else {}),
    }


def config_say(plan: Mapping[str, Any]) -> str:
    """What the plan does to the configuration, and which way it goes; "" when it takes none along."""
    config = plan.get("config")
    if not config:
        return ""
    changed = listed(config["changed"], 8) if config["changed"] else "no option"
    how = {
        "reload": "ocserv reads it again in the slot that serves: sessions stay, and a reload takes it back.",
        "restart": "It goes into the free slot, as a release does; users stay on the old slot until they leave.",
        "none": "Only comments or layout differ.",
    }
    return f"Configuration {config['number']} goes along and changes {changed}. {how[config['way']]}"


def downgrade_say(plan: Mapping[str, Any]) -> str:
    """What must not be overlooked about the plan, as a sentence; "" when it takes no gateway down."""
    names = plan.get("downgrade", [])
    if not names:
        return ""
    return (
        f"This is a downgrade for {count(len(names), 'gateway')}: {listed(names, 12)}. They have run a release with a "
        f"higher counter than {plan['release']['name']}, and never this one."
    )


def why_not_downgrade(plan: Mapping[str, Any], reason: str) -> str:
    """Why this yes is not enough: a downgrade is approved by its name."""
    if not plan.get("downgrade") or re.search(r"\bdowngrade\b", reason, re.IGNORECASE):
        return ""
    return f"{downgrade_say(plan)} Approve it with a reason that says the word downgrade, or reject it."


def digest(plan: Mapping[str, Any]) -> str:
    """SHA-256 of the plan's canonical JSON (sorted keys, no spaces, UTF-8), lower-case hex."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
