"""Configurations beside each other: against a version of ocserv, against another text, against what gateways hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any

from fleet.models import Gateway, Pool
from fleet.ocgate import allow, mask, optioncheck, options
from fleet.ocgate.findings import Finding
from fleet.ocgate.silent import silent_changes
from fleet.phrases import listed
from releases.models import Release

UNKNOWN = "what is agreed there now is not known here"
HERE = (Gateway.State.ENROLLED, Gateway.State.UNREACHABLE)


def between(old: str, new: str) -> str:
    """Unified diff, secrets masked; a secret that changed shows as another one."""
    was, becomes = mask.pair(old, new)
    lines = difflib.unified_diff(was.splitlines(), becomes.splitlines(), "agreed", "new", lineterm="")
    return "\n".join(lines)


def agreed_sha(gateway: Gateway) -> str:
    """SHA-256 of the configuration that the gateway last said is agreed there; "" when it never said."""
    conf = gateway.facts.get("conf")
    return str(conf.get("agreed_sha256", "")) if isinstance(conf, Mapping) else ""


def agreed_on(pool: Pool, gateway: Gateway | None) -> dict[str, list[str]]:
    """SHA-256 → names of the gateways on which it is the agreed one."""
    found: dict[str, list[str]] = {}
    for row in _gateways(pool, gateway):
        if sha := agreed_sha(row):
            found.setdefault(sha, []).append(row.name)
    return found


def serving(pool: Pool, gateway: Gateway | None) -> list[str]:
    """Versions of ocserv that serve there now."""
    named = {row.release for row in _gateways(pool, gateway)}
    known = dict(Release.objects.filter(name__in=named).values_list("name", "version"))
    return _sorted(known.get(name) or _said(name) for name in named)


def versions(pool: Pool, gateway: Gateway | None) -> list[str]:
    """Those, and the versions of all releases that may still be planned."""
    ready = Release.objects.filter(state=Release.State.READY).values_list("version", flat=True)
    return _sorted([*serving(pool, gateway), *ready])


def findings(text: str, known: Iterable[str]) -> dict[str, list[Finding]]:
    """Version → what it makes of the text."""
    return {version: optioncheck.problems(text, version) for version in known}


def silent(text: str, known: Sequence[str]) -> dict[str, list[Finding]]:
    """ "FROM → TO" → what changes without a word, for each two of the versions, in both directions."""
    steps = {f"{old} → {new}": silent_changes(text, old, new) for old, new in permutations(known, 2)}
    return {step: found for step, found in steps.items() if found}


def difference(olds: Mapping[str, str | None], new: str) -> dict[str, Any]:
    """From each agreed text (None: not known here) to the new one: changed names, way, what is beyond one person."""
    changed: set[str] = set()
    beyond: set[str] = set()
    ways = {"none"}
    for old in olds.values():
        if old is None:
            ways.add("restart")
            beyond.add(UNKNOWN)
            continue
        changed |= set(options.names(options.changed(old, new)))
        beyond |= set(allow.beyond(old, new))
        ways.add(options.way(old, new))
    way = next(way for way in ("restart", "reload", "none") if way in ways)
    return {"changed": sorted(changed), "beyond": sorted(beyond), "way": way}


def lines(old: str, new: str, beyond: Sequence[str]) -> list[str]:
    """What a change means, as sentences for the one who decides."""
    way = options.way(old, new)
    how = {
        "none": "No option differs; only comments or layout do.",
        "reload": "ocserv can reload all of it: no slot is needed.",
        "restart": "ocserv does not reload all of it: it goes into a free slot, as a release does.",
    }
    said = [how[way], f"One person may not change {listed(beyond, 8)}."]
    return [*said, "A gateway takes it only with a statement over its digest that pinned approvers signed."]


def warning(old: str, new: str) -> str:
    """The one thing that must not be overlooked: what would run as root."""
    runs = sorted({name for _, name in options.changed(old, new) if name in options.RUNS})
    return f"{listed(runs)} runs as root on every gateway that takes this." if runs else ""


def _gateways(pool: Pool, gateway: Gateway | None) -> list[Gateway]:
    rows = Gateway.objects.filter(pool=pool, state__in=HERE)
    return list(rows.filter(pk=gateway.pk) if gateway else rows)


def _said(release: str) -> str:
    """A release that is not in the repository, such as an adopted one: its name may say its version."""
    return ".".join(str(part) for part in options.version_of(release))


def _sorted(known: Iterable[str]) -> list[str]:
    return sorted({version for version in known if version}, key=options.version_of)
