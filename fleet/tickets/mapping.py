"""From what a system sends to complaints. Pure: which field stands where is data of the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from approvals.errors import Refused

FIELDS = ("id", "user", "address", "at", "text", "gateway", "closed")
"""What a source may map. Only `id` has to be there; `gateway` is a name or an address, `closed` anything true."""
AT_ONCE = 100  # complaints of one message
LONGEST = {"id": 120, "user": 120, "address": 64, "gateway": 255, "text": 2000}
PATH_MOST = 120
AHEAD = timedelta(minutes=10)  # that a source's clock may be in front of ours
USUAL = {name: name for name in FIELDS}
LABELS = {
    "user": ("user", "username", "login"),
    "gateway": ("gateway", "instance"),
    "address": ("address", "client_ip"),
}
"""Of Alertmanager: the labels, or annotations, in which these may stand."""


@dataclass(frozen=True)
class Complaint:
    """One, as the source told it; "" for what it did not tell."""

    id: str
    user: str
    address: str
    at: datetime
    text: str
    gateway: str
    closed: bool


def mapping_of(lines: str) -> dict[str, str]:
    """Read "our field = where.it.stands" lines. Raise Refused with the line that can't be read."""
    made: dict[str, str] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, sign, path = (part.strip() for part in line.partition("="))
        if not sign or name not in FIELDS or not path or len(path) > PATH_MOST:
            raise Refused(f"“{line[:80]}” is no field: write “user = caller.login”. Fields are {', '.join(FIELDS)}.")
        if name in made:
            raise Refused(f"The field {name} stands there twice.")
        made[name] = path
    if made and "id" not in made:
        raise Refused("Say where the number of a complaint stands, as “id = number”: by it one is told from the next.")
    return made or dict(USUAL)


def complaints(kind: str, mapping: Mapping[str, str], body: Any, now: datetime) -> list[Complaint]:
    """Raise Refused with the sentence of the first fault: then nothing of the message is taken."""
    if kind == "alertmanager":
        return [_of_alert(one, now) for one in _many(body, "alerts")]
    found = body if isinstance(body, list) else _many(body, "tickets") if _has(body, "tickets") else [body]
    if len(found) > AT_ONCE:
        raise Refused(f"At most {AT_ONCE} complaints come in one message; these are {len(found)}.")
    return [_of_json(one, mapping, now) for one in found]


def _has(body: Any, name: str) -> bool:
    return isinstance(body, Mapping) and name in body


def _many(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(found, list) or not found:
        raise Refused(f"The message has no list “{name}”.")
    if len(found) > AT_ONCE:
        raise Refused(f"At most {AT_ONCE} complaints come in one message; these are {len(found)}.")
    return found


def _of_json(one: Any, mapping: Mapping[str, str], now: datetime) -> Complaint:
    if not isinstance(one, Mapping):
        raise Refused("A complaint is an object with fields.")
    told = {name: at(one, path) for name, path in mapping.items()}
    return _made({name: text_of(value) for name, value in told.items()}, bool(told.get("closed")), now)


def _of_alert(one: Any, now: datetime) -> Complaint:
    """One alert of Alertmanager's webhook (version 4): its fingerprint and begin are what tells it from others."""
    if not isinstance(one, Mapping):
        raise Refused("An alert is an object with fields.")
    labels = {**_named(one, "annotations"), **_named(one, "labels")}
    told = {name: next((labels[key] for key in keys if labels.get(key)), "") for name, keys in LABELS.items()}
    begin, finger = text_of(one.get("startsAt")), text_of(one.get("fingerprint"))
    told |= {"id": f"{finger} {begin}" if finger else "", "at": begin}
    told["text"] = labels.get("summary") or labels.get("description") or labels.get("alertname", "")
    return _made(told, one.get("status") == "resolved", now)


def _named(one: Mapping[str, Any], name: str) -> dict[str, str]:
    found = one.get(name)
    return {str(key): text_of(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def _made(told: Mapping[str, str], closed: bool, now: datetime) -> Complaint:
    if not told.get("id"):
        raise Refused("A complaint has no number: without it the same one would be counted twice.")
    for name, most in LONGEST.items():
        if name != "text" and len(told.get(name, "")) > most:
            raise Refused(f"The field {name} has {len(told[name])} characters; {most} are allowed.")
    text = {name: told.get(name, "") for name in LONGEST}
    return Complaint(
        **{**text, "text": text["text"][: LONGEST["text"]]}, at=moment(told.get("at", ""), now), closed=closed
    )


def at(one: Any, path: str) -> Any:
    """What stands at "a.b.0.c"; None where nothing does."""
    for step in path.split("."):
        if isinstance(one, Mapping):
            one = one.get(step)
        elif isinstance(one, list) and step.isdigit() and len(step) < 4:
            one = one[int(step)] if int(step) < len(one) else None
        else:
            return None
    return one


def text_of(value: Any) -> str:
    """A text or a number as text, without what no database stores; "" for all else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float) and not isfinite(value):
        return ""
    return str(value).replace("\x00", "").strip()


def moment(said: str, now: datetime) -> datetime:
    """ISO 8601 or epoch seconds (milliseconds where it would be far ahead); now for none and for the future."""
    if not said:
        return now
    try:
        if said.replace(".", "", 1).isdigit():
            seconds = float(said)
            made = datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        else:
            made = datetime.fromisoformat(said)
    except (ValueError, OverflowError, OSError):
        raise Refused(f"“{said[:40]}” is no time: write it as 2026-11-23T14:20:00Z, or in epoch seconds.") from None
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return now if now < made <= now + AHEAD else _past(made, said, now)


def _past(made: datetime, said: str, now: datetime) -> datetime:
    if made > now:
        raise Refused(f"“{said[:40]}” lies ahead: the source's clock is wrong.")
    return made
