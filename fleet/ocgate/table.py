"""Load the table into the kernel and read it back: what really steers now."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import Any, Dict, FrozenSet, Iterable, List, Optional, Tuple

from . import nft
from .config import Config
from .errors import Refused
from .paths import Paths
from .run import run
from .state import State, boot_id, write_whole


@dataclass(frozen=True)
class Seen:
    """The kernel's truth: whether the table stands, seconds left of the trial (0: none), what it has learnt."""

    present: bool
    trial_left: float
    learnt: nft.Learnt


def apply(commands: Iterable[str]) -> float:
    """Load `commands` as one transaction; return when it took effect (epoch seconds). `nft_failed` if refused."""
    done = run(["nft", "-f", "-"], timeout=10, stdin="\n".join(commands) + "\n")
    if done.code != 0:
        raise Refused("nft_failed", f"nft refused the rules, nothing was changed: {_reason(done.err)}.")
    return time.time()


def wanted(state: State, *, now: float) -> nft.Wanted:
    """What the state file says the table should be."""
    trial = state.trial
    if trial is not None and (trial.until <= now or trial.boot != boot_id()):
        trial = None
    return nft.Wanted(
        steady=state.steady,
        trial=trial.weights if trial else None,
        seconds=int(trial.until - now) + 1 if trial else 0,
        adopted=state.adopted.slot if state.adopted else None,
        distrusted=distrusted(state),
    )


def distrusted(state: State) -> FrozenSet[int]:
    """Slots that were rolled back from: the kernel learns nobody there, `keep` adds valid sessions itself."""
    return frozenset(number for number, slot in state.slots.items() if slot.distrusted)


def ensure(config: Config, state: State, paths: Paths, *, now: float) -> bool:
    """Load the whole table where it is missing, with what was learnt before; True when it had to be loaded."""
    if is_present():
        return False
    apply([nft.whole(config, wanted(state, now=now), remembered(paths, config))])
    return True


def is_present() -> bool:
    """True while our table and its steering rules stand."""
    done = run(["nft", "list", "chain", *nft.TABLE.split(), "steer"], timeout=5)
    return done.code == 0 and "goto steady" in done.out


def read() -> Seen:
    """Ask the kernel. A missing table is no error: nothing is learnt then."""
    done = run(["nft", "-j", "list", "table", *nft.TABLE.split()], timeout=5)
    if done.code != 0:
        return Seen(present=False, trial_left=0.0, learnt=nft.Learnt())
    return parse(json.loads(done.out))


def parse(listing: Dict[str, Any]) -> Seen:
    """Build Seen from `nft -j list table`. Pure."""
    found: Dict[str, Dict[str, Tuple[str, int]]] = {}
    for item in listing["nftables"]:
        body = item.get("map") or item.get("set")
        if body:
            found[body["name"]] = dict(_element(raw) for raw in body.get("elem", []))
    accepted = [
        {client: left for client, (_, left) in found.get(name, {}).items()} for name in ("adopted4", "adopted6")
    ]
    armed = found.get("armed", {})
    learnt = nft.Learnt(found.get("sticky4", {}), found.get("sticky6", {}), accepted[0], accepted[1])
    left = max((seconds for _, seconds in armed.values()), default=0)
    return Seen(present="armed" in found, trial_left=float(left) if armed else 0.0, learnt=learnt)


def _element(raw: Any) -> Tuple[str, Tuple[str, int]]:
    key, value = raw if isinstance(raw, list) else (raw, "")
    body = key["elem"] if isinstance(key, dict) and "elem" in key else {"val": key, "expires": 1}
    # An element in its last second says 0; it steers still.
    return str(body["val"]), (value if isinstance(value, str) else "", max(1, int(body.get("expires", 1))))


def remember(paths: Paths, learnt: nft.Learnt, *, now: float) -> None:
    """Keep what the kernel has learnt where a flush can't take it; a reboot may (/run)."""
    write_whole(paths.learnt, json.dumps({"at": now, **{name: dict(getattr(learnt, name)) for name in _NAMES}}))


def remembered(paths: Paths, config: Config) -> nft.Learnt:
    """What `remember` kept; empty when there is nothing that can be read."""
    try:
        raw = json.loads(paths.learnt.read_text())
        gone = max(0, int(time.time() - raw["at"]))
        # A clock set back must not make what is known last for ever.
        most = config.sticky_seconds
        sticky = [
            {c: (a, min(most, left - gone)) for c, (a, left) in raw[name].items() if left > gone} for name in _NAMES[:2]
        ]
        accepted = [{c: min(most, left - gone) for c, left in raw[name].items() if left > gone} for name in _NAMES[2:]]
        return nft.Learnt(sticky[0], sticky[1], accepted[0], accepted[1])
    except (OSError, ValueError, KeyError, TypeError):
        return nft.Learnt()


_NAMES: Tuple[str, str, str, str] = ("sticky4", "sticky6", "adopted4", "adopted6")


def without(learnt: nft.Learnt, addresses: FrozenSet[str]) -> nft.Learnt:
    """What is learnt, less the clients of these slot addresses."""
    kept = [{c: v for c, v in known.items() if v[0] not in addresses} for known in (learnt.sticky4, learnt.sticky6)]
    return replace(learnt, sticky4=kept[0], sticky6=kept[1])


def forget(doomed: Dict[str, List[str]]) -> int:
    """Take clients (by map or set name) out; one that expired meanwhile is no failure. Returns how many were asked."""
    commands = [line for name, clients in doomed.items() for line in nft.forget(name, clients)]
    if commands and run(["nft", "-f", "-"], timeout=10, stdin="\n".join(commands) + "\n").code != 0:
        # One expired element fails the whole transaction: then one by one.
        for line in commands:
            run(["nft", *line.split(" ")], timeout=5)
    return len(commands)


def _reason(err: str) -> str:
    lines: List[str] = [line for line in err.splitlines() if "rror" in line]
    return (lines[0] if lines else err.strip()[:200]).strip()


def trial_of(state: State, seen: Seen) -> Optional[Dict[int, int]]:
    """The weights of the trial that the kernel still runs, or None."""
    return dict(state.trial.weights) if state.trial is not None and seen.trial_left > 0 else None
