"""With HANDOVER_OTLP_URL a collector gets spans with the rollout's id; without it nothing is loaded that sends any."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from approvals import trail
from fleet.errors import RetryLater
from fleet.gateways.session import Question, Session
from tests.browser.site import ROOT
from tests.db.upgrader.world import Fleet
from upgrader import apps, celery, hint, otel

Span = tuple[str, dict[str, Any], str]  # name, attributes, what failed
# redis-py loads the SDK's metrics by itself where they are installed; what sends spans, nobody but us.
TRY = """
import sys, django
if sys.argv[1:] == ["missing"]:
    sys.modules["opentelemetry"] = None
django.setup()
import upgrader.asgi, upgrader.tasks
print([name for name in ("upgrader.otel", "opentelemetry.sdk.trace", "opentelemetry.exporter") if name in sys.modules])
"""


class Collector(ThreadingHTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[Span] = []


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        told = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for span in told.resource_spans[0].scope_spans[0].spans:
            fields = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
            fields |= {"trace": span.trace_id.hex(), "id": span.span_id.hex(), "parent": span.parent_span_id.hex()}
            self.server.got.append((span.name, fields, span.status.message))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """The test's output is its own."""


@pytest.fixture
def told() -> Iterator[Callable[[str], list[Span]]]:
    """`told("handover.step")`: spans of that name that the collector was sent."""
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever, daemon=True)
    thread.start()
    spans = otel.begin(f"http://127.0.0.1:{collector.server_port}")

    def named(name: str) -> list[Span]:
        assert spans.flush()
        return [span for span in collector.got if span[0] == name]

    yield named
    trail.trace_with(None)
    spans.stop()
    collector.shutdown()
    collector.server_close()
    thread.join(60)


class Deaf(Session):
    """A connection to nobody: asking ends in silence."""

    def __init__(self) -> None:
        self.target: Any = type("Target", (), {"name": "fra-gw-01"})

    def line(self, *_: Any, **__: Any) -> Any:
        raise RetryLater("fra-gw-01 does not answer; user hunter is on it.")


def test_a_step_is_a_span_with_its_rollout(fleet: Fleet, told: Callable[[str], list[Span]]) -> None:
    rollout = fleet.started()
    fleet.due_step("check")
    steps = [fields for _, fields, _ in told("handover.step")]
    assert {fields["handover.rollout"] for fields in steps} == {rollout.pk}
    assert {"preflight", "stage"} <= {fields["handover.step"] for fields in steps}
    assert {fields["handover.gateway"] for fields in steps} <= set(fleet.machines)


def test_what_a_request_asked_a_worker_for_is_a_part_of_its_trace(
    told: Callable[[str], list[Span]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(celery.app, "send_task", lambda *_, headers, **__: sent.append(headers))
    with trail.span("request", request="abc"):
        hint.advance(7)
    task = type("Task", (), {"name": "upgrader.tasks.advance", "request": type("Asked", (), {"headers": sent[0]})})

    def work() -> None:
        celery.begin("its own id", task)
        with trail.span("decide"), trail.span("question"):
            assert trail.told()["request"] == "abc"

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    request, decide, question = (told(f"handover.{name}")[0][1] for name in ("request", "decide", "question"))
    assert sent[0][trail.TRACEPARENT].rpartition("-")[0] == f"00-{request['trace']}-{request['id']}"
    assert (decide["trace"], decide["parent"]) == (request["trace"], request["id"])
    assert (question["trace"], question["parent"]) == (request["trace"], decide["id"])


@pytest.mark.django_db
def test_a_request_is_a_span_with_its_id(told: Callable[[str], list[Span]]) -> None:
    answer = Client().get("/rollouts/12/")
    ((_, fields, _),) = told("handover.request")
    assert fields["handover.request"] == answer[trail.HEADER]
    assert fields["handover.rollout"] == 12
    assert fields["handover.method"] == "GET"


def test_a_question_to_a_gateway_is_a_span_and_its_failure_has_no_message(
    told: Callable[[str], list[Span]],
) -> None:
    with trail.about(rollout=12), pytest.raises(RetryLater):
        Deaf().ask(Question("facts"))
    ((_, fields, failed),) = told("handover.ssh")
    ours = {name: value for name, value in fields.items() if name.startswith("handover.")}
    assert ours == {"handover.rollout": 12, "handover.verb": "facts", "handover.gateway": "fra-gw-01"}
    assert failed == "RetryLater"


def loaded(tmp_path: Path, *words: str, **env: str) -> str:
    known = {name: value for name, value in os.environ.items() if not name.startswith("HANDOVER_")}
    known |= {"HANDOVER_STATE": str(tmp_path), "DJANGO_SETTINGS_MODULE": "upgrader.settings", **env}
    argv = [sys.executable, "-c", TRY, *words]
    done = subprocess.run(argv, env=known, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_nothing_of_it_is_loaded_without_the_setting(tmp_path: Path) -> None:
    assert loaded(tmp_path) == "[]"
    assert loaded(tmp_path, "missing") == "[]"
    assert "upgrader.otel" in loaded(tmp_path, HANDOVER_OTLP_URL="http://127.0.0.1:9")


def test_without_the_packages_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "upgrader.otel")
    with pytest.raises(ImproperlyConfigured, match="pip install -r requirements-otel.txt"):
        apps.trace("http://127.0.0.1:9")
