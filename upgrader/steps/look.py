"""One look at both slots: what they have counted, from one source, and a login of ours on each.

The collector asks every gateway anyway; what it was told last is taken while that is fresh and of the slots that are
watched. Else the gateway is asked here. Either way it is the slots' own counters that are told, and sums are made of
their differences: no event is counted twice, whatever the source of the next look.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fleet.ports import Facts, Gateway
from upgrader.steps.job import Job, Measured, SampleOf
from upgrader.steps.tally import counters, restarted

SKEW = 2.0  # seconds by which the clocks of two of our machines may differ
COLLECTOR, GATEWAY = "collector", "gateway"


@dataclass(frozen=True)
class Look:
    samples: tuple[SampleOf, ...]
    said: Mapping[str, Any]  # fields of the step's result: where from, how the gateway stands, what could not be seen


def taken_by(job: Job, gateway: Gateway, facts: Facts, *, began: float) -> Look:
    """Counters of both slots, and one login on each. `began`: time.monotonic() at job.now; `facts`: of just now."""
    stored = job.stored.newest() if job.stored else Measured()
    source, told = read(job, gateway, stored)
    answered_at = job.now.timestamp() + time.monotonic() - began
    restarts = {slot.slot: slot.restarts for slot in facts.slots}
    user, password = job.probe
    samples, banned = [], []
    for slot, values in told.items():
        probed = gateway.probe(slot, user=user, password=password)
        is_banned = not probed.ok and bool(values.get("banned_ours"))
        if is_banned:
            banned.append(slot)
        probe = {
            "probe_ok": None if is_banned else probed.ok,
            "probe_stage": probed.stage,
            "probe_say": probed.say,
            "login_ms": probed.login_ms,
            "handshake_ms": probed.handshake_ms,
        }
        # A probe's handshake is another one than that which ocgate makes by itself.
        own = {"at": answered_at, **values, "door_ms": values.get("handshake_ms"), "source": source}
        # A crash is not waited for until the collector comes by.
        own["restarts"] = max(int(values.get("restarts") or 0), restarts.get(slot, 0))
        samples.append(SampleOf(slot, str(values["release"]), own | probe))
    said = {
        "source": source,
        "asked_at": answered_at if source == GATEWAY else job.earlier.get("asked_at", 0.0),
        "fact": stored.fact,
        "blind": unseen(job, told, banned),
    }
    return Look(tuple(samples), said)


def read(job: Job, gateway: Gateway, stored: Measured) -> tuple[str, dict[int, Mapping[str, Any]]]:
    """Where the counters come from, and what they are, by slot."""
    wanted = watched(job)
    kept = {slot: stored.slots[slot] for slot in wanted if slot in stored.slots}
    mine = kept.keys() == wanted.keys() and all(kept[slot]["release"] == wanted[slot] for slot in wanted)
    if mine and follows(job, stored.at, kept):
        return COLLECTOR, kept
    return GATEWAY, {one.slot: asdict(one) for one in gateway.metrics() if one.slot in wanted}


def follows(job: Job, at: float, kept: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether an answer is no older than the last that was had directly: it would look like a process begun anew."""
    asked = float(job.earlier.get("asked_at") or 0.0)
    if not asked or at > asked + SKEW:
        return True
    seen = job.earlier.get("tally", {}).get("seen", {})
    samples = (SampleOf(slot, str(values["release"]), values) for slot, values in kept.items())
    return all(not restarted(seen[str(one.slot)], counters(one)) for one in samples if str(one.slot) in seen)


def watched(job: Job) -> dict[int, str]:
    """The slots at work and the release that runs in each; one slot where it is upgraded in place or reloaded."""
    return {slot: name for slot, name in ((job.from_slot, job.from_release), (job.to_slot, job.release)) if slot}


def unseen(job: Job, told: Mapping[int, Any], banned: list[int]) -> str:
    """Why this look is no evidence about the new release, as a sentence; "" where it is."""
    if job.to_slot and job.to_slot not in told:
        return f"The ocserv in slot {job.to_slot} of {job.gateway} does not answer: nothing is known of it."
    if banned:
        slots = " and ".join(map(str, banned))
        return (
            f"The ocserv in slot {slots} of {job.gateway} has banned our own login probe, which says nothing about"
            " users. Unban it, or wait 5 min."
        )
    return ""
