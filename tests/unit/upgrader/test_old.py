"""Is there still an old release to go back to, where one release at a time is all that a gateway holds?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from upgrader.steps.old import still, trouble

OLD, NEW = "1.1.6-3", "1.3.0-2"
GONE = "1.1.6-3 was taken off gw-1, so nothing is there to be started again."


def job(earlier: dict[str, Any], *, reloads: bool = False) -> Any:
    way = "handover" if reloads else "in_place"
    return SimpleNamespace(gateway="gw-1", way=way, reloads=reloads, from_release=OLD, from_slot=1, earlier=earlier)


def facts(*releases: str) -> Any:
    return SimpleNamespace(releases=dict.fromkeys(releases, "0" * 64), slots=())


@pytest.mark.parametrize(
    ("earlier", "releases", "say"),
    [
        ({}, (OLD, NEW), ""),
        ({"old_there": True}, (OLD, NEW), ""),
        ({"old_there": True}, (NEW,), GONE),
        ({}, (NEW,), ""),  # it came with the host and was in no list
        ({"old_there": False}, (NEW,), ""),
    ],
)
def test_in_place_it_must_still_lie_on_the_gateway(
    earlier: dict[str, Any], releases: tuple[str, ...], say: str
) -> None:
    made = job(earlier)
    assert trouble(made, facts(*releases), ())["old"] == say
    assert still(made, facts(*releases)) == say


def test_what_was_there_once_stays_missed() -> None:
    first = trouble(job({}), facts(OLD, NEW), ())
    second = trouble(job(first), facts(NEW), ())
    assert trouble(job(second), facts(NEW), ())["old"] == GONE


def test_a_reload_has_no_old_release() -> None:
    assert trouble(job({}, reloads=True), facts(NEW), ()) == {"old": ""}
