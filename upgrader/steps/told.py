"""What is told of gateways as a whole, as upgrader/steps/apart.py takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Lines = Mapping[str, Mapping[str, Mapping[int, float]]]
"""Metric → by whom → begin of a step in epoch seconds → size above 0."""


@dataclass(frozen=True)
class Before:
    """One gateway and others in the time before this rollout touched it. `hour`: what the hour of the week brings."""

    mine: Lines = field(default_factory=dict)
    theirs: Lines = field(default_factory=dict)
    rates: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # metric → tries and failures of its own
    hour: Mapping[str, float] = field(default_factory=dict)  # metric → logarithm


@dataclass(frozen=True)
class Seen:
    """The same since the last stretch, up to `until` (by source), with who told it and who is quiet."""

    until: Mapping[str, float] = field(default_factory=dict)
    mine: Lines = field(default_factory=dict)
    theirs: Lines = field(default_factory=dict)
    rates: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=dict)  # its own; of others
    by: Mapping[str, str] = field(default_factory=dict)  # metric → who told it: "2 probe hosts outside"
    quiet: Mapping[str, str] = field(default_factory=dict)  # source → the sentence why it tells nothing
    facts: Mapping[str, str] = field(default_factory=dict)  # source → in the words of fleet.metrics.standing
