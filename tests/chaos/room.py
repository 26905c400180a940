"""How much is out when one more gateway begins: counted anew from the tables, without the product's own arithmetic."""

from __future__ import annotations

import json
import math
import sqlite3

DOWN = "g.state IN ('unreachable', 'quarantined')"
# The old release and the new one both serve, or could: at risk, but not out.
BOTH = """(u.state IN ('ready', 'observing') OR (u.state = 'committing' AND u.trial_until IS NOT NULL)
 OR (u.state = 'upgrading' AND EXISTS (SELECT 1 FROM upgrader_steprun s WHERE s.upgrade_id = u.id
 AND s.name = 'shift' AND s.state IN ('due', 'claimed'))))"""
HANDS = """SELECT 1 FROM upgrader_upgrade u JOIN upgrader_wave w ON w.id = u.wave_id WHERE u.gateway_id = g.id
 AND u.state IN ('upgrading', 'ready', 'observing', 'committing', 'rolling_back', 'failed')"""
OUT = f"({DOWN} OR EXISTS ({HANDS} AND NOT {BOTH}))"
AT_RISK = f"({DOWN} OR EXISTS ({HANDS}))"
MINE = """SELECT u.gateway_id FROM upgrader_upgrade u JOIN upgrader_wave w ON w.id = u.wave_id
 WHERE w.rollout_id = ?"""
COUNTED = f"count(*), coalesce(sum({OUT}), 0), coalesce(sum(CASE WHEN {AT_RISK} THEN g.sessions ELSE 0 END), 0)"
BEGUN = """SELECT g.id, g.name, g.pool_id, g."group", g.sessions, g.state, w.rollout_id, o.plan, u.since
 FROM upgrader_upgrade u JOIN fleet_gateway g ON g.id = u.gateway_id JOIN upgrader_wave w ON w.id = u.wave_id
 JOIN upgrader_rollout o ON o.id = w.rollout_id WHERE u.id = ?"""
FROZEN = """SELECT reason, starts_at FROM upgrader_freeze WHERE (pool_id IS NULL OR pool_id = ?) AND made_at < ?
 AND lifted_at IS NULL AND starts_at <= ? AND (ends_at IS NULL OR ends_at > ?)"""
WINDOWS = "SELECT pool_id, rules FROM upgrader_window WHERE ended_at IS NULL AND made_at < ?"

Found = list[tuple[str, str]]


class Room:
    """The budgets, looked at from outside just after a gateway began."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base

    def begun(self, upgrade: int, *, before: str) -> Found:
        """What is wrong now that this gateway is out by the controller's own will. `before`: when the process that
        began it had begun to look; what was made since it could not know.
        """
        row = self.base.execute(BEGUN, (upgrade,)).fetchone()
        gateway, name, pool, group, sessions, state, rollout, plan, since = row
        found = self.together(gateway, name, group) + self.bounded(name, pool, since, before)
        if state in ("unreachable", "quarantined"):
            return found  # it counted before already
        for where, key in (("the fleet", None), (f"pool {pool}", pool)):
            found += self.within(name, where, key, sessions)
        return found + self.own(rollout, json.loads(plan)["spec"])

    def bounded(self, name: str, pool: int, at: str, before: str) -> Found:
        """Nothing begins in a freeze or outside of a window, by the clock of the process that begins it."""
        frozen = self.base.execute(FROZEN, (pool, before, at, at)).fetchone()
        if frozen:
            return [("window", f"{name} began at {at}, and {frozen[0]} froze it at {frozen[1]}")]
        rows = self.base.execute(WINDOWS, (before,)).fetchall()
        mine = [json.loads(rules) for of, rules in rows if of == pool] or [
            json.loads(r) for of, r in rows if of is None
        ]
        if mine and not any(is_open(rule["from"], rule["until"], at[11:16]) for rules in mine for rule in rules):
            return [("window", f"{name} began at {at}, and its windows are {mine}")]
        return []

    def together(self, gateway: int, name: str, group: str) -> Found:
        if not group:
            return []
        mates = self.base.execute(
            f'SELECT g.name FROM fleet_gateway g WHERE g."group" = ? AND g.id <> ? AND {OUT}', (group, gateway)
        ).fetchall()
        return [("budget", f"{name} began while {mates[0][0]} of its group {group} was out")] if mates else []

    def within(self, name: str, where: str, pool: int | None, sessions: int) -> Found:
        budget = self.base.execute(
            "SELECT gateways_percent, sessions FROM upgrader_budget WHERE pool_id IS ?", (pool,)
        ).fetchone()
        if budget is None:
            return [("budget", f"{name} began although the fleet has no budget")] if pool is None else []
        total, out, at_risk = self.counted("?1 IS NULL OR g.pool_id = ?1", (pool,))
        found: Found = []
        if out > (most := max(1, math.ceil(total * budget[0] / 100))):
            found.append(("budget", f"{name} began: {out} gateways of {where} are out, and {most} of {total} may be"))
        if budget[1] is not None and sessions and at_risk > budget[1]:
            found.append(("budget", f"{name} began: {at_risk} sessions of {where} are at risk, {budget[1]} may be"))
        return found

    def own(self, rollout: int, spec: dict[str, object]) -> Found:
        """What the rollout's own strategy allows it to have out."""
        most = spec.get("max_out") or {}
        assert isinstance(most, dict)
        if most.get("gateways") is None:
            return []
        _, out, _ = self.counted(f"g.id IN ({MINE})", (rollout,))
        if out > most["gateways"]:
            return [("budget", f"rollout {rollout} has {out} gateways out, and its strategy says {most['gateways']}")]
        return []

    def counted(self, which: str, values: tuple[object, ...]) -> tuple[int, int, int]:
        """Gateways, gateways that are out, sessions at risk."""
        who = f"g.state IN ('enrolled', 'unreachable', 'quarantined') AND ({which})"
        row = self.base.execute(f"SELECT {COUNTED} FROM fleet_gateway g WHERE {who}", values).fetchone()
        return int(row[0]), int(row[1]), int(row[2])


def is_open(start: str, until: str, clock: str) -> bool:
    """Whether a window of every day is open, all three as "03:10"; one that ends when it starts can't be read."""
    return start <= clock < until if start <= until else clock >= start or clock < until
