"""What a command is made of, and the arguments that many of them have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Arg:
    """One thing that a command takes. `to`: "path", "body", "query", or "" for what only this program reads."""

    name: str
    say: str
    to: str = "body"
    kind: type = str
    needed: bool = False
    choices: tuple[str, ...] = ()
    many: bool = False
    default: Any = None


@dataclass(frozen=True)
class Verb:
    """One command. `columns`: of its list, for people. `does`: a function of its own (handover/doing.py) by name."""

    noun: str
    name: str
    say: str
    method: str
    path: str
    args: tuple[Arg, ...] = ()
    columns: tuple[str, ...] = ()
    does: str = ""

    @property
    def positional(self) -> tuple[Arg, ...]:
        return tuple(arg for arg in self.args if arg.to == "path")


ID = Arg("id", "its number", "path", int, needed=True)
REASON = Arg("reason", "why; it goes on the record")
VERSION = Arg("version", "the version that you saw, else the one that stands now", "", int)
DIGEST = Arg("digest", "of what you decide, or its first 12 letters: `show` has it", "", needed=True)
LIMIT = Arg("limit", "rows at most, 50 without it", "query", int)
CURSOR = Arg("cursor", "“next” of the page before", "query")
PAGES = (LIMIT, CURSOR)
WAIT = Arg("wait", "stay until it is over", "", bool)
TIMEOUT = Arg("timeout", "seconds to wait at most; 86400 without it", "", float)
UNTIL = Arg(
    "until", "what counts as over: “draining” once every gateway carries it", "", str, choices=("draining", "done")
)
WAITS = (WAIT, TIMEOUT, UNTIL)
GATEWAY = Arg("gateway", "the gateway's name, or the number of its upgrade", "", needed=True)
POOL = Arg("pool", "the pool's name; without it the whole fleet")
ROLLOUT = ("id", "state", "release", "pool", "since", "reason")
CHANGE = ("id", "kind", "title", "state", "requested_by", "expires_at")
STANDING = Arg("all", "those that are over, too", "", bool)


def lists(noun: str, path: str, say: str, columns: Sequence[str], *args: Arg) -> Verb:
    return Verb(noun, "list", say, "GET", path, (*args, *PAGES), tuple(columns))


def shows(noun: str, path: str, say: str) -> Verb:
    return Verb(noun, "show", say, "GET", f"{path}/{{id}}", (ID,))


def move(name: str, say: str, *args: Arg) -> Verb:
    """An action on a rollout, bound to the version that was seen."""
    more = (*args, REASON, VERSION, *WAITS)
    return Verb("rollout", name, say, "POST", f"/rollouts/{{id}}/{name}", (ID, *more), does="move")


def answer(noun: str, path: str, name: str, say: str) -> Verb:
    """A yes or no to exactly what was shown."""
    more = (DIGEST, REASON, *(WAITS if noun == "rollout" else ()))
    return Verb(noun, name, say, "POST", f"{path}/{{id}}/{name}", (ID, *more), does="answer")


def asks(noun: str, name: str, say: str, path: str, *args: Arg) -> Verb:
    return Verb(noun, name, say, "POST", path, args)
