"""The closed schema of requests: unknown verb, unknown field, wrong type or range is refused. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional

from . import PROTOCOL
from .errors import Refused
from .shapes import (
    NOTICE,
    RELEASE,
    SHA256,
    STATEMENT_MAX,
    Check,
    address,
    approvals,
    list_of,
    one_of,
    record,
    shaped,
    signatures,
    source,
    statements,
    text,
    weights,
    whole,
    yes,
)

LINE_MAX = 256 * 1024
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
SIZE_MAX = 2 * 1024**3
CONF_MAX = 96 * 1024  # characters; a request with it and its statement stays below LINE_MAX


@dataclass(frozen=True)
class Request:
    """One request that passed: `args` hold exactly the fields of the verb, checked."""

    id: str
    verb: str
    fence: Optional[int]
    args: Dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """The fields of one verb, whether it changes something (then it needs a fence), and fields that may be missing."""

    fields: Dict[str, Check]
    changes: bool = False
    optional: Mapping[str, Check] = field(default_factory=dict)


_slot = whole(1, 3)
_release = shaped(RELEASE)
_sha256 = shaped(SHA256)

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
        optional={"statements": statements, "mend": whole(0, 1)},
    ),
    "check": Verb({"release": _release, "slot": _slot}, optional={"conf": _sha256, "over": _sha256}),
    "start": Verb({"release": _release, "slot": _slot}, changes=True, optional={"conf": _sha256, "over": _sha256}),
    "configure": Verb(
        {"conf": text(CONF_MAX), "sha256": _sha256},
        changes=True,
        optional={"statement": text(STATEMENT_MAX), "signatures": approvals},
    ),
    "agree": Verb({"conf": _sha256}, changes=True),
    "adopt_conf": Verb(
        {"sha256": _sha256}, changes=True, optional={"statement": text(STATEMENT_MAX), "signatures": approvals}
    ),
    "reload": Verb({"slot": _slot, "conf": _sha256}, changes=True, optional={"seconds": whole(1, 86400)}),
    "inventory": Verb({}),
    "trust": Verb({"statement": text(STATEMENT_MAX), "signatures": approvals}, changes=True),
    "crl": Verb({"crl": text(STATEMENT_MAX)}, changes=True),
    "upgrade_self": Verb(
        {
            "statement": text(STATEMENT_MAX),
            "signatures": approvals,
            "size": whole(1, SIZE_MAX),
            "sha256": _sha256,
            "source": source,
        },
        changes=True,
    ),
    "authorize": Verb(
        {"keys": list_of(text(4096), most=16), "statement": text(STATEMENT_MAX), "signatures": approvals},
        changes=True,
    ),
    "probe": Verb({"slot": _slot, "user": text(256), "password": text(1024)}),
    "shift": Verb(
        {"weights": weights, "seconds": whole(1, 86400)}, changes=True, optional={"after_ms": whole(0, 30_000)}
    ),
    "replace": Verb(
        {"release": _release, "cut_at_most": whole(0, 1_000_000), "seconds": whole(1, 86400)},
        changes=True,
        optional={"slot": _slot, "conf": _sha256, "over": _sha256},
    ),
    "commit": Verb({"slot": _slot}, changes=True),
    "drain": Verb({"slot": _slot}, optional={"names": yes}),
    "message": Verb({"slot": _slot, "text": shaped(NOTICE)}, changes=True),
    "sessions": Verb({}),
    "departures": Verb({}),
    "retire": Verb({"slot": _slot, "cut_at_most": whole(0, 1_000_000)}, changes=True),
    "restore": Verb(
        {"to": one_of("committed", "previous")}, changes=True, optional={"cut_at_most": whole(0, 1_000_000)}
    ),
    "snapshot": Verb({}),
    "metrics": Verb({}, optional={"probes": list_of(address, most=16)}),
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
        args = record(raw.get("args", {}), verb.fields, verb.optional)
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
