"""The command line against the real services: every action, exit codes, and one walk over real HTTP."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request

import pytest
from django.test import Client

from approvals.models import AuditEvent, User
from handover.ground import AWAITING, ERROR, FAILED, OK, TIMED_OUT, USAGE, Ground
from handover.main import main
from handover.table import VERBS
from tests import factories
from tests.scenes import Scene, scene
from tests.web.test_moves import CASES, Case, meant, shown
from tests.web.test_tokens import make
from upgrader.actions import WHO
from upgrader.api_v1.api import addresses
from upgrader.views.asks import ASK

each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
URL = "https://handover.test"


class Came(io.BytesIO):
    """An answer as urllib gives it."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer.getvalue() if answer.streaming else answer.content)
        self.status, self.headers = answer.status_code, dict(answer.headers)


def here(request: Request, _: float) -> Came:
    """The dashboard in this thread, so that it sees the test's transaction."""
    parts, told = urlsplit(request.full_url), {name.title(): value for name, value in request.header_items()}
    address = f"{parts.path}?{parts.query}"
    kind = told.pop("Content-Type", "")
    answer = Client().generic(str(request.method), address, request.data or b"", content_type=kind, headers=told)
    if answer.status_code >= 400:
        raise HTTPError(request.full_url, answer.status_code, "no", None, Came(answer))  # type: ignore[arg-type]
    return Came(answer)


class Terminal:
    """Somebody at a shell; the code and what was printed of the last command."""

    def __init__(self, token: str, opener: Callable[..., Any] = here) -> None:
        self.env, self.open, self.now = (
            {"HANDOVER_URL": URL, "HANDOVER_TOKEN": token, "HOME": "/nonexistent"},
            opener,
            0.0,
        )

    def run(self, *words: object) -> int:
        self.out, self.err = io.StringIO(), io.StringIO()
        ground = Ground(self.env, self.out, self.err, self.open, lambda: self.now, self.sleep)
        return main([str(word) for word in words], ground)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def said(self) -> Any:
        return json.loads(self.out.getvalue())


def words_for(case: Case, made: Scene) -> list[object]:
    """The command that the case is."""
    verb = next(verb for verb in VERBS if (verb.noun, verb.name) == ("rollout", case.path))
    takes = {arg.name for arg in verb.args}
    values = {"digest": shown(made, case)[:12], "reason": case.reason, "hours": 4, "gateway": meant(made, case)}
    options = [part for name, value in values.items() if name in takes for part in (f"--{name}", value)]
    return ["rollout", case.path, made.rollout.pk, *options, "--json"]


@each
def test_every_action_of_the_page_is_a_command(people: dict[str, User], case: Case) -> None:
    made = scene(case.scene)
    terminal, before = Terminal(make(people[case.who])), AuditEvent.objects.count()
    code = terminal.run(*words_for(case, made))
    made.rollout.refresh_from_db()
    assert (code in (OK, AWAITING), made.rollout.state, terminal.said["state"]) == (True, case.after, case.after)
    assert any(case.who in event.actor for event in AuditEvent.objects.filter(seq__gt=before, verb="token.used"))
    assert terminal.err.getvalue() == ""


def test_every_action_has_a_call_and_a_command_and_every_call_a_command() -> None:
    assert set(WHO) == set(ASK)
    calls = {(method, re.sub(r"{\w+}", "{id}", path.removeprefix("/api/v1"))) for method, path in addresses()}
    commands = {(verb.method, verb.path) for verb in VERBS}
    wanted = {("POST", f"/rollouts/{{id}}/{action.replace('_', '-')}") for action in ASK}
    assert (wanted - calls, wanted - commands, calls ^ commands) == (set(), set(), set())
    assert len({(verb.noun, verb.name) for verb in VERBS}) == len(VERBS)


def test_codes_say_how_a_rollout_stands(people: dict[str, User]) -> None:
    terminal = Terminal(make(people["operator"], "read"))
    stands = {"observing": OK, "done": OK, "waiting_approval": AWAITING, "back_asked": AWAITING, "rolled_back": FAILED}
    for number, (name, code) in enumerate(stands.items()):
        rollout = scene(name, on=f"pool-{number}", release=f"1.3.0-{number + 2}").rollout
        factories.person("operator", ("view_pool",), rollout.pool)
        assert (name, terminal.run("rollout", "show", rollout.pk)) == (name, code)


