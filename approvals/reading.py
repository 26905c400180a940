"""What a page has read already while it is being made. Only while nothing can change: of a GET, and of nothing else.

A right is asked for dozens of times on one page; where something is done it is asked anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from django.http import HttpRequest, HttpResponseBase

T = TypeVar("T")
_kept: ContextVar[dict[Hashable, Any] | None] = ContextVar("handover_page_read", default=None)


def once(key: Hashable, read: Callable[[], T]) -> T:
    """What `read` returns; while a page is made it is asked once for each key. It must not be changed by the caller."""
    kept = _kept.get()
    if kept is None:
        return read()
    if key not in kept:
        kept[key] = read()
    return cast("T", kept[key])


def remembers(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Begin with nothing for each page, and forget it behind it."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        token = _kept.set({} if request.method in ("GET", "HEAD") else None)
        try:
            return get_response(request)
        finally:
            _kept.reset(token)

    return answer
