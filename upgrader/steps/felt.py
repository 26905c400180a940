"""Sizes that both slots have at the same time: round trips, packets sent again, memory and CPU a session. Pure.

They are taken once in EVERY seconds, as a mean over it: the gateway makes some of them anew that seldom, and what is
told twice is no second evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from upgrader.steps.job import SampleOf

EVERY = 30.0  # seconds
LEAST_USERS = 5  # on each slot: with fewer one user's line or a handful of sign-ins is the whole number
LEAST_SEGMENTS = 200  # sent to users in that time, else the share of those sent again is noise
PROCESSES = 2  # of an ocserv without users (main and sec-mod); each user has one more
COUNTS = ("cpu_seconds", "segments", "retransmitted")
SIZES = ("sessions", "rtt_ms", "rss_bytes", "door_ms", "auth_seconds")
LEVELS = ("door_time", "auth_time", "rtt", "retransmissions", "memory", "cpu")


def felt(earlier: Mapping[str, Any], taken: Sequence[SampleOf]) -> tuple[dict[str, Any], dict[int, dict[str, float]]]:
    """Return what is kept for the next look, and by slot what was felt, where EVERY seconds are over on all of them.

    A sample of an older version says no time (`at`) and is left alone.
    """
    kept = dict(earlier)
    for sample in taken:
        if sample.values.get("at"):
            key = str(sample.slot)
            kept[key] = noted(kept.get(key), sample)
    mine = {sample.slot: kept[str(sample.slot)] for sample in taken if str(sample.slot) in kept}
    if len(mine) < 2 or any(one["at"] - one["began"] < EVERY for one in mine.values()):
        return kept, {}
    kept |= {str(slot): begun(one["last"], one["at"]) for slot, one in mine.items()}
    return kept, {slot: sizes(one) for slot, one in mine.items()}


def begun(counts: Mapping[str, Any], at: float) -> dict[str, Any]:
    return {"at": at, "began": at, "first": dict(counts), "last": dict(counts), "sums": {}}


def noted(one: Mapping[str, Any] | None, sample: SampleOf) -> dict[str, Any]:
    """One slot's part with this sample in it. The same answer again adds nothing; another process begins anew."""
    at = float(sample.values["at"])
    counts = {name: sample.values.get(name) for name in (*COUNTS, "reconnects", "up_since")}
    if one is None or is_fresh(one["last"], counts):
        return begun(counts, at)
    if at <= one["at"]:
        return dict(one)
    sums = {name: list(told) for name, told in one["sums"].items()}
    for name in SIZES:
        value = sample.values.get(name)
        if value is not None:
            number, total = sums.get(name, (0, 0.0))
            sums[name] = [number + 1, total + float(value)]
    return {**one, "at": at, "last": counts, "sums": sums}


def is_fresh(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether another process counts now; the start is told in whole seconds, a second off in some versions."""
    if abs(float(now["up_since"] or 0.0) - float(before["up_since"] or 0.0)) > 2:
        return True
    return any(was is not None and new is not None and new < was for was, new in ((before[n], now[n]) for n in COUNTS))


def sizes(one: Mapping[str, Any]) -> dict[str, float]:
    """What one slot felt in its interval, by metric; what can't be known or told apart from noise is left out."""
    means = {name: total / number for name, (number, total) in one["sums"].items() if number}
    users, seconds = means.get("sessions", 0.0), one["at"] - one["began"]
    found = {"door_time": means.get("door_ms", 0.0), "auth_time": means.get("auth_seconds", 0.0)}
    if users >= LEAST_USERS:
        found["rtt"] = means.get("rtt_ms", 0.0)
        found["memory"] = means.get("rss_bytes", 0.0) / (users + PROCESSES)
        found["cpu"] = counted(one, "cpu_seconds") / seconds / users
        segments = counted(one, "segments")
        if segments >= LEAST_SEGMENTS:
            found["retransmissions"] = (counted(one, "retransmitted") + 0.5) / (segments + 1)
    return {name: value for name, value in found.items() if value > 0}


def counted(one: Mapping[str, Any], name: str) -> float:
    first, last = one["first"][name], one["last"][name]
    return 0.0 if first is None or last is None else float(last - first)


def minutes(earlier: Mapping[str, Any], sample: SampleOf) -> tuple[float, int] | None:
    """Minutes of users and reconnects in them since the look before; None where that is not known.

    `earlier`: what `felt` kept then.
    """
    before = earlier.get(str(sample.slot))
    was = before["last"].get("reconnects") if before else None
    at, users, now = (sample.values.get(name) for name in ("at", "sessions", "reconnects"))
    if not before or not at or users is None or now is None or was is None:
        return None
    return max(0.0, float(at) - before["at"]) / 60 * float(users), int(now - was if now >= was else now)
