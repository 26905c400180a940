"""The evidence chain of one rollout: what stood behind it, what was done, and what it did to users. Pure.

`chain` builds one value from rows and events; page, file and print show that value. What is missing is said in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.phrases import count, listed

FORMAT = "handover-evidence-1"
ENDED = frozenset({"done", "failed"})
PASSED = "passed"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Gathered:
    """What was read. Times are aware datetimes; an event has seq, at, verb, who, why, subject, details and hash."""

    rollout: Row  # id, product, release, pool, state, strategy, digest, recomputed, created_by, created_at
    signatures: Sequence[Row]  # name, who, group, signed_at, verified_at, bad
    runs: Sequence[
        Row
    ]  # part, state, place, upgraded_from, started_at, ended_at, cells {verdict: n}, red [{test, say}]
    requests: Sequence[Row]  # id, kind, state, needed, by, at, digest, decisions [{by, yes, reason, digest, at}]
    waves: Sequence[Row]  # number, state, reason, verdicts [{share, outcome, sentence, numbers, at, final}]
    gateways: Sequence[Row]  # name, wave, state, reason, way, before, kept, left, cut, cut_users, steps [Row]
    events: Sequence[Row] = field(default_factory=tuple)


def chain(seen: Gathered) -> dict[str, Any]:
    """Return the chain as data: rollout, seven links in their order, and what is missing of each."""
    by_step = {_step_key(event["details"]): event for event in seen.events if event["verb"].startswith("step.")}
    gateways = [_gateway(row, by_step) for row in seen.gateways]
    links = [
        _link("signatures", "Signatures of the release", seen.signatures, _no_signature(seen.signatures)),
        _link("matrix", "Test matrix", seen.runs, _no_matrix(seen)),
        _link("approval", "Approved plan", _approvals(seen), _no_approval(seen)),
        _link("actions", "Actions on gateways", gateways, _no_actions(gateways)),
        _link("verdicts", "Verdicts", seen.waves, _no_verdicts(seen.waves)),
        _link("rollback", "Rollback", _rollbacks(seen, gateways), _no_rollback(seen, gateways)),
        _link("users", "Users kept and cut", [users(seen.gateways)], _no_users(seen.gateways)),
    ]
    missing = [f"{link['title']}: {say}" for link in links for say in link["missing"]]
    return {"format": FORMAT, "rollout": dict(seen.rollout), "links": links, "missing": missing}


def users(gateways: Sequence[Row]) -> dict[str, Any]:
    """How many were on, stayed, left by themselves and were cut, over the gateways where it was measured."""
    measured = [row for row in gateways if row["kept"] is not None]
    return {
        "gateways": len(gateways),
        "measured": len(measured),
        "before": sum(row["before"] for row in measured),
        "kept": sum(row["kept"] for row in measured),
        "left": sum(row["left"] for row in measured),
        "cut": sum(row["cut"] for row in gateways),
        "cut_on": [{"gateway": row["name"], "users": list(row["cut_users"])} for row in gateways if row["cut"]],
    }


def _link(key: str, title: str, items: Sequence[Any], missing: list[str]) -> dict[str, Any]:
    return {"key": key, "title": title, "rows": list(items), "missing": missing}


def _step_key(details: Row) -> tuple[str, str, int]:
    return str(details.get("gateway")), str(details.get("step")), int(details.get("fence") or 0)


def _gateway(row: Row, by_step: Mapping[tuple[str, str, int], Row]) -> dict[str, Any]:
    """The gateway with its steps, each with the number of the event that recorded it."""
    steps = []
    for step in row["steps"]:
        event = by_step.get((row["name"], step["name"], step["fence"]))
        steps.append({**step, "event": event["seq"] if event else None})
    return {**row, "steps": steps}


def _approvals(seen: Gathered) -> list[dict[str, Any]]:
    drafted = [event for event in seen.events if event["verb"] == "rollout.drafted"]
    plan = {
        "digest": seen.rollout["digest"],
        "stored_plan_matches": seen.rollout["recomputed"] == seen.rollout["digest"],
        "drafted_by": drafted[0]["who"] if drafted else seen.rollout["created_by"],
        "drafted_at": drafted[0]["at"] if drafted else seen.rollout["created_at"],
        "event": drafted[0]["seq"] if drafted else None,
    }
    return [plan, *({**row, "for_this_plan": row["digest"] == seen.rollout["digest"]} for row in seen.requests)]


def _rollbacks(seen: Gathered, gateways: Sequence[Row]) -> list[dict[str, Any]]:
    """Moves of the rollout on its way back, then each gateway's way back and what verified it."""
    turned = [
        event
        for event in seen.events
        if event["verb"] == "rollback.asked"
        or event["details"].get("after") in ("rolling_back", "rolled_back", "failed")
    ]
    moves = [{name: event[name] for name in ("seq", "at", "who", "why", "subject")} for event in turned]
    back = [
        {"gateway": row["name"], "step": step} for row in gateways for step in row["steps"] if step["name"] == "restore"
    ]
    return [*moves, *back]


