"""How well a thing fits what somebody typed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

HEX = re.compile(r"[0-9a-f]{6,64}")
NO_FIT = 9


@dataclass(frozen=True)
class Found:
    """One thing that was found. `names` are what it is called by, the best first; `digests` what it is pinned by."""

    kind: str
    title: str
    link: str
    say: str = ""
    names: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    age: int = 0  # the bigger, the newer


@dataclass(frozen=True)
class Wish:
    """What was typed, read once."""

    text: str

    @property
    def low(self) -> str:
        return self.text.casefold()

    @property
    def number(self) -> int | None:
        """A row's number: "12", "#12", "rollout 12"."""
        last = self.low.split()[-1].removeprefix("#") if self.low.split() else ""
        return int(last) if last.isdecimal() and last.isascii() and len(last) < 16 else None

    @property
    def digest(self) -> str:
        """The beginning of a SHA-256; "" where it can't be one."""
        text = self.low.removeprefix("sha256:")
        return text if HEX.fullmatch(text) else ""

    @property
    def word(self) -> str:
        """What to look for in names: without the kind that was said before a number."""
        return self.text.removeprefix("#") if self.number is not None and len(self.text.split()) == 1 else self.text


def fit(wish: Wish, found: Found) -> int:
    """0 the name itself, 1 its number or digest, 2 a name begins so, 3 a word of it does, 4 somewhere in it; 9 not."""
    names = [name.casefold() for name in found.names]
    if wish.low in names:
        return 0
    if wish.number is not None and found.age == wish.number and _is_of(wish, found.kind):
        return 1
    if wish.digest and any(digest.startswith(wish.digest) for digest in found.digests):
        return 1
    return min((_in_name(wish.low, name) for name in names), default=NO_FIT)


def _is_of(wish: Wish, kind: str) -> bool:
    """A number alone is meant of every kind; "rollout 12" of one."""
    said = wish.low.split()[:-1]
    return not said or said == [kind]


def _in_name(text: str, name: str) -> int:
    if name.startswith(text):
        return 2
    if any(part.startswith(text) for part in re.split(r"[\s./:_-]+", name)):
        return 3
    return 4 if text in name else NO_FIT


def ranked(wish: Wish, found: Sequence[Found], *, most: int) -> list[Found]:
    """Those that fit, the best first; of equals the newer."""
    fits = [(fit(wish, one), one) for one in found]
    return [one for _, one in sorted((pair for pair in fits if pair[0] < NO_FIT), key=_order)][:most]


def _order(pair: tuple[int, Found]) -> tuple[int, int]:
    return pair[0], -pair[1].age
