"""What is being done here, for logs and traces: the request, the rollout, the step. Standard library only.

It travels with the thread of control (contextvars): into Django's threads, through a lane of the worker and, as a
message's header, from the web to the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from uuid import uuid4

Fields = Mapping[str, str | int]
Tracer = Callable[[str, Fields], AbstractContextManager[object]]
HEADER = "X-Request-ID"
_SAID: ContextVar[Fields] = ContextVar("trail", default={})  # noqa: B039 - nobody changes a mapping that is in it
_TRACERS: list[Tracer] = []
TRACEPARENT = "traceparent"
"""The header of W3C Trace Context: of which span what a message asks for is a part."""
_PARENT: ContextVar[str] = ContextVar("traceparent", default="")
_CARRIERS: list[Callable[[], str]] = []


def told() -> Fields:
    """What is known of the present work: {"request": hex, "rollout": id, …}."""
    return _SAID.get()


def begin(traceparent: str = "", **said: str | int) -> None:
    """Forget what was before: a thread that is used again begins something else. `traceparent`: as it came."""
    _SAID.set(said)
    _PARENT.set(traceparent)


def headers() -> dict[str, str]:
    """What a message takes along: the request, and the span where somebody traces."""
    told = {HEADER: str(_SAID.get().get("request", ""))}
    return {**told, TRACEPARENT: _CARRIERS[-1]()} if _CARRIERS else told


def parent() -> str:
    """The span of another process that this work is a part of, as it came with the message; "" for none."""
    return _PARENT.get()


def note(**said: str | int) -> None:
    """Add what has become known, to the end of the work."""
    _SAID.set({**_SAID.get(), **said})


@contextmanager
def about(**said: str | int) -> Iterator[None]:
    """Inside it the work is about this, too."""
    token = _SAID.set({**_SAID.get(), **said})
    try:
        yield
    finally:
        _SAID.reset(token)


@contextmanager
def span(name: str, **said: str | int) -> Iterator[None]:
    """A piece of work with a begin and an end: about this, and traced where somebody traces."""
    with about(**said):
        if not _TRACERS:
            yield
            return
        with _TRACERS[-1](name, told()):
            yield


def trace_with(tracer: Tracer | None, carrier: Callable[[], str] | None = None) -> None:
    """Give every span to this tracer; None: to nobody. `carrier` says the present span as a traceparent."""
    _TRACERS[:] = [tracer] if tracer else []
    _CARRIERS[:] = [carrier] if carrier else []


def new_id() -> str:
    """A request's id: ours alone, for a header that comes with it can be made up."""
    return uuid4().hex
