"""From a strategy and a list of gateways to waves, each with the reason for its order. Pure; 10,000 in a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from fleet.phrases import count, listed
from upgrader.strategy_spec import Spec, WaveSpec


class PlanError(ValueError):
    """The strategy does not fit these gateways; the message is one sentence for people."""


@dataclass(frozen=True)
class Target:
    """A gateway as the plan saw it."""

    id: int
    name: str
    release: str  # committed
    sessions: int
    domain: str  # gateways that fail together; "" for none
    group: str = ""  # gateways that stand in for each other; "" for none
    labels: Mapping[str, str] = field(default_factory=dict)
    way: str = "handover"  # a name in flow.TRAFFIC
    cut: int = 0  # users who will be cut by going that way


@dataclass(frozen=True)
class Dealt:
    """One wave with its gateways in the order in which they go."""

    rule: WaveSpec
    targets: list[Target]
    why: str  # the reason for the order


@dataclass(frozen=True)
class Waves:
    dealt: list[Dealt]
    left_out: list[str]  # a sentence for each wave of the strategy that no gateway is left for


def in_order(targets: Iterable[Target]) -> list[Target]:
    """Fewest users first; failure domains take turns, so that one wave does not hold a whole domain."""
    turns: Counter[str] = Counter()
    ranked: list[tuple[int, Target]] = []
    for target in sorted(targets, key=lambda one: (one.sessions, one.name)):
        ranked.append((turns[target.domain] if target.domain else 0, target))
        turns[target.domain] += 1
    return [target for _, target in sorted(ranked, key=lambda pair: pair[0])]


def cut_waves(spec: Spec, targets: Sequence[Target], others: Sequence[Target] = ()) -> Waves:
    """Deal the gateways out to the waves. `others`: gateways of the pool that need nothing, and may still be named.

    A wave that would be empty is left out and said so (an empty wave would pass for a success); what is over goes to
    the last. Raise PlanError for a name or a label that nothing in the pool has.
    """
    if spec.kind == "rolling":
        return Waves(_batches(spec.waves[0], in_order(targets)), [])
    chosen = _chosen(spec, targets, others)
    free = [target for target in in_order(targets) if target.id not in chosen]
    dealt, left_out = [], []
    for number, rule in enumerate(spec.waves):
        if rule.take in ("names", "labels"):
            taken = [target for target in in_order(targets) if chosen.get(target.id) == number]
        else:
            size = _size(rule, len(targets), len(free))
            taken, free = free[:size], free[size:]
        if taken:
            dealt.append(Dealt(rule, taken, _why(rule, taken)))
        else:
            left_out.append(f"{_called(number, rule)} is left out: no gateway is left for it.")
    if free and dealt:
        last = dealt[-1]
        dealt[-1] = Dealt(last.rule, last.targets + free, f"{last.why} And all that no wave takes.")
    elif free:
        dealt.append(Dealt(spec.waves[-1], free, "All that no wave takes."))
    return Waves(dealt, left_out)


def _size(rule: WaveSpec, total: int, left: int) -> int:
    match rule.take:
        case "count":
            return rule.amount
        case "percent":
            return ceil(total * rule.amount / 100)
    return left


def _chosen(spec: Spec, targets: Sequence[Target], others: Sequence[Target]) -> dict[int, int]:
    """Gateway → the wave that asks for it by name or by label; those are kept for it."""
    chosen: dict[int, int] = {}
    for number, rule in enumerate(spec.waves):
        if rule.take == "names":
            here = {target.name for target in (*targets, *others)}
            if missing := [name for name in rule.names if name not in here]:
                raise PlanError(
                    f"{_called(number, rule)} names {listed(missing, 8)}, and the pool has no such gateway."
                )
        elif rule.take == "labels" and not any(_matches(rule, target) for target in (*targets, *others)):
            asked = listed([f"{name}={value}" for name, value in rule.labels.items()], 8)
            raise PlanError(f"{_called(number, rule)} takes gateways with {asked}, and none of the pool has that.")
        for target in targets:
            if rule.take in ("names", "labels") and _matches(rule, target):
                chosen.setdefault(target.id, number)
    return chosen


def _matches(rule: WaveSpec, target: Target) -> bool:
    if rule.take == "names":
        return target.name in rule.names
    return all(target.labels.get(name) == value for name, value in rule.labels.items())


def _called(number: int, rule: WaveSpec) -> str:
    return f"Wave {number + 1} of the strategy ({rule.title})" if rule.title else f"Wave {number + 1} of the strategy"


def _why(rule: WaveSpec, taken: Sequence[Target]) -> str:
    """The reason for the order, in words with the numbers."""
    which = {
        "names": "The strategy names them.",
        "labels": f"They are {listed([f'{name}={value}' for name, value in rule.labels.items()], 8)}.",
    }.get(rule.take, "")
    turns = len({target.domain for target in taken if target.domain}) > 1
    domains = "; failure domains take turns" if turns else ""
    return f"{which} Fewest users first ({_users(taken)}){domains}.".strip()


def _batches(rule: WaveSpec, ordered: Sequence[Target]) -> list[Dealt]:
    """Batches in which no two gateways share a redundancy group or a failure domain.

    Each gateway goes into the first batch that has room, after the last one that holds another of its group or domain.
    """
    size = _size(rule, len(ordered), len(ordered))
    batches: list[list[Target]] = []
    after: dict[tuple[str, str], int] = {}  # group or domain → the first batch that may hold its next one
    open_from: list[int] = []  # batch → a batch at or behind it that may have room
    for target in ordered:
        kin = [key for key in (("group", target.group), ("domain", target.domain)) if key[1]]
        at = _with_room(open_from, max((after.get(key, 0) for key in kin), default=0))
        while at >= len(batches):
            open_from.append(len(batches))
            batches.append([])
        batches[at].append(target)
        if len(batches[at]) >= size:
            open_from[at] = at + 1
        after |= dict.fromkeys(kin, at + 1)
    return [Dealt(rule, taken, _why_batch(taken, size, last=taken is batches[-1])) for taken in batches]


def _with_room(open_from: list[int], at: int) -> int:
    """Follow the batches that are full to the first that is not, and remember the way."""
    path = []
    while at < len(open_from) and open_from[at] != at:
        path.append(at)
        at = open_from[at]
    for full in path:
        open_from[full] = at
    return at


def _why_batch(taken: Sequence[Target], size: int, *, last: bool) -> str:
    apart = "no two of one redundancy group or failure domain together"
    if len(taken) < size and not last:
        apart = f"fewer than {size}, so that {apart.replace('together', 'go together')}"
    return f"Fewest users first ({_users(taken)}); {apart}."


def _users(taken: Sequence[Target]) -> str:
    few, many = min(target.sessions for target in taken), max(target.sessions for target in taken)
    return f"{count(few, 'user')} a gateway" if few == many else f"{few} to {count(many, 'user')} a gateway"
