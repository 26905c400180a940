"""Answers for people: lists as columns, one thing as lines. For programs there is --json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from handover.ground import Ground

WIDEST = 60
COLOURS = {
    "done": 32,
    "held": 33,
    "failed": 31,
    "rolled_back": 35,
    "rolling_back": 35,
    "rejected": 31,
    "quarantined": 31,
}
LONG = ("upgrades", "waves", "offers", "changelog", "manifest", "summary", "facts", "inventory", "plan", "deliveries")


def answer(ground: Ground, body: Any, columns: Sequence[str], *, as_json: bool) -> None:
    """One answer on standard output, and how a list goes on as a message."""
    if as_json:
        print(json.dumps(body, indent=2, ensure_ascii=False), file=ground.out)
    elif isinstance(body, Mapping) and isinstance(body.get("items"), list) and columns:
        table(ground, body["items"], columns)
        if body.get("next"):
            ground.tell(f"There are more: --cursor {body['next']}")
    else:
        lines(ground, body)


def table(ground: Ground, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows below their headings; nothing but a message for none."""
    if not rows:
        ground.tell("There is nothing here.")
        return
    cells = [[word(row.get(column)) for column in columns] for row in rows]
    heads = [column.replace("_", " ").upper() for column in columns]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(heads, *cells)]  # noqa: B905 - Python 3.9
    for line in (heads, *cells):
        padded = [clipped(cell, width).ljust(width) for cell, width in zip(line, widths)]  # noqa: B905
        coloured = [colour(ground, cell) for cell in padded]
        print("  ".join(coloured).rstrip(), file=ground.out)


def lines(ground: Ground, body: Any, *, indent: str = "") -> None:
    """A thing's fields, one a line; what is long is counted and left to --json."""
    if not isinstance(body, Mapping):
        print(f"{indent}{word(body)}", file=ground.out)
        return
    width = max((len(name) for name in body), default=0)
    for name, value in body.items():
        head = f"{indent}{name.replace('_', ' ').ljust(width)}  "
        if name in LONG and isinstance(value, (list, Mapping, str)) and value:
            print(f"{head}{len(value):,} {'letters' if isinstance(value, str) else 'entries'}: --json", file=ground.out)
        elif isinstance(value, Mapping) and value:
            print(head.rstrip(), file=ground.out)
            lines(ground, value, indent=f"{indent}  ")
        else:
            print(f"{head}{colour(ground, word(value))}".rstrip(), file=ground.out)


def word(value: Any) -> str:
    """A value in a line of its own: control characters of others' texts must not reach the terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, Mapping)):
        value = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def clipped(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"


def colour(ground: Ground, cell: str) -> str:
    """A state in its colour, on a terminal that wants some (no-color.org)."""
    plain = "NO_COLOR" in ground.env or not ground.out.isatty()
    number = COLOURS.get(cell.strip())
    return cell if plain or number is None else f"\x1b[{number}m{cell}\x1b[0m"