def test_waiting_ends_in_time_and_tells_on_the_way(people: dict[str, User]) -> None:
    rollout = scene("observing").rollout
    terminal = Terminal(make(people["operator"]))
    assert terminal.run("rollout", "show", rollout.pk, "--wait", "--timeout", "30") == TIMED_OUT
    assert terminal.now == pytest.approx(30)
    assert terminal.err.getvalue().startswith(f"rollout {rollout.pk} upgrading: ")
    assert "is not over. It goes on by itself." in terminal.err.getvalue()


def test_what_is_refused_is_one_sentence_on_stderr(people: dict[str, User]) -> None:
    rollout = scene("done").rollout
    terminal = Terminal(make(people["operator"]))
    assert terminal.run("rollout", "hold", rollout.pk) == ERROR
    assert (terminal.out.getvalue(), terminal.err.getvalue()) == (
        "",
        "The rollout is done; there is nothing to hold.\n",
    )
    assert terminal.run("rollout", "hold", rollout.pk, "--version", "0") == ERROR
    assert terminal.err.getvalue().startswith("You saw version 0")
    assert terminal.run("rollout", "agree-back", rollout.pk, "--digest", "0" * 12) == ERROR
    assert "Look at it again" in terminal.err.getvalue()
    assert terminal.run("rollout", "explode", rollout.pk) == USAGE


def test_a_call_that_got_lost_is_sent_again_and_done_once(people: dict[str, User]) -> None:
    lost: list[str] = []

    def flaky(request: Request, seconds: float) -> Came:
        came = here(request, seconds)
        if request.method == "POST" and len(lost) < 2:
            lost.append(request.get_header("Idempotency-key") or "")
            raise URLError("the line broke after it was done")
        return came

    terminal = Terminal(make(people["operator"]), flaky)
    assert terminal.run("freeze", "begin", "--pool", "eu-west", "--reason", "fair", "--json") == OK
    assert (len(set(lost)), AuditEvent.objects.filter(verb="freeze.begun").count()) == (1, 1)


def test_without_a_dashboard_it_says_how(people: dict[str, User], tmp_path: Path) -> None:
    terminal = Terminal("")
    assert (terminal.run("pool", "list"), "Say which dashboard" in terminal.err.getvalue()) == (USAGE, True)
    terminal.env["XDG_CONFIG_HOME"] = str(tmp_path)
    file = tmp_path / "handover" / "config"
    file.parent.mkdir()
    file.write_text(f"[handover]\nurl = {URL}\ntoken = {make(people['operator'], 'read')}\n")
    assert (terminal.run("pool", "list"), "chmod 600" in terminal.err.getvalue()) == (USAGE, True)
    file.chmod(0o600)
    assert (terminal.run("pool", "list"), "eu-west" in terminal.out.getvalue()) == (OK, True)
    terminal.env["HANDOVER_URL"] = "http://handover.test"
    assert (terminal.run("pool", "list"), "in clear" in terminal.err.getvalue()) == (USAGE, True)


def test_over_real_http(transactional_db: None, live_server: Any, people: dict[str, User], tmp_path: Path) -> None:
    rollout = scene("planned").rollout
    operator = Terminal(make(people["operator"]), Ground().open)
    operator.env["HANDOVER_URL"] = live_server.url
    assert operator.run("rollout", "submit", rollout.pk) == AWAITING
    assert operator.run("approval", "list", "--json") == OK
    oncall = Terminal(make(people["oncall"]), Ground().open)
    oncall.env["HANDOVER_URL"] = live_server.url
    assert oncall.run("approval", "list", "--json") == OK
    waits = oncall.said["items"][0]
    assert oncall.run("approval", "approve", waits["id"], "--digest", waits["digest"], "--reason", "good") == OK
    assert oncall.run("rollout", "show", rollout.pk, "--json") == OK
    assert oncall.said["state"] == "upgrading"
    auditor = Terminal(make(people["auditor"], "read"), Ground().open)
    auditor.env["HANDOVER_URL"] = live_server.url
    assert auditor.run("audit", "verify") == OK
    assert auditor.run("audit", "export", "--output", tmp_path / "record") == OK
    assert b"rollout.moved" in (tmp_path / "record").read_bytes()
