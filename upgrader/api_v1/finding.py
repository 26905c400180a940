"""Rows by the names that people use, among those that the caller may see."""

from __future__ import annotations

from django.db.models import QuerySet

from fleet.models import Pool
from fleet.selectors import visible_pools
from upgrader.api_v1.caller import Caller
from upgrader.api_v1.problems import Problem


def pool(who: Caller, name: str, *, among: QuerySet[Pool] | None = None) -> Pool:
    """The pool of this name. 404 where there is none that the caller may see, or that is among these."""
    rows = visible_pools(who.user)
    found = who.within(rows, "pk").filter(name=plain(name)).first()
    if found is None:
        raise Problem(404, f"There is no pool {name[:60]}, or you may not see it.")
    if among is not None and not among.filter(pk=found.pk).exists():
        raise Problem(403, f"You may not do this on {found.name}. Ask somebody who may, or for the right.")
    return found


def place(who: Caller, name: str) -> Pool | None:
    """The pool of this name; None, the whole fleet, for none."""
    if not name:
        who.demand("all")
        return None
    return pool(who, name)


def plain(text: str) -> str:
    """No database takes a NUL, so nothing is named with one."""
    return text.replace("\x00", "\ufffd")[:200]
