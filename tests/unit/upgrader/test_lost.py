"""Why a gateway no longer carries its trial, as one sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from upgrader.advice import with_way_on
from upgrader.steps.lost import lost

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def job(renewed: float, *, boot: str = "") -> Any:
    """A gateway whose trial of 60 s was renewed so many seconds ago, and was `boot` when last looked at."""
    until = NOW - timedelta(seconds=renewed) + timedelta(seconds=60)
    here = {
        "gateway": "gw-1",
        "release": "1.3.0-2",
        "from_release": "1.1.6-3",
        "to_slot": 2,
        "before": ("a",),
        "conf": "",
        "way": "handover",
    }
    return SimpleNamespace(
        **here, now=NOW, trial_until=until, spec=SimpleNamespace(trial_seconds=60), earlier={"boot_id": boot}
    )


def facts(state: str = "serving", *, uptime: float | None = 1000.0, trial: bool = False) -> Any:
    slot = SimpleNamespace(slot=2, state=state, release="1.3.0-2" if state != "idle" else "")
    raw = {} if uptime is None else {"uptime": uptime}
    return SimpleNamespace(slots=(slot,), trial=object() if trial else None, weights={1: 100}, raw=raw, boot_id="b")


CASES = [
    (job(10), facts(trial=True), ""),
    (job(10), facts("idle", uptime=5), "gw-1 rebooted"),
    (job(10), facts("idle", uptime=11.5), "gw-1 rebooted"),  # it answered after 2 s
    (job(10), facts("idle", uptime=12.5), "1.3.0-2 ended by itself in slot 2"),
    (job(10), facts("failed", trial=True), "1.3.0-2 ended by itself in slot 2"),
    (job(10), facts("idle", uptime=None), "1.3.0-2 ended by itself in slot 2"),
    (job(10, boot="a"), facts("idle", uptime=12.5), "gw-1 rebooted"),
    (job(10, boot="b"), facts("idle", uptime=5), "1.3.0-2 ended by itself in slot 2"),
    (job(60), facts(), "gw-1 heard nothing from us for 60 s"),
    (job(59), facts(), "Somebody on gw-1 ended its trial"),
]


def reload(renewed: float) -> Any:
    """The same, but its slot was to read another configuration, and does not run with it."""
    made = job(renewed, boot="b")
    made.conf, made.reloads = "f" * 64, True
    return made


def with_conf(conf: str) -> Any:
    made = facts(trial=True)
    made.slots[0].conf = conf
    return made


CASES += [
    (reload(10), with_conf("f" * 64), ""),
    (reload(60), with_conf("0" * 64), "gw-1 heard nothing from us for 60 s, and slot 2 went back"),
    (reload(59), with_conf("0" * 64), "Slot 2 of gw-1 no longer runs with the new configuration"),
]


def in_place(renewed: float) -> Any:
    made = job(renewed, boot="b")
    made.way = "in_place"
    return made


CASES += [
    (in_place(60), facts("idle"), "gw-1 heard nothing from us for 60 s and put 1.1.6-3 back by itself"),
    (in_place(59), facts("idle"), "1.3.0-2 ended by itself in slot 2"),
]


@pytest.mark.parametrize(("job", "facts", "begins"), CASES)
def test_the_sentence_says_what_happened(job: Any, facts: Any, begins: str) -> None:
    said = lost(job, facts, waited=2.0)
    assert said.startswith(begins)
    assert bool(said) == bool(begins)


@pytest.mark.parametrize(
    ("say", "code", "step", "ends"),
    [
        ("1 MiB are free.", "not_enough_disk", "stage", " Make room there, then resume."),
        ("Something.", "never_heard_of", "check", " Resume tries it again; roll back gives it up."),
        ("It is edited. Undo that, then resume.", "conf_changed", "preflight", "It is edited. Undo that, then resume."),
        ("It is not there.", "not_verified", "restore", "It is not there."),
    ],
)
def test_every_no_ends_with_a_way_on(say: str, code: str, step: str, ends: str) -> None:
    said = with_way_on(say, code, step=step)
    assert said.startswith(say)
    assert said.endswith(ends)
