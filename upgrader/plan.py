"""From a strategy and a list of gateways to a plan as data, and the digest of that. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.phrases import count, listed
from upgrader.plan_times import USUAL_PACE, Pace, wave_seconds
from upgrader.plan_waves import Dealt, PlanError, Target, cut_waves, in_order
from upgrader.strategy import Spec, checked_spec, full_spec

__all__ = ["Beside", "PlanError", "Target", "build", "cut_waves", "digest", "in_order"]


@dataclass(frozen=True)
class Beside:
    """What a plan may have besides."""

    downgrade: Sequence[str] = ()  # gateways that have run something higher
    config: Mapping[str, Any] | None = None  # id, number, sha256, changed, way, beyond
    others: Sequence[Target] = ()  # gateways of the pool that need nothing
    pace: Pace = field(default=USUAL_PACE)
    passes: Sequence[int] = ()  # freezes that it may pass, when it is approved so
    between: Mapping[str, Any] | None = None  # idle, serves (id, name), balancer, backend
    leaving: Sequence[Target] = ()  # the gateways that lose their new users to the others


def build(
    *,
    release: Mapping[str, Any],
    pool: str,
    strategy: Mapping[str, Any],
    targets: Sequence[Target],
    beside: Beside | None = None,
) -> dict[str, Any]:
    """Return the plan as data: what is shown, approved, digested and run. Raise SpecError or PlanError.

    `release` has name, version, digest, state_migration; `strategy` has name, version, title, spec.
    """
    beside = beside or Beside()
    spec = checked_spec(strategy["spec"])
    waves = cut_waves(spec, targets, beside.others)
    # A reload reaches all newcomers of a gateway at once: there are no shares.
    whole_only = beside.config is not None and beside.config["way"] == "reload"
    return {
        "release": dict(release),
        "pool": pool,
        "strategy": {key: strategy[key] for key in ("name", "version", "title")},
        "spec": full_spec(strategy["spec"]),
        "waves": [
            _wave(spec, dealt, number, weights=[100] if whole_only else list(dealt.rule.weights), beside=beside)
            for number, dealt in enumerate(waves.dealt, start=1)
        ],
        "left_out": waves.left_out,
        "times": beside.pace.say,
        "cut": sum(target.cut for target in targets),
        "passes": sorted(beside.passes),
        "downgrade": list(beside.downgrade),
        **({"config": dict(beside.config)} if beside.config else {}),
        **({"between": dict(beside.between)} if beside.between else {}),
    }


def _wave(spec: Spec, dealt: Dealt, number: int, *, weights: list[int], beside: Beside) -> dict[str, Any]:
    observe = spec.observe_seconds if dealt.rule.observe_seconds is None else dealt.rule.observe_seconds
    return {
        "number": number,
        "title": dealt.rule.title,
        "weights": weights,
        "observe_seconds": observe,
        "seconds": wave_seconds(
            len(dealt.targets), at_once=spec.at_once, shares=len(weights), observe=observe, pace=beside.pace
        ),
        "why": dealt.why,
        "gateways": [_gateway(target) for target in (*dealt.targets, *beside.leaving)],
    }


def _gateway(target: Target) -> dict[str, Any]:
    return {
        "id": target.id,
        "name": target.name,
        "from": target.release,
        "sessions": target.sessions,
        "way": target.way,
        "cut": target.cut,
        "group": target.group,
        "domain": target.domain,
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
