"""Rules as they stand: a pool's own replaces the fleet's there, and what nobody has changed is as shipped. The only
writer of AlarmRule rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.text import slugify

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.alarms import own
from fleet.alarms.rules import DEFAULTS, OWN, Rule, RuleError, parse
from fleet.models import AlarmRule, Pool

RIGHT = "fleet.change_alarmrule"
CODE_MOST = 40
Place = tuple[str, int | None]
"""A rule's code, and the pool for which it stands; None: the fleet."""


@dataclass(frozen=True)
class Standing:
    """Every rule that can be read, and the sentence about each that can't: such a one is never simply left out."""

    rules: Mapping[Place, Rule]
    unreadable: Mapping[Place, str] = field(default_factory=dict)

    def of(self, pool: int) -> list[Rule]:
        """What is judged on a pool's gateways."""
        codes = dict.fromkeys([*DEFAULTS, *sorted({code for code, _ in (*self.rules, *self.unreadable)})])
        chosen = (self._chosen(code, pool) for code in codes)
        return [rule for rule in chosen if rule is not None and rule.enabled]

    def _chosen(self, code: str, pool: int) -> Rule | None:
        if (code, pool) in self.rules or (code, pool) in self.unreadable:
            return self.rules.get((code, pool))
        return self.rules.get((code, None))


def current() -> QuerySet[AlarmRule]:
    return AlarmRule.objects.filter(current=True).select_related("pool", "made_by")


def standing() -> Standing:
    """All rules, in one query."""
    specs: dict[Place, Any] = {(code, None): shipped.spec for code, shipped in DEFAULTS.items()}
    specs |= {(row.code, row.pool_id): row.spec for row in current()}
    rules: dict[Place, Rule] = {}
    unreadable: dict[Place, str] = {}
    for (code, pool), spec in specs.items():
        try:
            rules[code, pool] = parse(code, spec)
        except RuleError as wrong:
            unreadable[code, pool] = wrong.say
    return Standing(rules, unreadable)


def spec_of(code: str, pool: Pool | None) -> tuple[Any, int]:
    """What stands for this place, and its version; 0: nothing of its own, so the fleet's or the shipped one."""
    here = current().filter(code=code, pool=pool).first()
    if here is not None:
        return here.spec, here.version
    fleet = current().filter(code=code, pool=None).first() if pool else None
    shipped = DEFAULTS[code].spec if code in DEFAULTS else own.spec_of(code) or {}
    return (fleet.spec if fleet else dict(shipped)), 0


@dataclass(frozen=True)
class Said:
    """Who wants it, when and why."""

    by: User
    actor: Actor
    why: str
    now: datetime


def change(place: tuple[str, Pool | None], spec: Mapping[str, Any], *, seen: int, said: Said) -> AlarmRule | None:
    """Let a rule be so from now on; None when it is so already.

    `seen`: the version that the person looked at. Raise RuleError for what can't be read, Refused for the rest.
    """
    code, pool = place
    demand(said.by)
    rule = parse(code, spec)
    if not said.why.strip():
        raise Refused("Say why: it goes on the record.")
    was, version = spec_of(code, pool)
    if _read(code, was) == rule:
        return None
    if version != seen:
        raise Refused(f"Somebody changed it meanwhile: it is at version {version} now, you looked at {seen}.")
    return _write(place, dict(spec), version=version + 1, was=was, said=said)


def add(pool: Pool | None, spec: Mapping[str, Any], *, said: Said) -> AlarmRule:
    """A rule of one's own, for the fleet or a pool. Raise RuleError for what can't be read, Refused for the rest."""
    demand(said.by)
    code = code_of(spec.get("title"))
    parse(code, spec)
    if not said.why.strip():
        raise Refused("Say why: it goes on the record.")
    if own.spec_of(code) is not None:
        raise Refused(f"There is a rule “{spec.get('title')}” already: change that one, or call yours something else.")
    return _write((code, pool), dict(spec), version=1, was=None, said=said)


def demand(by: User) -> None:
    if not rights.may(by, RIGHT, rights.EVERYTHING):
        raise Refused(f"You may not change rules: you lack the right “{rights.said(RIGHT)}”.")


def code_of(title: object) -> str:
    """The code of a rule that is called so; what has no Latin letter gets one from its text."""
    text = str(title or "")
    name = slugify(text) or hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{OWN}{name}"[:CODE_MOST].rstrip("-")


def _read(code: str, spec: Any) -> Rule | None:
    try:
        return parse(code, spec)
    except RuleError:
        return None


def _write(place: tuple[str, Pool | None], spec: dict[str, Any], *, version: int, was: Any, said: Said) -> AlarmRule:
    (code, pool), why = place, said.why.strip()[:2000]
    try:
        with transaction.atomic():
            AlarmRule.objects.filter(code=code, pool=pool, current=True, version=version - 1).update(current=False)
            made = AlarmRule.objects.create(
                code=code, pool=pool, version=version, spec=spec, made_by=said.by, made_at=said.now, why=why
            )
            about = {"code": code, "pool": pool.name if pool else "", "version": version, "before": was, "after": spec}
            subject = f"rule:{code}"
            audit.append("rule.changed", subject=subject, actor=said.actor, at=said.now, reason=why, details=about)
            return made
    except IntegrityError:
        raise Refused("Somebody changed it at the same moment. Look again.") from None
