"""A line of the log says what it is about, in JSON or for people, and carries no secret."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path

import pytest

from approvals import trail
from upgrader import logs
from upgrader.lanes import Lane
from upgrader.serving import voice

SECRETS = {
    "password=hunter2-hunter2": "hunter2-hunter2",
    "GET /kit/AbCdEf-0123/ failed": "AbCdEf-0123",
    "Authorization: Bearer let-me-read-0123": "let-me-read-0123",
    "postgres://handover:s3cr3t-word@db/handover": "s3cr3t-word",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n-----END OPENSSH PRIVATE KEY-----": "b3BlbnNzaA",
}


def record(message: str, *args: object, fault: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if fault else None
    return logging.LogRecord("fleet.errands", logging.WARNING, __file__, 1, message, args, info)


def test_a_line_is_one_object_with_what_it_is_about() -> None:
    with trail.about(request="abc"), trail.about(rollout=12):
        told = json.loads(logs.Json().format(record("errand %s: “no”", 7)))
    assert told.pop("at").endswith("+00:00")
    about = {"request": "abc", "rollout": 12}
    assert told == {"level": "WARNING", "logger": "fleet.errands", "message": "errand 7: “no”", **about}
    assert "\n" not in logs.Json().format(record("two\nlines"))


def test_text_says_the_same() -> None:
    with trail.about(rollout=12):
        assert logs.Text().format(record("done")).endswith("WARNING fleet.errands done [rollout=12]")


@pytest.mark.parametrize("said", SECRETS)
@pytest.mark.parametrize("form", [logs.Json(), logs.Text()])
def test_no_secret_is_in_a_line(said: str, form: logging.Formatter) -> None:
    assert SECRETS[said] not in form.format(record("%s", said))
    try:
        raise ValueError(said)
    except ValueError:
        line = form.format(record("a fault", fault=True))
    assert "ValueError" in line
    assert SECRETS[said] not in line


def test_what_it_is_about_ends_with_the_work() -> None:
    with trail.about(rollout=1):
        with trail.span("step", step="shift"):
            assert trail.told() == {"rollout": 1, "step": "shift"}
        assert trail.told() == {"rollout": 1}
    assert trail.told() == {}


def test_it_goes_along_into_the_lanes_of_a_worker() -> None:
    lane, done, seen = Lane("test", 1), threading.Event(), list[trail.Fields]()

    def job() -> None:
        seen.append(trail.told())
        done.set()

    with trail.about(request="abc"):
        lane.put("one", job)
    assert done.wait(60)
    assert seen == [{"request": "abc"}]
    lane.stop()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ("json", "INFO")),
        ("text", ("text", "INFO")),
        ("WARNING", ("json", "WARNING")),
        ("Text, debug", ("text", "DEBUG")),
    ],
)
def test_one_variable_says_format_and_level(text: str, found: tuple[str, str]) -> None:
    assert logs.chosen(text) == found


def test_a_word_that_is_neither_is_refused() -> None:
    with pytest.raises(ValueError, match="HANDOVER_LOG knows no “xml”: it takes one or two of json, text, DEBUG"):
        logs.chosen("json,xml")


def test_what_nobody_caught_is_a_line_in_any_thread(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    try:
        logs.speak_for_all()
        thread = threading.Thread(target=lambda: [1][1])
        thread.start()
        thread.join()
    finally:
        logging.captureWarnings(False)
    said = json.loads(logs.Json().format(caplog.records[0]))
    assert (said["logger"], said["message"]) == ("upgrader.logs", "nobody caught this: IndexError")
    assert "list index out of range" in said["fault"]


def test_valkeys_lines_keep_their_level_and_any_others_their_words(tmp_path: Path) -> None:
    relay = voice.Relay("broker", tmp_path / "log")
    os.write(relay.writing, b"7:M 23 Nov 2026 22:00:00.123 # Out of memory\n\nsegv")
    assert relay.pull()
    os.write(relay.writing, "ault ü\n".encode())
    relay.started()
    assert not relay.pull()
    relay.close()
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(one["logger"], one["level"], one["message"]) for one in told] == [
        ("broker", "WARNING", "Out of memory"),
        ("broker", "INFO", "segvault ü"),
    ]
