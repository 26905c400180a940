"""JSON of docs/ocgate-protocol.md → dataclasses of fleet.ports. Pure.

Unknown fields are dropped: a newer ocgate may say more. A missing or wrong one raises GatewayBug: to read on would
be to guess.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from fleet.ports import (
    Archive,
    Checked,
    Configured,
    Drain,
    Facts,
    Finding,
    Left,
    Probed,
    Replaced,
    Restored,
    Retired,
    Session,
    Shifted,
    SlotFacts,
    SlotMetrics,
    SlotRelease,
    Staged,
    Started,
    Trial,
)

Json = Mapping[str, Any]
T = TypeVar("T")


class GatewayBug(RuntimeError):
    """The gateway's program failed, or said what the protocol does not know. Neither of the two failures: a bug."""

    def __init__(self, say: str, *, code: str = "") -> None:
        super().__init__(say)
        self.say = say
        self.code = code


def flat(kind: type[T], raw: Any) -> T:
    """Build a dataclass of plain fields; those with a default may be missing."""
    if not isinstance(raw, Mapping):
        raise GatewayBug(f"Where a {kind.__name__} belongs, the gateway said {raw!r:.80}.", code="bad_answer")
    values: dict[str, Any] = {}
    for name, hint, needed in _fields(kind):
        if name in raw:
            values[name] = _plain(hint, raw[name], f"{kind.__name__}.{name}")
        elif needed:
            raise GatewayBug(f"The gateway's answer lacks {kind.__name__}.{name}.", code="bad_answer")
    return kind(**values)


_FIELDS: dict[Any, tuple[tuple[str, Any, bool], ...]] = {}
"""Kind → name, type and whether it must be there. To read type hints takes longer than to read an answer."""


def _fields(kind: type[T]) -> tuple[tuple[str, Any, bool], ...]:
    if (found := _FIELDS.get(kind)) is None:
        hints, missing = get_type_hints(kind), dataclasses.MISSING
        fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # every caller passes a dataclass
        found = _FIELDS[kind] = tuple(
            (field.name, hints[field.name], field.default is missing and field.default_factory is missing)
            for field in fields
        )
    return found


def facts(raw: Json) -> Facts:
    """The answer of `facts`."""
    values = {name: need(raw, name) for name in ("ocgate", "hostname", "now", "boot_id", "fence")}
    trial = raw.get("trial")
    return Facts(
        ocgate=str(values["ocgate"]),
        hostname=str(values["hostname"]),
        now=_number(values["now"], "now"),
        boot_id=str(values["boot_id"]),
        fence=int(_number(values["fence"], "fence")),
        committed=_place(raw.get("committed")),
        previous=_place(raw.get("previous")),
        trial=Trial(weights(need(trial, "weights")), _number(need(trial, "until"), "until")) if trial else None,
        weights=weights(need(raw, "weights")),
        slots=tuple(flat(SlotFacts, slot) for slot in rows(raw, "slots")),
        releases={str(need(row, "release")): str(need(row, "digest")) for row in rows(raw, "releases")},
        disk_free=int(_number(need(need(raw, "disk"), "free"), "disk.free")),
        conf_changed=bool((raw.get("conf") or {}).get("changed", False)),
        agreed_conf=str((raw.get("conf") or {}).get("agreed_sha256", "")),
        steers=bool(raw.get("steers", True)),
        steers_why=str(raw.get("steers_why", "")),
        raw=raw,
    )


def staged(raw: Json) -> Staged:
    return flat(Staged, raw)


def checked(raw: Json) -> Checked:
    findings = tuple(flat(Finding, row) for row in rows(raw, "findings"))
    return Checked(ok=bool(need(raw, "ok")), findings=findings)


def configured(raw: Json) -> Configured:
    names = tuple(str(name) for name in rows(raw, "changed"))
    way = need(raw, "way")
    if way not in ("none", "reload", "restart"):
        raise GatewayBug(f"The gateway's way is {way!r:.80}.", code="bad_answer")
    return Configured(str(need(raw, "sha256")), bool(need(raw, "already")), names, way)


def started(raw: Json) -> Started:
    return flat(Started, raw)


def probed(raw: Json) -> Probed:
    return flat(Probed, raw)


def shifted(raw: Json) -> Shifted:
    until, applied = _number(need(raw, "until"), "until"), _number(need(raw, "applied_at"), "applied_at")
    return Shifted(weights(need(raw, "weights")), until, applied, bool(need(raw, "already")))


def drain(raw: Json) -> Drain:
    left = flat(Drain, {name: value for name, value in raw.items() if name != "users"})
    return dataclasses.replace(left, users=tuple(flat(Left, row) for row in rows({"users": [], **raw}, "users")))


