"""Readings of one slot and release, added up to bins of one width. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from fleet.metrics.counters import COUNTED


@dataclass(frozen=True)
class Bin:
    """`at`: its begin, epoch seconds; `seconds`: what the counts are about; `values`: columns of a reading."""

    at: int
    seconds: float
    values: Mapping[str, float | None]

    def of(self, column: str) -> float | None:
        return self.values.get(column)


Line = Sequence[Bin]
"""In order of time, at most one a width."""


def busiest(lines: Sequence[Line]) -> list[Bin]:
    """Of several slots at each moment the one with most users: where the gateway's people were."""
    chosen: dict[int, Bin] = {}
    for line in lines:
        for each in line:
            known = chosen.get(each.at)
            if known is None or (each.of("sessions") or 0) > (known.of("sessions") or 0):
                chosen[each.at] = each
    return [chosen[at] for at in sorted(chosen)]


def widened(line: Line, width: int) -> list[Bin]:
    """Added up to bins of `width` seconds: counts summed, the rest as means."""
    made: dict[int, list[Bin]] = {}
    for each in line:
        made.setdefault(each.at // width * width, []).append(each)
    return [one(at, parts) for at, parts in made.items()]


def one(at: int, parts: Sequence[Bin]) -> Bin:
    values: dict[str, float | None] = {}
    for name in parts[0].values:
        known = [value for part in parts if (value := part.of(name)) is not None]
        values[name] = None if not known else sum(known) if name in COUNTED else fmean(known)
    return Bin(at, sum(part.seconds for part in parts), values)
