"""A rollout judged again by other limits: would these gates have fired, when, and at what cost. Reads only.

What the gateways said is in the samples; the sums, the looks and the verdict are those of the product itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from django.utils import timezone

from fleet.models import Sample
from upgrader import complaints
from upgrader.flow import OUTGOING
from upgrader.gates import Judgement, judge
from upgrader.models import Rollout, StepRun, Verdict, Wave
from upgrader.sides import summed
from upgrader.states import Outcome
from upgrader.steps.job import SampleOf
from upgrader.steps.tally import added, elsewhere
from upgrader.strategy import Limits


@dataclass(frozen=True)
class Replayed:
    """One observation: a share of a wave, from its first look to its last."""

    wave: int
    share: int  # of new clients, in percent
    began: datetime
    ended: datetime
    looks: int
    was: str  # the verdict that moved it then; "" for none
    now: Judgement  # at the moment it fires, else at the last look
    fired_at: datetime | None  # first FAIL
    failed_before: int  # logins that failed on the new slot by then, users' and probes'
    failed_after: int  # and until the observation ended


@dataclass(frozen=True)
class Watched:
    """One gateway's part of an observation."""

    gateway_id: int
    slots: tuple[int, int]  # old, new
    began: datetime
    ended: datetime
    besides: Mapping[str, Any] = field(default_factory=dict)  # other gateways and other weeks, as they were summed then


def replay(rollout: Rollout, limits: Limits) -> list[Replayed]:
    """Return each observation of the rollout in the order in which they were made."""
    found = []
    for wave in rollout.waves.order_by("number"):
        for stage, watched in sorted(observations(wave).items()):
            if one := judged(rollout, wave, stage, watched=watched, limits=limits):
                found.append(one)
    return found


def observations(wave: Wave) -> dict[int, list[Watched]]:
    """Who was watched in which stage: each gateway has one observing step a share, one after the other."""
    steps = StepRun.objects.filter(upgrade__wave=wave, name="observe", started_at__isnull=False)
    stages: dict[int, list[Watched]] = {}
    rows = steps.select_related("upgrade").order_by("upgrade_id", "ordinal")
    for _, mine in groupby(rows, key=lambda step: step.upgrade_id):
        for stage, step in enumerate(mine):
            upgrade = step.upgrade
            if step.started_at and upgrade.to_slot:
                slots = (upgrade.from_slot or 0, 0 if upgrade.way == OUTGOING else upgrade.to_slot)
                ended = step.finished_at or timezone.now()
                # What was seen of the gateway as a whole is one sum by now, and has no moment to fire at.
                besides = {
                    name: one for name, one in elsewhere(step.result.get("tally", {})).items() if name != "apart"
                }
                one = Watched(upgrade.gateway_id, slots, step.started_at, ended, besides)
                stages.setdefault(stage, []).append(one)
    return stages


def judged(rollout: Rollout, wave: Wave, stage: int, *, watched: list[Watched], limits: Limits) -> Replayed | None:
    """Go through one observation look by look; None when no sample of it is left."""
    tallies: dict[int, dict[str, Any]] = {}
    fired: tuple[datetime, Judgement, int] | None = None
    last, looks, began, at = None, 0, None, None
    new, olds = rollout.release.name, {upgrade.from_release for upgrade in wave.upgrades.all()}
    told = complaints.story(new, olds, [one.gateway_id for one in watched], period(watched))
    for at, one, taken in looked(watched):
        began, looks = began or at, looks + 1
        tallies[one.gateway_id] = added(tallies.get(one.gateway_id, one.besides), taken, to_slot=one.slots[1])
        if fired is None:
            seen = summed(list(tallies.values()), new=new, old="/".join(sorted(olds)))
            last = judge(replace(seen, rates={**seen.rates, **told.at(at)}), limits)
            if last.outcome is Outcome.FAIL:
                fired = (at, last, failures(tallies))
    if last is None or began is None or at is None:
        return None
    then = Verdict.objects.filter(wave=wave, stage=stage, final=True).order_by("-at").first()
    before = fired[2] if fired else failures(tallies)
    return Replayed(
        wave=wave.number,
        share=wave.weights[min(stage, len(wave.weights) - 1)],
        began=began,
        ended=at,
        looks=looks,
        was=then.outcome if then else "",
        now=fired[1] if fired else last,
        fired_at=fired[0] if fired else None,
        failed_before=before,
        failed_after=failures(tallies) - before,
    )


def period(watched: list[Watched]) -> tuple[datetime, datetime]:
    return min(one.began for one in watched), max(one.ended for one in watched)


def looked(watched: list[Watched]) -> Iterator[tuple[datetime, Watched, list[SampleOf]]]:
    """The looks at these gateways in the order of time: a look is what one gateway said at one moment."""
    of = {one.gateway_id: one for one in watched}
    rows = Sample.objects.filter(gateway__in=of, at__range=period(watched)).order_by("at", "gateway_id", "slot")
    for (at, gateway_id), samples in groupby(rows.iterator(), key=lambda row: (row.at, row.gateway_id)):
        one = of[gateway_id]
        if one.began <= at <= one.ended:
            taken = [SampleOf(row.slot, row.release, row.values) for row in samples if row.slot in one.slots]
            if taken:
                yield at, one, taken


def failures(tallies: Mapping[int, Mapping[str, Any]]) -> int:
    """Logins that failed on the new slots so far."""
    told = summed(list(tallies.values()), new="", old="")
    return told.canary.failed + told.rates["logins"].canary.failed
