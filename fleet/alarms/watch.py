"""Rules against what was measured: what fires is one alert for each rule and group of gateways. The only writer of
AlarmState rows.

The groups of gateways that are in a rollout's wave come from the app above; all others are grouped by pool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.urls import reverse

from fleet import alerts
from fleet.alarms import measure, outside, rule_store
from fleet.alarms.judge import Stand, blind, judged
from fleet.alarms.measure import Watched, Wish
from fleet.alarms.metrics import METRICS
from fleet.alarms.rules import Rule
from fleet.alerts import ALARM, Call
from fleet.metrics import collect
from fleet.models import AlarmState, Pool
from fleet.phrases import count, duration, listed

BLIND = "blind"
OVER = "The limit is no longer passed, or its rule was changed."
Key = tuple[str, int]
"""A rule's code and a gateway."""


@dataclass(frozen=True)
class Group:
    """Gateways whose trouble is one alert. `key`: "wave:12", "pool:3"; `link`: the page on which it is decided."""

    key: str
    about: str
    link: str = ""
    rollout: int | None = None


Groups = Mapping[int, Group]
"""Gateway → the wave that it is in."""


@dataclass(frozen=True)
class Fired:
    """One gateway on which a rule fires."""

    here: Watched
    stand: Stand
    group: Group


def look(groups: Groups, *, now: float) -> int:
    """Judge every rule on every gateway that is measured; return how many alerts that opened, changed and ended."""
    wish, at = collect.Settings.read(), datetime.fromtimestamp(now, UTC)
    rows = measure.gateways(wish)
    others = outside.elsewhere(wish, [row.pk for row in rows])
    if not wish.every and not others:
        return alerts.settle([], now=at, kinds=[ALARM], over="The collector was switched off: nothing is judged.")
    known = rule_store.standing()
    pools = {pool.pk: pool for pool in Pool.objects.all()}
    of = {pk: known.of(pk) for pk in pools}
    wishes = {
        row.pk: [Wish(it.metric, it.window_seconds, it.least) for it in of[row.pool_id]] for row in (*rows, *others)
    }
    seen = measure.everywhere(rows, others, wishes, wish=wish, now=now)
    before = {(row.code, row.gateway_id): row for row in AlarmState.objects.all()}
    stands = dict(_judged(seen, of, before=before, now=now))
    fired = _fired(seen, stands, before=before, groups=groups, pools=pools)
    _keep(stands, before, fired)
    calls = [*_calls(fired, of, pools), *_unreadable(known, pools), *_unmeasured(wish, [row.pk for row in rows])]
    return alerts.settle(calls, now=at, kinds=[ALARM], over=OVER)


def _judged(
    seen: Iterable[Watched], of: Mapping[int, Sequence[Rule]], *, before: Mapping[Key, AlarmState], now: float
) -> Iterator[tuple[Key, Stand]]:
    """What is not well now."""
    for here in seen:
        for rule in of[here.pool]:
            key = (rule.code, here.pk)
            stand = judged(rule, _stand(before.get(key)), here.values.get(rule.metric), now)
            if stand is not None:
                yield key, stand
        key = (BLIND, here.pk)
        if stand := blind(_stand(before.get(key)), now, is_blind=bool(here.blind)):
            yield key, stand


def _stand(row: AlarmState | None) -> Stand | None:
    return Stand(row.since, row.firing, row.value) if row else None


def _fired(
    seen: Iterable[Watched],
    stands: Mapping[Key, Stand],
    *,
    before: Mapping[Key, AlarmState],
    groups: Groups,
    pools: Mapping[int, Pool],
) -> dict[Key, Fired]:
    """What fires, each in the group that it was in when it began: a wave that ends must not call people anew."""
    by_pk = {here.pk: here for here in seen}
    found = {}
    for (code, pk), stand in stands.items():
        if not stand.firing:
            continue
        here, was = by_pk[pk], before.get((code, pk))
        pool = Group(f"pool:{here.pool}", pools[here.pool].name)
        kept = Group(**was.group) if was and was.firing and was.group else groups.get(pk, pool)
        found[code, pk] = Fired(here, stand, kept)
    return found


