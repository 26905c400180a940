"""docs/rights.md, written from upgrader/rights_table.py and the addresses that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from approvals.roles import ALL, EVERYTHING
from upgrader.rights_table import ELSEWHERE, HOLDERS, LINES, OPEN, OWN, Answer, Holder, Line, Of, answer

SIGN = {Answer.YES: "✓", Answer.NO: "–", Answer.HIDDEN: "∅"}
ALIKE = (Of.NOTHING, Of.FLEET, Of.SHOWN, Of.CHANNEL)
HEAD = """# Who may do what

Written by `manage.py rights table > docs/rights.md` from upgrader/rights_table.py and approvals/roles.py: edit those.
tests/web/test_rights_walk.py asks every address as every role, on the own pool and on another, and compares.

✓ it is shown or done (or refused for a reason that is no right) · – refused, and the missing right is named ·
∅ there is no such thing (404). Two signs: on the own pool, and on another. A method that is not listed answers 405.
Being a superuser is no right. Where a pool has a calendar, On-call counts during the own shift only; to look, always.

Who is not signed in is sent to sign in (302), or told so (401) where a part of a page or a program asks.
"""


def text() -> str:
    """The whole document."""
    return "\n".join([HEAD, *_roles(), *_table(), *_rest()]) + "\n"


def addresses(patterns: Sequence[Any] | None = None, before: str = "") -> Iterator[tuple[str, str]]:
    """Name and path of every address but those below /api/v1/, which take the same rights by the same services."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver) and not path.startswith("api/v1"):
            yield from addresses(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name, "/" + path


def _roles() -> list[str]:
    lines = ["## Roles", "", "| Role | Held on | What for | Rights | Given by |", "|---|---|---|---|---|"]
    for role in ALL:
        kinds = ", ".join("everything" if kind == EVERYTHING else f"a {kind}" for kind in role.kinds)
        rights = " ".join(
            f"`{right}`" for right in sorted({right for kind in role.kinds for right in role.rights(kind)})
        )
        two = "two people" if any(role.needs_two(kind) for kind in role.kinds) else "one person"
        lines.append(f"| {role.title} | {kinds} | {role.says} | {rights} | {two} |")
    return [*lines, ""]


def _table() -> list[str]:
    names = [_short(holder) for holder in HOLDERS]
    lines = ["## Addresses", "", f"| Address | Asks for | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    paths: dict[str, str] = {}
    for name, path in addresses():
        paths.setdefault(name, path)
    for name, line in sorted(LINES.items(), key=lambda item: (paths.get(item[0].partition(" ")[0], ""), item[0])):
        route, _, act = name.partition(" ")
        for method, right in (("GET", line.get), ("POST", line.post)):
            if right is not None:
                shown = f"{method} `{paths.get(route, route)}`" + (f" {act}" if act else "")
                asks = " or ".join(f"`{one}`" for one in right.split()) or "–"
                lines.append(f"| {shown} | {asks} | {' | '.join(_cell(line, right, holder) for holder in HOLDERS)} |")
    return [*lines, ""]


def _cell(line: Line, right: str, holder: Holder) -> str:
    here, there = (SIGN[answer(line, right, holder, here=own)] for own in (True, False))
    return here if here == there or line.of in ALIKE else f"{here} {there}"


def _short(holder: Holder) -> str:
    where = "all" if holder.kind == EVERYTHING else holder.kind
    return f"{holder.role.title}, {where}" if holder.role else "no role"


def _rest() -> list[str]:
    paths = dict(addresses())
    own = " · ".join(sorted(f"`{paths[name]}`" for name in OWN if name in paths))
    free = " · ".join(sorted(f"`{paths[name]}`" for name in OPEN if name in paths))
    more = " · ".join(f"`{paths[name]}` ({where})" for name, where in sorted(ELSEWHERE.items()) if name in paths)
    return [
        *(f"The same for every role, about what is one's own: {own}", ""),
        *(f"Open to whoever asks: {free}", ""),
        f"What hangs on more than the role, with its tests: {more}",
    ]
