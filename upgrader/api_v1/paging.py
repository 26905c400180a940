"""Pages by cursor: what was shown stays shown, however much comes in meanwhile. No page is more than 200 rows."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from django.db.models import Model, QuerySet
from ninja import Field, Query, Schema

from upgrader.api_v1.problems import Problem

MOST = 200
Row = TypeVar("Row", bound=Model)


class Page(Schema):
    """Which part of a list is wanted."""

    limit: int = Field(50, ge=1, le=MOST, description="How many rows, at most")
    cursor: str = Field("", max_length=60, description="`next` of the page before")


Paged = Annotated[Page, Query()]


class Listed(Schema):
    """One page of a list; `next` is empty on the last one."""

    items: list[dict[str, Any]]
    next: str = ""


def page(rows: QuerySet[Row], asked: Page, say: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    """One page, the newest row first, each as `say` tells it."""
    ordered = rows.order_by("-pk")
    if asked.cursor:
        ordered = ordered.filter(pk__lt=after(asked.cursor))
    found = list(ordered[: asked.limit + 1])
    shown = found[: asked.limit]
    return {"items": [say(row) for row in shown], "next": cursor(shown[-1].pk) if len(found) > len(shown) else ""}


def cursor(pk: int) -> str:
    return urlsafe_b64encode(f"after {pk}".encode()).decode().rstrip("=")


def after(text: str) -> int:
    """The row behind which the page begins. Problem for a cursor that is none of ours."""
    try:
        word, _, number = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
    except ValueError:
        word, number = "", ""
    if word != "after" or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise Problem(422, "cursor: it is `next` of the page before, or is left out.")
    return int(number)