def sessions(raw: Json) -> tuple[Session, ...]:
    return tuple(flat(Session, row) for row in rows(raw, "sessions"))


def signed_out(raw: Json) -> frozenset[str]:
    """Short ids of the sessions that ended by their users' own doing."""
    return frozenset(str(need(row, "session")) for row in rows(raw, "departures") if need(row, "by_user"))


def retired(raw: Json) -> Retired:
    return Retired(count(raw, "slot"), _cut(raw), bool(need(raw, "already")))


def replaced(raw: Json) -> Replaced:
    return Replaced(
        slot=count(raw, "slot"),
        release=str(need(raw, "release")),
        version=str(need(raw, "version")),
        cut=_cut(raw),
        until=_number(need(raw, "until"), "until"),
        ready_ms=count(raw, "ready_ms"),
        already=bool(need(raw, "already")),
    )


def restored(raw: Json) -> Restored:
    plain = {name: value for name, value in raw.items() if name != "cut"}
    done = flat(Restored, {**plain, "weights": weights(need(raw, "weights"))})
    return dataclasses.replace(done, cut=_cut(raw)) if "cut" in raw else done


def _cut(raw: Json) -> tuple[tuple[str, str], ...]:
    """(session id, user) of each who lost his session."""
    return tuple((str(need(row, "id")), str(need(row, "user"))) for row in rows(raw, "cut"))


def metrics(raw: Json) -> tuple[SlotMetrics, ...]:
    return tuple(flat(SlotMetrics, row) for row in rows(raw, "slots"))


def archive(raw: Json) -> Archive:
    """The answer of `snapshot`; its hash is checked."""
    try:
        data = base64.b64decode(str(need(raw, "archive")), validate=True)
    except binascii.Error as wrong:
        raise GatewayBug(f"The gateway's snapshot is not base64: {wrong}.", code="bad_answer") from wrong
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != need(raw, "sha256"):
        raise GatewayBug("The gateway's snapshot does not have the hash that it names.", code="bad_answer")
    return Archive(data, sha256, tuple(str(name) for name in rows(raw, "files")))


def already(raw: Json) -> bool:
    """Was it so before this was asked?"""
    return bool(need(raw, "already"))


def count(raw: Json, name: str) -> int:
    """A number of bytes or parts in a progress line."""
    return int(_number(need(raw, name), name))


def weights(raw: Any) -> dict[int, int]:
    """`{"1":75,"2":25}` as numbers."""
    try:
        return {int(slot): int(weight) for slot, weight in raw.items()}
    except (AttributeError, TypeError, ValueError) as wrong:
        raise GatewayBug(f"The gateway's weights are {raw!r:.80}.", code="bad_answer") from wrong


def _place(raw: Any) -> SlotRelease | None:
    return flat(SlotRelease, raw) if raw else None


def rows(raw: Json, name: str) -> Iterable[Any]:
    """A list in an answer."""
    found: Iterable[Any] = need(raw, name)
    if not isinstance(found, list | tuple):
        raise GatewayBug(f"The gateway's {name} are {found!r:.80}.", code="bad_answer")
    return found


def need(raw: Any, name: str) -> Any:
    """A field of an answer that must be there."""
    if not isinstance(raw, Mapping) or name not in raw:
        raise GatewayBug(f"The gateway's answer lacks {name}.", code="bad_answer")
    return raw[name]


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise GatewayBug(f"The gateway's {name} is {value!r:.80}, not a number.", code="bad_answer")
    return float(value)


def _object(value: Any, name: str) -> Json:
    if not isinstance(value, Mapping):
        raise GatewayBug(f"The gateway's {name} is {value!r:.80}.", code="bad_answer")
    return value


def _plain(kind: Any, value: Any, name: str) -> Any:
    if get_origin(kind) is UnionType:
        return None if value is None else _plain(get_args(kind)[0], value, name)
    if get_origin(kind) is Mapping and get_args(kind)[0] is str:
        return {str(word)[:80]: count(value, word) for word in _object(value, name)}
    if kind is int:
        return int(_number(value, name))
    if kind is float:
        return _number(value, name)
    wanted = bool if kind is bool else str
    if kind in (bool, str) or get_args(kind):
        # A Literal's values are texts; a new one of a newer ocgate is passed on as it is.
        if wanted is str and isinstance(value, Mapping):
            return value
        if not isinstance(value, wanted):
            raise GatewayBug(f"The gateway's {name} is {value!r:.80}.", code="bad_answer")
    return value
