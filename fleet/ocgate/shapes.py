"""Checkers of single values in a request: a number, a text of a shape, a list. Each raises ValueError. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable, Dict, Mapping

# ID.partial is where ID is being unpacked: as a release of its own it would be started half made, and never be listed.
RELEASE = re.compile(r"(?!.*\.partial\Z)[A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}")
URL = re.compile(r"https?://[A-Za-z0-9._~:\[\]@-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
TICKET = re.compile(r"[A-Za-z0-9._~+/=:-]{1,4096}")
# One line of HTTP and of ocserv.conf, in quotes there: no quote, no backslash, and no #, which ends a line of ocserv's
# even inside quotes (measured, 1.1.6).
NOTICE = re.compile(r"(?:[!$-\[\]-~](?:[ !$-\[\]-~]{0,198}[!$-\[\]-~])?)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
SIGNATURE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.(asc|p7s)")
# A person's name as it stands in the pinned approvers, then ".sig".
APPROVAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,80}\.sig")
STATEMENT_MAX = 131072

Check = Callable[[Any], Any]
_HALVES = re.compile("[\ud800-\udfff]")  # JSON can say half a character, which no file can hold
NO_FIELDS: Mapping[str, Check] = {}


def whole(low: int, high: int) -> Check:
    """A checker for whole numbers between `low` and `high`, both allowed; true and false are none."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check


def text(most: int) -> Check:
    """A checker for text of at most `most` characters that UTF-8 can write, without NUL."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > most or "\0" in value or _HALVES.search(value):
            raise ValueError(f"must be text of at most {most} characters")
        return value

    return check


def yes(value: Any) -> bool:
    """A checker for true; who does not want it leaves the field out."""
    if value is not True:
        raise ValueError("must be true, or missing")
    return True


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
    return [record(item, {"name": shaped(SIGNATURE_NAME), "text": text(65536)}) for item in value]


def source(value: Any) -> Any:
    """`{"kind":"ssh"}` or `{"kind":"url","url","ticket","rate"}` (bytes a second)."""
    if isinstance(value, dict) and value.get("kind") == "url":
        rate = whole(1024, 10**10)
        return record(value, {"kind": text(3), "url": shaped(URL), "ticket": shaped(TICKET), "rate": rate})
    fields = record(value, {"kind": text(3)})
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


def approvals(value: Any) -> Any:
    """A list of at most 16 `{name,text}`: who signed a statement (NAME.sig, or a signer's .asc or .p7s), and how."""
    if not isinstance(value, list) or len(value) > 16:
        raise ValueError("must be a list of at most 16 signatures")
    fields = {"name": either(APPROVAL_NAME, SIGNATURE_NAME), "text": text(65536)}
    return [record(item, fields) for item in value]


def statements(value: Any) -> Any:
    """A list of at most 4 `{text,signatures}`."""
    if not isinstance(value, list) or len(value) > 4:
        raise ValueError("must be a list of at most 4 statements")
    return [record(item, {"text": text(STATEMENT_MAX), "signatures": approvals}) for item in value]


def either(*patterns: "re.Pattern[str]") -> Check:
    """A checker for text that matches one of `patterns` from end to end."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not any(pattern.fullmatch(value) for pattern in patterns):
            raise ValueError(f"must look like {' or '.join(pattern.pattern for pattern in patterns)}")
        return value

    return check


def address(value: Any) -> str:
    """An IP address, as this machine's own programs write it."""
    return str(ipaddress.ip_address(text(45)(value)))


def list_of(one: Check, *, most: int) -> Check:
    """A checker for a list of 1 to `most` values that pass `one`."""

    def check(value: Any) -> Any:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise ValueError(f"must be a list of 1 to {most}")
        return [one(item) for item in value]

    return check


def record(value: Any, fields: Mapping[str, Check], optional: Mapping[str, Check] = NO_FIELDS) -> Dict[str, Any]:
    """An object of exactly `fields`, and of those of `optional` that are there."""
    if not isinstance(value, dict):
        raise ValueError("args must be an object")
    known = {**fields, **optional}
    for name in value:
        if name not in known:
            raise ValueError(f"the field {name[:40]!r} is unknown")
    checked = {}
    for name, check in known.items():
        if name not in value:
            if name in optional:
                continue
            raise ValueError(f"the field {name!r} is missing")
        try:
            checked[name] = check(value[name])
        except ValueError as wrong:
            raise ValueError(f"{name}: {wrong}") from None
    return checked
