"""Running sums of what one gateway said under one share of new clients. Pure.

They travel in the observing step's own result, so that a verdict costs one row a gateway and not a walk over samples,
and a worker that takes over from a killed one goes on from the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from upgrader.analysis.rates import Counted
from upgrader.analysis.times import Pair, Sums
from upgrader.steps.felt import LEVELS, felt, minutes
from upgrader.steps.job import Elsewhere, SampleOf

NOTHING: Mapping[str, Any] = {"tried": 0, "failed": 0, "restarts": 0, "last": "", "run": 0}
TIMES: Mapping[str, str] = {"login_time": "login_ms", "handshake_time": "handshake_ms"}  # metric → a sample's field
RATES: Mapping[str, str] = {"logins": "auth_failures", "session_errors": "session_errors"}  # of the users themselves
ALL_RATES, ALL_LEVELS = (*RATES, "reconnects"), (*TIMES, *LEVELS)
COUNTERS = ("logins", "auth_failures", "session_errors")


def added(earlier: Mapping[str, Any], samples: Iterable[SampleOf], *, to_slot: int) -> dict[str, Any]:
    """Return the sums of both sides, `canary` (the new slot) and `control`, with these samples added."""
    taken = list(samples)
    sides = {name: {**NOTHING, **earlier.get(name, {})} for name in ("canary", "control")}
    for sample in taken:
        side = sides[side_of(sample, to_slot)]
        ok = sample.values.get("probe_ok")
        side["tried"] += ok is not None
        side["failed"] += ok is False
        side["run"] = side["run"] + 1 if ok is False else 0 if ok else side["run"]
        side["restarts"] = max(side["restarts"], int(sample.values.get("restarts", 0)))
        if ok is False:
            side["last"] = str(sample.values.get("probe_say", ""))
    kept, sizes = felt(earlier.get("felt", {}), taken)
    return {
        **elsewhere(earlier),
        **sides,
        "rates": rates(earlier, taken, to_slot=to_slot),
        "times": times(earlier.get("times", {}), taken, to_slot=to_slot) | levels(earlier, sizes, to_slot=to_slot),
        "seen": earlier.get("seen", {}) | {str(one.slot): counters(one) for one in taken},
        "felt": kept,
    }


def elsewhere(earlier: Mapping[str, Any]) -> dict[str, Any]:
    return {name: earlier[name] for name in ("others", "weeks", "apart") if name in earlier}


def besides(tally: Mapping[str, Any], told: Elsewhere | None, weeks: Mapping[str, Any] | None) -> dict[str, Any]:
    """The sums with what other gateways counted since the last look, and with these gateways' past of other weeks."""
    made = dict(tally)
    if weeks is not None:
        made["weeks"] = {name: list(counts) for name, counts in weeks.items()}
    if told is not None:
        before = tally.get("others", {}).get("rates", {})
        sums = {name: list(astuple(counted(before.get(name)).looked(*counts))) for name, counts in told.rates.items()}
        made["others"] = {"until": told.until, "gateways": told.gateways, "rates": before | sums}
    return made


def side_of(sample: SampleOf, to_slot: int) -> str:
    return "canary" if sample.slot == to_slot else "control"


def counters(sample: SampleOf) -> list[float]:
    """What the slot's process has counted, and since when."""
    return [*(int(sample.values.get(name, 0)) for name in COUNTERS), float(sample.values.get("up_since", 0.0))]


def rates(earlier: Mapping[str, Any], taken: Iterable[SampleOf], *, to_slot: int) -> dict[str, Any]:
    """Users' own tries and failures. What the old slot had counted at the first look is its past."""
    made: dict[str, Any] = {name: dict(earlier.get("rates", {}).get(name, {})) for name in ALL_RATES}
    for sample in taken:
        now, side = counters(sample), side_of(sample, to_slot)
        before = earlier.get("seen", {}).get(str(sample.slot))
        new = now if before is None else since(before, now)
        for name, field in RATES.items():
            failed = int(new[COUNTERS.index(field)])
            tried = int(new[0]) + failed
            if before is not None:
                made[name][side] = list(astuple(counted(made[name].get(side)).looked(tried, failed)))
            elif side == "control":
                made[name]["past"] = [tried, failed]
        if (told := minutes(earlier.get("felt", {}), sample)) is not None:
            made["reconnects"][side] = list(astuple(counted(made["reconnects"].get(side)).looked(*told)))
    return made


def since(before: Sequence[float], now: Sequence[float]) -> Sequence[float]:
    """What was counted between two looks. A process that began anew counts from 0: that is no spike."""
    return now if restarted(before, now) else [new - old for old, new in zip(before, now, strict=True)]


def restarted(before: Sequence[float], now: Sequence[float]) -> bool:
    """Whether another process counts now."""
    # The start is told in whole seconds, and some versions tell it a second off from look to look.
    return abs(now[-1] - before[-1]) > 2 or any(new < old for old, new in zip(before[:-1], now[:-1], strict=True))


def times(earlier: Mapping[str, Any], taken: Sequence[SampleOf], *, to_slot: int) -> dict[str, Any]:
    """How long logins took that succeeded on both slots at the same look."""
    made = dict(earlier)
    good = {side_of(sample, to_slot): sample.values for sample in taken if sample.values.get("probe_ok")}
    for name, field in TIMES.items():
        canary, control = (float(good.get(side, {}).get(field) or 0.0) for side in ("canary", "control"))
        if canary > 0 and control > 0:
            pair = paired(made.get(name)).added(canary, control)
            made[name] = [list(astuple(pair.canary)), list(astuple(pair.control))]
    return made


def levels(earlier: Mapping[str, Any], sizes: Mapping[int, Mapping[str, float]], *, to_slot: int) -> dict[str, Any]:
    """What both slots felt in the interval that is over, in pairs."""
    made: dict[str, Any] = {name: earlier["times"][name] for name in LEVELS if name in earlier.get("times", {})}
    canary = sizes.get(to_slot, {})
    control = next((one for slot, one in sizes.items() if slot != to_slot), {})
    for name in canary.keys() & control.keys():
        pair = paired(made.get(name))
        now = pair.added(canary[name], control[name])
        # ocserv tells its mean anew every few minutes; the same number again is nothing new.
        if (
            name == "auth_time"
            and pair.canary.n
            and (now.canary.last, now.control.last) == (pair.canary.last, pair.control.last)
        ):
            continue
        made[name] = [list(astuple(now.canary)), list(astuple(now.control))]
    return made


def counted(row: Sequence[Any] | None) -> Counted:
    """Sums as they lie in the tally."""
    return Counted(*row) if row else Counted()


def paired(rows: Sequence[Sequence[Any]] | None) -> Pair:
    return Pair(*(Sums(*row) for row in rows)) if rows else Pair()
