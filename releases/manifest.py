"""What a release says about itself: manifest.json and SHA256SUMS, read strictly. Pure.

The formats are those of docs/ocgate-protocol.md, "A release bundle". The gateway reads the same bytes with a reader
of its own, so whatever two readers could read differently (a field twice, an unknown field, a float) is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NoReturn

from approvals.errors import Refused

MANIFEST, SUMS, CHANGELOG, BUNDLE = "manifest.json", "SHA256SUMS", "CHANGELOG.md", "bundle.tar.zst"
COVERED = frozenset({MANIFEST, CHANGELOG, BUNDLE})
"""The files that SHA256SUMS names: these and no others."""

PREFIX = "/var/lib/ocgate/releases/"
BUNDLE_MOST = 2 * 1024 * 1024 * 1024  # bytes, as the gateway takes it

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_:-]{0,39}")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]+)")

_Wishes = Mapping[str, tuple[str, Callable[[Any], bool]]]
"""Field name → how to say what it must be, and whether a value is that."""


@dataclass(frozen=True)
class Manifest:
    """A release as its signers described it."""

    product: str
    release: str  # the folder's name on the gateway
    version: str
    counter: int  # grows with each release of a product
    prefix: str
    built: datetime
    source: str
    architecture: str
    bundle_size: int  # bytes
    bundle_sha256: str
    state_migration: bool
    provenance: Mapping[str, str]  # builder, source, revision, place; empty when the signers said nothing of it


def parse(data: bytes) -> Manifest:
    """Read manifest.json; Refused names the field that is wrong."""
    try:
        found = json.loads(
            data.decode("ascii"), object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float
        )
    except UnicodeError:
        raise Refused(f"{MANIFEST} holds bytes that are not ASCII.")
    except (ValueError, RecursionError) as error:
        raise Refused(f"{MANIFEST} is no JSON: {error}.")
    fields = _fields("", found, _FIELDS, optional=_OPTIONAL)
    bundle = _fields("bundle.", fields["bundle"], _BUNDLE_FIELDS)
    if fields["prefix"] != PREFIX + fields["release"]:
        raise Refused(f"{MANIFEST}: prefix is {fields['prefix']!r}, but must be {PREFIX + fields['release']!r}.")
    kept = ("product", "release", "version", "counter", "prefix", "source", "architecture", "state_migration")
    return Manifest(
        **{name: fields[name] for name in kept},
        built=datetime.strptime(fields["built"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
        bundle_size=bundle["size"],
        bundle_sha256=bundle["sha256"],
        provenance=_fields("provenance.", fields["provenance"], _PROVENANCE_FIELDS) if "provenance" in fields else {},
    )


def parse_sums(data: bytes) -> Mapping[str, str]:
    """Read SHA256SUMS: one line of `sha256sum` for each covered file, each once. Return file name → hash."""
    sums: dict[str, str] = {}
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise Refused(f"{SUMS} does not end with a line end: it was cut short.")
    for number, line in enumerate(lines, start=1):
        found = _SUM_LINE.fullmatch(line.decode("ascii", errors="replace"))
        if not found:
            raise Refused(f"{SUMS}, line {number}, is not a hash, two spaces and a file name.")
        if found[2] in sums:
            raise Refused(f"{SUMS} names {found[2]} twice.")
        sums[found[2]] = found[1]
    if odd := sorted(COVERED ^ set(sums)):
        raise Refused(f"{SUMS} must name {', '.join(sorted(COVERED))} and nothing else; wrong: {', '.join(odd)}.")
    return sums


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = sorted({name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1})
        raise Refused(f"{MANIFEST} gives {', '.join(twice)} twice.")
    return found


def _no_float(text: str) -> NoReturn:
    raise Refused(f"{MANIFEST} holds the number {text}; only whole numbers are allowed.")


def _fields(where: str, found: object, wanted: _Wishes, *, optional: _Wishes = MappingProxyType({})) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Refused(f"{MANIFEST}: {where.rstrip('.') or 'the whole'} is no object.")
    if missing := sorted(set(wanted) - set(found)):
        raise Refused(f"{MANIFEST} lacks {', '.join(where + name for name in missing)}.")
    if unknown := sorted(set(found) - set(wanted) - set(optional)):
        raise Refused(f"{MANIFEST} has fields that this version does not know: {', '.join(map(repr, unknown))}.")
    for name, (wish, good) in {**wanted, **optional}.items():
        if name in found and not good(found[name]):
            raise Refused(f"{MANIFEST}: {where}{name} must be {wish}.")
    return found


def _text(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _number(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _is_moment(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
        return False
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


_FIELDS: _Wishes = {
    "format": ("1", _number(1, 1)),
    "product": ("a word of at most 40 characters", _text(_WORD)),
    "release": (f"a name like 1.3.0-2 ({_NAME.pattern})", _text(_NAME)),
    "version": ("a word of at most 40 characters", _text(_WORD)),
    "counter": ("a whole number from 1", _number(1, 2**63 - 1)),
    "prefix": ("a path", lambda value: isinstance(value, str)),
    "built": ("a UTC time like 2026-11-23T00:00:00Z", _is_moment),
    "source": ("printable text of at most 200 characters", _text(re.compile(r"[ -~]{0,200}"))),
    "architecture": ("a word like amd64", _text(_ARCHITECTURE)),
    "bundle": ("an object", lambda value: isinstance(value, dict)),
    "state_migration": ("true or false", lambda value: isinstance(value, bool)),
}
_BUNDLE_FIELDS: _Wishes = {
    "name": (BUNDLE, lambda value: value == BUNDLE),
    "size": (f"a whole number of bytes up to {BUNDLE_MOST}", _number(1, BUNDLE_MOST)),
    "sha256": ("64 lower-case hex digits", _text(_SHA256)),
}
_OPTIONAL: _Wishes = {"provenance": ("an object", lambda value: isinstance(value, dict))}
_SAID = ("printable text of at most 200 characters", _text(re.compile(r"[ -~]{0,200}")))
_PROVENANCE_FIELDS: _Wishes = {name: _SAID for name in ("builder", "source", "revision", "place")}