def _keep(stands: Mapping[Key, Stand], before: Mapping[Key, AlarmState], fired: Mapping[Key, Fired]) -> None:
    """Write what changed."""
    made = []
    for (code, pk), stand in stands.items():
        group = asdict(fired[code, pk].group) if (code, pk) in fired else {}
        row = before.get((code, pk))
        if row is None or (row.since, row.firing, row.value) != (stand.since, stand.firing, stand.value):
            columns: dict[str, Any] = {**asdict(stand), "group": group}
            made.append(AlarmState(code=code, gateway_id=pk, **columns))
    gone = [row.pk for key, row in before.items() if key not in stands]
    if not made and not gone:
        return
    with transaction.atomic():
        AlarmState.objects.filter(pk__in=gone).delete()
        fields = ["since", "firing", "value", "group"]
        AlarmState.objects.bulk_create(
            made, update_conflicts=True, update_fields=fields, unique_fields=["code", "gateway"]
        )


def _calls(fired: Mapping[Key, Fired], of: Mapping[int, Sequence[Rule]], pools: Mapping[int, Pool]) -> Iterator[Call]:
    together: dict[tuple[str, str, int], list[Fired]] = defaultdict(list)
    for (code, _), one in fired.items():
        together[code, one.group.key, one.here.pool].append(one)
    for (code, key, pool), ones in together.items():
        rule = next((rule for rule in of[pool] if rule.code == code), None)
        names = sorted(one.here.name for one in ones)
        group = ones[0].group
        yield Call(
            kind=ALARM,
            subject=f"{code}@{key}" if key.startswith("pool:") else f"{code}@{key}/{pool}",
            about=f"{rule.called if rule else 'Rules that can’t be judged'} · {group.about}",
            say=_say(rule, names) if rule else _blind_say(ones, names),
            link=group.link,
            pool=pools[pool],
            details={
                "rule": code,
                "severity": rule.severity if rule else "warning",
                "gateways": names,
                "rollout": group.rollout,
            },
        )


def _say(rule: Rule, names: Sequence[str]) -> str:
    """Without the values of the moment: those stand on the page and in the message, and would be news every time."""
    held = f" for {duration(rule.for_seconds)}" if rule.for_seconds else ""
    return f"{rule.say} on {count(len(names), 'gateway')}{held}: {listed(names)}."


def _blind_say(ones: Sequence[Fired], names: Sequence[str]) -> str:
    blind_to = sorted({metric for one in ones for metric in one.here.blind})
    titles = listed([METRICS[metric].title.lower() for metric in blind_to], most=8)
    on = f"{count(len(names), 'gateway')}: {listed(names)}"
    return f"Nothing was counted for 10 min on {on}. What can't be judged there: {titles}."


def _unreadable(known: rule_store.Standing, pools: Mapping[int, Pool]) -> Iterator[Call]:
    for (code, pk), why in known.unreadable.items():
        pool = pools.get(pk or 0)
        where = pool.name if pool else "the fleet"
        yield Call(
            kind=ALARM,
            subject=f"unreadable@{code}:{pk or 'fleet'}",
            about=f"A rule can’t be read · {where}",
            say=f"The rule {code} of {where} can't be read, so nothing is judged by it. {why}",
            link=reverse("rule", args=[code, pk or 0]),
            pool=pool,
            details={"rule": "unreadable", "severity": "critical", "gateways": [], "rollout": None},
        )


def _unmeasured(wish: collect.Settings, collected: Collection[int]) -> Iterator[Call]:
    if number := outside.untold(wish, collected):
        say = f"{count(number, 'gateway')} are beyond the {wish.most} that the collector asks: no rule is judged there."
        yield Call(
            kind=ALARM,
            subject="unmeasured@fleet",
            about="Gateways without numbers · the fleet",
            say=f"{say} Raise HANDOVER_COLLECT_MOST, or watch them with Prometheus.",
            link=reverse("rules"),
            details={"rule": "unmeasured", "severity": "warning", "gateways": [], "rollout": None},
        )
