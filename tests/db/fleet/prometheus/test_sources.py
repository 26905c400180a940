"""Which Prometheus is asked: by whom, with which token, and what is said when it falls silent."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, User
from fleet import sealed
from fleet.errors import RetryLater
from fleet.metrics.charts import Range
from fleet.models import Gateway, OutsideReading, PrometheusSource
from fleet.prometheus import client, pages, poll, sources
from fleet.prometheus.client import Server
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
AT = NOW.timestamp()
WISH = sources.Wish("prom-eu", "https://prometheus.example.org/eu/", token="s3cret-token")  # noqa: S106 - made up


def who(user: User) -> dict[str, Any]:
    return {"by": user, "actor": Actor("person", user.username, user.pk), "now": NOW}


def test_it_is_set_sealed_and_on_the_record_without_its_token(ola: User) -> None:
    source = sources.save(WISH, factories.pool(), **who(ola))
    assert source.url == "https://prometheus.example.org/eu"
    assert poll.server_of(source).token == "s3cret-token"  # noqa: S105 - made up
    event = AuditEvent.objects.get(verb="prometheus.set")
    assert "https://prometheus.example.org/eu" in event.body
    assert "s3cret" not in event.body


def test_the_same_again_changes_nothing_and_a_new_name_keeps_the_token(ola: User) -> None:
    sources.save(WISH, factories.pool(), **who(ola))
    again = sources.Wish("prom-eu", "https://prometheus.example.org/eu")
    sources.save(again, factories.pool(), **who(ola))
    assert AuditEvent.objects.filter(verb="prometheus.set").count() == 1
    source = sources.save(sources.Wish("prom-two", "https://p.example.org"), factories.pool(), **who(ola))
    assert poll.server_of(source).token == "s3cret-token"  # noqa: S105 - made up
    assert sealed.unseal_or_none("prometheus:prom-eu") is None
    assert PrometheusSource.objects.count() == 1


def test_it_goes_with_its_token(ola: User) -> None:
    source = sources.save(WISH, factories.pool(), **who(ola))
    sources.drop(source, **who(ola))
    sources.drop(source, **who(ola))
    assert not PrometheusSource.objects.exists()
    assert sealed.unseal_or_none("prometheus:prom-eu") is None
    assert AuditEvent.objects.filter(verb="prometheus.dropped").count() == 1


def test_without_the_right_nothing_is_set_or_dropped(ola: User, ines: User) -> None:
    with pytest.raises(Refused, match="May enrol gateways"):
        sources.save(WISH, factories.pool(), **who(ines))
    source = sources.save(WISH, factories.pool(), **who(ola))
    with pytest.raises(Refused):
        sources.drop(source, **who(ines))
    assert PrometheusSource.objects.exists()


@pytest.mark.parametrize(
    "other",
    [
        {"url": "file:///etc/passwd"},
        {"url": "https://user:word@p.example.org"},
        {"url": "https://p.example.org:door"},
        {"url": "https://p.example.org/?x=1"},
        {"url": ""},
        {"name": "Prom EU"},
        {"label": 'a"} or vector(1) #'},
        {"token": "two words"},
        {"queries": {"sessions": "vpn_active_sessions"}},
        {"queries": {"rm": "{gateway}"}},
    ],
)
def test_what_can_not_be_asked_is_refused(ola: User, other: dict[str, Any]) -> None:
    fields = {"name": "prom-eu", "url": "https://p.example.org", **other}
    with pytest.raises(Refused):
        sources.save(sources.Wish(**fields), factories.pool(), **who(ola))
    assert not PrometheusSource.objects.exists()


def silent(_: Server, __: str) -> object:
    raise RetryLater("Prometheus does not answer: refused.", code="unreachable")


def test_a_source_that_goes_quiet_is_a_fact_of_its_own(ola: User) -> None:
    source = sources.save(WISH, factories.pool(), **who(ola))
    assert pages.standing(source, AT)[1] == "prom-eu has not been asked yet."
    empty = {"status": "success", "data": {"resultType": "vector", "result": []}}
    poll.poll(source, ask=lambda _, __: empty, clock=lambda: AT)
    for seconds in (30, 60, 90, 120, 150):
        poll.poll(source, ask=silent, clock=lambda seconds=seconds: AT + seconds)  # type: ignore[misc]  # a default
        source.refresh_from_db()
    word, say = pages.standing(source, AT + 150)
    assert word == pages.QUIET
    assert say.startswith("Prometheus has not answered for 2 min")
    assert say.endswith("Prometheus does not answer: refused. This says nothing about the gateways.")
    poll.poll(source, ask=lambda _, __: empty, clock=lambda: AT + 180)
    source.refresh_from_db()
    assert pages.standing(source, AT + 181)[0] == pages.ANSWERS


def test_an_address_of_two_gateways_is_nobodys() -> None:
    for name in ("a", "b"):
        Gateway.objects.create(name=name, pool=factories.pool(), address="192.0.2.1", labels={"prometheus": f"{name}x"})
    names = poll.names_of(factories.pool().pk)
    assert sorted(names) == ["a", "ax", "b", "bx"]


def test_old_values_go_and_charts_have_the_last_of_each_step(ola: User) -> None:
    gateway = Gateway.objects.create(name="a", pool=factories.pool(), address="192.0.2.1")
    for ago in (8 * 86400, 30, 0):
        OutsideReading.objects.create(gateway=gateway, at=int(AT) - ago, sessions=ago)
    assert poll.purge(AT) == 1
    drawn = pages.chart(gateway, "sessions", Range(AT - 3600, AT))
    assert drawn["say"] == "Users on it: 0 users on Prometheus."
    assert not drawn["empty"]


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers as its path says, and shows the token that it got."""

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        kind = self.path.split("/")[1]
        self.send_response({"moved": 302, "shut": 403}.get(kind, 200))
        self.send_header("Location", "http://169.254.169.254/")
        self.end_headers()
        body = {"big": b"[" + b" " * (client.ANSWER_MOST + 1) + b"]", "text": b"<html>"}
        self.wfile.write(body.get(kind, f'["{self.headers.get("Authorization")}"]'.encode()))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def odd() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_token_goes_where_it_belongs(odd: str) -> None:
    assert client.ask(Server(odd, "t0ken"), "up") == ["Bearer t0ken"]
    assert client.ask(Server(odd), "up") == ["None"]


@pytest.mark.parametrize(
    ("kind", "say"),
    [("moved", "answered 302"), ("shut", "answered 403"), ("big", "more than 4 MiB"), ("text", "no JSON")],
)
def test_what_is_no_answer_is_said_and_no_redirect_is_followed(odd: str, kind: str, say: str) -> None:
    with pytest.raises(RetryLater, match=say):
        client.ask(Server(f"{odd}/{kind}"), "up")


def test_nobody_answers_and_where_nothing_may_be_asked() -> None:
    with pytest.raises(RetryLater, match="does not answer"):
        client.ask(Server("http://127.0.0.1:1"), "up")
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1%eth0"):
        with pytest.raises(RetryLater, match="nothing is asked there"):
            client.refuse_bad(address)
