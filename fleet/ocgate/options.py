"""ocserv's options: which version knows which, what they may be, whether a reload reads them again. Pure.

The controller uses this module too: both must come to the same answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Literal, Optional, Tuple

from . import derive, optiondata

Version = Tuple[int, ...]
Place = Tuple[str, str]
"""Section ("" for the global part) and name of an option."""

Way = Literal["none", "reload", "restart"]

MOST = 2**31 - 1
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True)
class Option:
    """One option. `since` and `gone` are versions; `low` and `high` bound a number."""

    name: str
    kind: str
    scope: str
    restart: bool = False
    many: bool = False
    since: Version = ()
    gone: Version = ()
    low: int = 0
    high: int = MOST
    words: Tuple[str, ...] = ()

    def known_to(self, version: Version) -> bool:
        """Whether the parser of this version reads it."""
        return self.since <= version and (not self.gone or version < self.gone)


def version_of(text: str) -> Version:
    """1.3.0 out of "1.3.0", "1.3.0-2" or "ocserv 1.3.0"; () when there is none."""
    found = _VERSION.search(text)
    return tuple(int(part) for part in found.group(0).split(".")) if found else ()


def _read(line: str) -> Option:
    name, kind, scope, *rest = line.split()
    kind, _, bounds = kind.partition(":")
    low, _, high = bounds.partition("-")
    return Option(
        name=name,
        kind="words" if "|" in kind else kind,
        scope=scope,
        restart="restart" in rest,
        many="many" in rest,
        since=next((version_of(word) for word in rest if word[0] == "+"), ()),
        gone=next((version_of(word) for word in rest if word[0] == "-"), ()),
        low=int(low or 0),
        high=int(high or MOST),
        words=tuple(kind.split("|")) if "|" in kind else (),
    )


OPTIONS: Dict[str, Option] = {
    option.name: option for option in (_read(line) for line in optiondata.TABLE.strip().splitlines())
}
SECRETS: FrozenSet[str] = frozenset(o.name for o in OPTIONS.values() if o.kind == "secret")
RUNS: FrozenSet[str] = frozenset(o.name for o in OPTIONS.values() if o.kind in ("script", "command"))
"""What these name runs as root."""


def known(version: str) -> FrozenSet[str]:
    """The names that ocserv of this version reads; for one that was not measured, those of the nearest below it."""
    asked = version_of(version)
    return frozenset(option.name for option in OPTIONS.values() if option.known_to(asked))


def measured(version: str) -> str:
    """The version whose list answers for this one: itself, or the nearest below; the first for older ones."""
    asked = version_of(version)
    below = [name for name in optiondata.MEASURED if version_of(name) <= asked]
    return below[-1] if below else optiondata.MEASURED[0]


def values(text: str) -> Dict[Place, List[str]]:
    """All values of each option, by place, in their order."""
    found: Dict[Place, List[str]] = {}
    for line in derive.parse(text):
        if line.name:
            found.setdefault((line.section, line.name), []).append(line.value)
    return found


def is_set(text: str, name: str) -> bool:
    """Whether the global part sets it."""
    return ("", name) in values(text)


def sections(text: str) -> List[str]:
    """The virtual hosts, in their order."""
    return list(dict.fromkeys(line.section for line in derive.parse(text) if line.section))


def changed(old: str, new: str) -> List[Place]:
    """Where the two differ, in the order of the names; comments and layout are no difference."""
    before, after = values(old), values(new)
    places = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    places |= {(section, "") for section in set(sections(old)) ^ set(sections(new))}
    return sorted(places)


def shown(place: Place) -> str:
    """A place as people are told of it: "dpd", or "[vhost:a] dpd"."""
    section, name = place
    return f"[{section}] {name}".rstrip() if section else name


def names(places: List[Place]) -> List[str]:
    """The places as texts."""
    return [shown(place) for place in places]


def needs_restart(place: Place) -> bool:
    """Whether a running ocserv would not notice. A virtual host that comes or goes, and what nobody knows, is one."""
    option = OPTIONS.get(place[1])
    return option is None or option.restart


def way(old: str, new: str) -> Way:
    """How the difference takes effect."""
    places = changed(old, new)
    if not places:
        return "none"
    return "restart" if any(needs_restart(place) for place in places) else "reload"


def number(value: str) -> Optional[int]:
    """The value as ocserv takes it; None when it would take something else."""
    return int(value) if re.fullmatch(r"[0-9]{1,10}", value) else None
