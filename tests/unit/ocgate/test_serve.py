"""The door, in one process: every line has its answer, refusals are logged, a bug is said and not hidden."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fleet.ocgate import schema, serve, verbs
from fleet.ocgate.call import Call, Result
from fleet.ocgate.errors import Refused
from tests.unit.ocgate.values import CONFIG, paths


def spoken(folder: Path, *lines: bytes) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and what was answered."""
    where = paths(folder)
    where.etc.mkdir(exist_ok=True)
    where.config.write_text(json.dumps(CONFIG))
    (source, their), (our, sink) = os.pipe(), os.pipe()
    os.write(their, b"".join(lines))
    os.close(their)
    code = serve.serve(where, source=source, sink=sink)
    os.close(sink)
    os.close(source)
    with os.fdopen(our, "rb") as answers:
        return code, [json.loads(line) for line in answers]


def request(verb: str, **args: Any) -> bytes:
    return json.dumps({"v": 2, "id": "1", "verb": verb, "args": args}).encode() + b"\n"


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in paths(folder).log.read_text().splitlines()]


def test_a_refused_line_is_logged_and_the_next_is_answered(tmp_path: Path) -> None:
    code, said = spoken(tmp_path, b"nonsense\n", request("drain", slot=3))
    assert (code, said[0]["id"], said[0]["error"]["code"]) == (0, None, "bad_request")
    assert said[1]["result"]["sessions"] == 0
    assert [entry["refused"] for entry in logged(tmp_path)] == ["bad_request"]


def test_a_cut_line_closes_the_channel(tmp_path: Path) -> None:
    code, said = spoken(tmp_path, b'{"v":2')
    assert (code, said[0]["error"]["code"]) == (2, "bad_request")


def test_a_command_that_was_asked_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "rm -rf /")
    code, said = spoken(tmp_path, request("drain", slot=1))
    assert (code, len(said), said[0]["ok"]) == (2, 1, False)
    assert "rm -rf /" in logged(tmp_path)[0]["say"]


def test_a_bug_is_answered_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_call: Call) -> Result:
        raise KeyError("x")

    monkeypatch.setitem(verbs.VERBS, "drain", broken)
    _, said = spoken(tmp_path, request("drain", slot=1))
    assert (said[0]["error"]["kind"], said[0]["error"]["code"]) == ("bug", "KeyError")


def test_a_configuration_that_cannot_be_read_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIG, "port", "443")
    _, said = spoken(tmp_path, request("facts"))
    assert said[0]["error"]["code"] == "config_bad"


def test_every_verb_of_the_schema_has_its_function() -> None:
    assert set(verbs.VERBS) == set(schema.VERBS)


def test_a_password_is_not_logged(tmp_path: Path) -> None:
    spoken(tmp_path, request("probe", slot=3, user="ann", password="hunter2"))
    assert "hunter2" not in paths(tmp_path).log.read_text()
    assert logged(tmp_path)[0]["verb"] == "probe"


def test_what_is_said_and_logged_carries_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "ocserv.conf"
    conf.write_text("camouflage_secret = correct-horse\n")

    def quoting(call: Call) -> Result:
        raise Refused("start_failed", f"ocserv ended: bad value correct-horse, {call.args['password']} was tried.")

    monkeypatch.setitem(verbs.VERBS, "probe", quoting)
    monkeypatch.setitem(CONFIG, "ocserv_conf", str(conf))
    wrong = b'{"v":2,"id":"1","verb":"probe","args":{"slot":1,"user":"probe","password":"hunter2 and more"},"x":1}\n'
    said = spoken(tmp_path, request("probe", slot=1, user="probe", password="pass word, long"), wrong)[1]  # noqa: S106
    assert said[0]["error"]["say"] == "ocserv ended: bad value (masked), (masked) was tried."
    text = paths(tmp_path).log.read_text() + json.dumps(said)
    assert [secret for secret in ("correct-horse", "pass word", "hunter2") if secret in text] == []
