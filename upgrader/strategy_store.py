"""Strategies as they are kept: each text is a version that stays for the rollouts that were drawn with it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, User
from upgrader import strategy_text
from upgrader.models import Strategy

RIGHT = "upgrader.add_strategy"
SHIPPED = Path(__file__).parent / "strategies"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def shipped() -> dict[str, str]:
    """The texts that come with the product, by name; the usual one last, so that it is offered first."""
    names = sorted((path.stem for path in SHIPPED.glob("*.yaml")), key=lambda name: (name == "careful-canary", name))
    return {name: (SHIPPED / f"{name}.yaml").read_text() for name in names}


def load(*, actor: Actor, now: datetime) -> list[Strategy]:
    """Store what is shipped and not here yet; return the new versions. What people changed or retired stays theirs."""
    made = []
    for name, text in shipped().items():
        newest = newest_of(name)
        if newest is None or (newest.added_by_id is None and newest.retired_at is None and newest.source != text):
            made.append(store(name, text, by=None, actor=actor, now=now))
    return made


def add(name: str, text: str, *, by: User, actor: Actor, now: datetime) -> tuple[Strategy, bool]:
    """Store the text as the next version of the strategy, and whether that was news. TextError, or Refused."""
    demand(by)
    name = slugify(name)
    if not _NAME.fullmatch(name) or len(name) > 60:
        raise Refused("Give it a name of small letters, digits and dashes, at most 60.")
    newest = newest_of(name)
    if newest is not None and newest.source == text and newest.retired_at is None:
        return newest, False
    return store(name, text, by=by, actor=actor, now=now), True


def store(name: str, text: str, *, by: User | None, actor: Actor, now: datetime) -> Strategy:
    """Write the next version down, without asking who may."""
    written = strategy_text.read(text)
    newest = newest_of(name)
    version = newest.version + 1 if newest else 1
    try:
        with transaction.atomic():
            made = Strategy.objects.create(
                name=name,
                version=version,
                title=written.title,
                spec=dict(written.data),
                source=text,
                added_by=by,
                added_at=now,
            )
            audit.append(
                "strategy.added",
                subject=f"strategy:{made.pk}",
                actor=actor,
                at=now,
                details={"name": name, "version": version, "title": written.title},
            )
    except IntegrityError as taken:
        raise Refused(
            f"Somebody was faster: version {version} of {name} is here. Look at it, then try again."
        ) from taken
    return made


def retire(name: str, *, reason: str, by: User, actor: Actor, now: datetime) -> bool:
    """Take every version out of the choice for new rollouts; those that run keep theirs. False: it was so already."""
    demand(by)
    with transaction.atomic():
        rows = Strategy.objects.filter(name=name, retired_at=None)
        ids = list(rows.values_list("pk", flat=True))
        if not rows.update(retired_at=now):
            return False
        audit.append(
            "strategy.retired",
            subject=f"strategy:{max(ids)}",
            actor=actor,
            at=now,
            reason=reason,
            details={"name": name},
        )
    return True


def may(person: User) -> bool:
    return rights.may(person, RIGHT, rights.EVERYTHING)


def demand(person: User) -> None:
    if not may(person):
        raise Refused("You may not add or retire strategies. Ask somebody who may, or for the right.")


def newest_of(name: str) -> Strategy | None:
    return Strategy.objects.filter(name=name).order_by("-version").first()


def offered() -> list[Strategy]:
    """The newest version of each strategy that is not retired; what was added last comes first, and last what is for
    two pools of certain names."""
    seen: set[str] = set()
    rows = []
    for row in Strategy.objects.order_by("name", "-version"):
        if row.name not in seen and row.retired_at is None:
            rows.append(row)
        seen.add(row.name)
    return sorted(rows, key=lambda row: (bool(row.spec.get("between")), -row.pk))
