"""Spans for an OpenTelemetry collector: requests, steps, questions to gateways.

Loaded only where HANDOVER_OTLP_URL names one (upgrader/apps.py): it needs the packages of requirements-otel.txt.

A span has what approvals.trail knows at its end (request, rollout, gateway, step). Of a failure it has the kind alone:
messages may hold names of users.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from approvals import trail

TIMEOUT = 5  # seconds for one delivery; spans that can't be delivered are dropped
EVERY_MS = 2000
W3C = TraceContextTextMapPropagator()


class Spans:
    """A trail.Tracer. A provider starts a thread, and the crew forks: each process makes its own at its first span."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._provider: TracerProvider | None = None
        self._pid = 0
        self._making = threading.Lock()

    @contextmanager
    def __call__(self, name: str, fields: trail.Fields) -> Iterator[None]:
        started = (
            self._here()
            .get_tracer("handover")
            .start_as_current_span(
                f"handover.{name}",
                context=_remote(),
                attributes=attributes(fields),
                record_exception=False,
                set_status_on_exception=False,
            )
        )
        with started as span:
            try:
                yield
            except BaseException as fault:
                span.set_status(Status(StatusCode.ERROR, type(fault).__name__))
                raise
            finally:
                span.set_attributes(attributes(trail.told()))

    def flush(self) -> bool:
        """Deliver what was kept; False when that took too long."""
        return self._provider is None or self._provider.force_flush(1000 * TIMEOUT)

    def stop(self) -> None:
        """Deliver what was kept, and end the thread."""
        if self._provider is not None:
            self._provider.shutdown()
            self._provider = None

    def _here(self) -> TracerProvider:
        with self._making:
            if self._provider is None or self._pid != os.getpid():
                self._provider, self._pid = self._made(), os.getpid()
            return self._provider

    def _made(self) -> TracerProvider:
        about = {"service.name": "handover", "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
        provider = TracerProvider(resource=Resource.create(about))
        exporter = OTLPSpanExporter(endpoint=f"{self._url}/v1/traces", timeout=TIMEOUT)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EVERY_MS))
        return provider


def _remote() -> Context | None:
    """The span of the process that sent the message; None within a span of our own, which is the nearer one."""
    if trace.get_current_span().get_span_context().is_valid or not trail.parent():
        return None
    return W3C.extract({trail.TRACEPARENT: trail.parent()})


def traceparent() -> str:
    """The present span as a message takes it along; "" outside of any."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier)
    return carrier.get(trail.TRACEPARENT, "")


def attributes(fields: trail.Fields) -> dict[str, str | int]:
    return {f"handover.{name}": value for name, value in fields.items()}


def begin(url: str) -> Spans:
    """Give every span of this process, and of those that it forks, to the collector at `url`."""
    spans = Spans(url)
    trail.trace_with(spans, traceparent)
    return spans