def _no_signature(signatures: Sequence[Row]) -> list[str]:
    bad = [f"{row['who']}'s no longer counts: {row['bad']}" for row in signatures if row["bad"]]
    return bad if any(not row["bad"] for row in signatures) else [*bad, "nobody who counts today has signed it."]


def _no_matrix(seen: Gathered) -> list[str]:
    if not seen.runs:
        return [f"no test matrix ran for {seen.rollout['release']}."]
    unfinished = [row["part"] for row in seen.runs if row["state"] != "done"]
    return [f"{listed(unfinished)} did not run to the end."] if unfinished else []


def _no_approval(seen: Gathered) -> list[str]:
    found = []
    if seen.rollout["recomputed"] != seen.rollout["digest"]:
        found.append("the stored plan is not the one whose digest was approved.")
    begun = any(step for row in seen.gateways for step in row["steps"])
    yes = [row for row in seen.requests if row["digest"] == seen.rollout["digest"] and row["state"] == "approved"]
    if begun and not yes:
        found.append("something was done, and no approval of this plan is there.")
    if not any(event["verb"] == "rollout.drafted" for event in seen.events):
        found.append("the record has no event of its drafting.")
    lacking = [str(row["id"]) for row in yes if sum(one["yes"] for one in row["decisions"]) < row["needed"]]
    return [*found, *(f"request {pk} was approved by fewer people than it needed." for pk in lacking)]


def _no_actions(gateways: Sequence[Row]) -> list[str]:
    silent = [
        f"{row['name']} {step['name']}"
        for row in gateways
        for step in row["steps"]
        if step["state"] in ENDED and step["event"] is None
    ]
    if silent:
        return [f"the record has no event of {count(len(silent), 'step')} that ended: {listed(silent, 5)}."]
    return [] if any(row["steps"] for row in gateways) else ["nothing was done on any gateway yet."]


def _no_verdicts(waves: Sequence[Row]) -> list[str]:
    """A wave that passed without a final verdict was not watched, or somebody else let it pass: the reason says."""
    bare = [row for row in waves if row["state"] == PASSED and not any(one["final"] for one in row["verdicts"])]
    return [f"wave {row['number']} passed without a verdict that moved it. {row['reason']}".strip() for row in bare]


def _no_rollback(seen: Gathered, gateways: Sequence[Row]) -> list[str]:
    back = [row for row in gateways if row["state"] == "rolled_back"]
    unproved = [
        row["name"]
        for row in back
        if row["steps"] and not any(step["name"] == "restore" and step["state"] == "done" for step in row["steps"])
    ]
    found = [f"no restore that was verified on {listed(unproved, 5)}."] if unproved else []
    if seen.rollout["state"] == "failed":
        found.append("the rollback did not end: the rollout needs a person.")
    return found


def _no_users(gateways: Sequence[Row]) -> list[str]:
    unknown = [row["name"] for row in gateways if row["kept"] is None and row["steps"] and row["way"] != "outgoing"]
    return [f"sessions kept were not measured on {listed(unknown, 5)}."] if unknown else []
