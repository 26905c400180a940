"""From a strategy and a list of gateways to waves, and the digest of all that. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from fleet.phrases import count, listed
from upgrader.strategy import Spec, WaveSpec, parse_spec


@dataclass(frozen=True)
class Target:
    """A gateway as the plan saw it."""

    id: int
    name: str
    release: str  # committed
    sessions: int
    domain: str


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
