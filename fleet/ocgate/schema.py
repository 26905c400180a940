"""The closed schema of requests: unknown verb, unknown field, wrong type or range is refused. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from . import PROTOCOL
from .errors import Refused

LINE_MAX = 256 * 1024
RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}")
URL = re.compile(r"https?://[A-Za-z0-9._~:\[\]@-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
TICKET = re.compile(r"[A-Za-z0-9._~+/=:-]{1,4096}")
SHA256 = re.compile(r"[0-9a-f]{64}")
SIGNATURE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.(asc|p7s)")
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
SIZE_MAX = 2 * 1024**3

Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Request:
    """One request that passed: `args` hold exactly the fields of the verb, checked."""

    id: str
    verb: str
    fence: Optional[int]
    args: Dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """The fields of one verb, and whether it changes something (then it needs a fence)."""

    fields: Dict[str, Check]
    changes: bool = False


def whole(low: int, high: int) -> Check:
    """A checker for whole numbers between `low` and `high`, both allowed; true and false are none."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check


def text(most: int) -> Check:
    """A checker for text of at most `most` characters without NUL."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > most or "\0" in value:
            raise ValueError(f"must be text of at most {most} characters")
        return value

    return check


def shaped(pattern: "re.Pattern[str]") -> Check:
    """A checker for text that matches `pattern` from end to end."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise ValueError(f"must look like {pattern.pattern}")
        return value

    return check


def weights(value: Any) -> Dict[int, int]:
    """`{"1":75,"2":25}` as numbers; each 0 to 100, together 100."""
    if not isinstance(value, dict) or not set(value) <= {"1", "2", "3"}:
        raise ValueError("must map slots 1 to 3 to percentages")
    percent = whole(0, 100)
    parsed = {int(slot): percent(share) for slot, share in value.items()}
    if sum(parsed.values()) != 100:
        raise ValueError("must sum to 100")
    return parsed


def signatures(value: Any) -> Any:
    """A list of at most 16 `{name,text}`."""
    if not isinstance(value, list) or len(value) > 16:
        raise ValueError("must be a list of at most 16 signatures")
    return [_record(item, {"name": shaped(SIGNATURE_NAME), "text": text(65536)}) for item in value]


def source(value: Any) -> Any:
    """`{"kind":"ssh"}` or `{"kind":"url","url","ticket","rate"}` (bytes a second)."""
    if isinstance(value, dict) and value.get("kind") == "url":
        rate = whole(1024, 10**10)
        return _record(value, {"kind": text(3), "url": shaped(URL), "ticket": shaped(TICKET), "rate": rate})
    fields = _record(value, {"kind": text(3)})
    if fields["kind"] != "ssh":
        raise ValueError("kind must be ssh or url")
    return fields


def one_of(*choices: str) -> Check:
    """A checker for one of a few words."""

    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return check


_slot = whole(1, 3)
_release = shaped(RELEASE)

VERBS: Dict[str, Verb] = {
    "facts": Verb({}),
    "stage": Verb(
        {
            "release": _release,
            "manifest": text(65536),
            "sums": text(16384),
            "changelog": text(131072),
            "signatures": signatures,
            "size": whole(1, SIZE_MAX),
            "sha256": shaped(SHA256),
            "source": source,
        },
        changes=True,
    ),
    "check": Verb({"release": _release, "slot": _slot}),
    "start": Verb({"release": _release, "slot": _slot}, changes=True),
    "probe": Verb({"slot": _slot, "user": text(256), "password": text(1024)}),
    "shift": Verb({"weights": weights, "seconds": whole(1, 86400)}, changes=True),
    "commit": Verb({"slot": _slot}, changes=True),
    "drain": Verb({"slot": _slot}),
    "sessions": Verb({}),
    "departures": Verb({}),
    "retire": Verb({"slot": _slot, "cut_at_most": whole(0, 1_000_000)}, changes=True),
    "restore": Verb({"to": one_of("committed", "previous")}, changes=True),
    "snapshot": Verb({}),
    "metrics": Verb({}),
    "watch": Verb({"seconds": whole(1, 3600), "every": whole(1, 600)}),
}


def parse(line: bytes) -> Request:
    """Turn one line, without its newline, into a Request, or raise `bad_request` with what is wrong."""
    raw = _envelope(line)
    verb = VERBS[raw["verb"]]
    if verb.changes != ("fence" in raw):
        need = "needs" if verb.changes else "takes no"
        raise _bad(f"verb {raw['verb']} {need} fence")
    try:
        fence = whole(0, 2**53)(raw["fence"]) if verb.changes else None
        args = _record(raw.get("args", {}), verb.fields)
    except ValueError as wrong:
        raise _bad(str(wrong)) from None
    return Request(id=raw["id"], verb=raw["verb"], fence=fence, args=args)


def _envelope(line: bytes) -> Dict[str, Any]:
    if len(line) > LINE_MAX:
        raise _bad(f"the line is longer than {LINE_MAX} bytes")
    try:
        raw = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as wrong:
        raise _bad(f"the line is no JSON in UTF-8 ({type(wrong).__name__})") from None
    if not isinstance(raw, dict) or not set(raw) <= {"v", "id", "verb", "fence", "args"}:
        raise _bad("the request is no object of v, id, verb, fence and args")
    version = raw.get("v")
    if not isinstance(version, int) or isinstance(version, bool) or abs(version - PROTOCOL) > 1:
        raise _bad(f"this gateway speaks protocol version {PROTOCOL} and its neighbours")
    if not isinstance(raw.get("id"), str) or REQUEST_ID.fullmatch(raw["id"]) is None:
        raise _bad("id must be text of 1 to 64 letters, digits or . _ : -")
    if not isinstance(raw.get("verb"), str) or raw["verb"] not in VERBS:
        raise _bad("the verb is unknown")
    return raw


def _record(value: Any, fields: Dict[str, Check]) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("args must be an object")
    for name in value:
        if name not in fields:
            raise ValueError(f"the field {name[:40]!r} is unknown")
    checked = {}
    for name, check in fields.items():
        if name not in value:
            raise ValueError(f"the field {name!r} is missing")
        try:
            checked[name] = check(value[name])
        except ValueError as wrong:
            raise ValueError(f"{name}: {wrong}") from None
    return checked


def _once(pairs: Any) -> Dict[str, Any]:
    # Two readers of a doubled key may see two different requests.
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError("doubled key")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _bad(why: str) -> Refused:
    return Refused("bad_request", f"The request was refused: {why}.")
