"""A slot's log, as real ocserv wrote it and as it might."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.ocgate import departures, metrics
from fleet.ocgate.seen import Seen
from fleet.ocgate.slotlog import PENDING_MOST, REASONS_MOST, TRY_SECONDS, Log
from tests.unit.ocgate.values import paths

RECORDED = Path(__file__).parent / "recorded" / "metrics"
OURS = frozenset({"198.18.0.2"})
LOG = """main[ann]:203.0.113.7:53 user logged in
ocserv[164]: main[bob]:203.0.113.8:9 user logged in
main[probe]:198.18.0.2:9 user logged in
worker[ann]: 203.0.113.7 ../src/worker-auth.c:1900: failed authentication for 'ann'
worker[probe]: 198.18.0.2 ../src/worker-auth.c:1900: failed authentication for 'probe'
main[ann]:203.0.113.7:53 user disconnected (reason: unspecified error, rx: 1, tx: 2)
main[ann]:203.0.113.7:53 user disconnected (reason: user disconnected, rx: 1, tx: 2)
ocserv-worker: no seat left
worker[bob]: 203.0.113.8 cut in the mid"""
TRY = "sec-mod: using 'plain' authentication to authenticate user (session: {})"
IN = "sec-mod: initiating session for user '{}' (session: {})"
OUT = "sec-mod: temporarily closing session for {} (session: {})"
END = "main[{}]:203.0.113.7:53 user disconnected (reason: user disconnected, rx: 1, tx: 2)"


def read(text: str, *, log: Log | None = None, at: float = 0.0) -> Log:
    """Count lines at one moment; through JSON, as between two looks."""
    log = log or Log()
    for line in text.splitlines():
        log.line(line, ours=OURS, now=at)
    log.settle(at)
    return Log.load(json.loads(json.dumps(log.dump())))


@pytest.mark.parametrize("version", ["1.1.6", "1.3.0", "1.5.0"])
def test_a_real_log_tells_what_was_done(version: str) -> None:
    """Two guests, one reconnect and one crash; five passwords guessed one by one and three on one connection."""
    log = read((RECORDED / version / "log-3.txt").read_text(), log=Log())
    users = 5 if version == "1.1.6" else 4  # the lab's own user signed in there as well
    assert log.logins == users
    assert log.refused == 1, "ocserv itself tells only of the connection that it gave up"
    log = read("", log=log, at=TRY_SECONDS + 0.1)
    assert log.failures == 6
    assert log.crashes == {"unknown": 1}
    assert log.bans == 2
    assert log.reasons["crash"] == 1
    assert not log.begun


@pytest.mark.parametrize("version", ["1.1.6", "1.3.0", "1.5.0"])
def test_who_comes_back_from_elsewhere_explains_no_crash(version: str) -> None:
    """ocserv ends the old connection and not the session, so that end belongs to no session that was closed."""
    log = read((RECORDED / version / "log-4.txt").read_text())
    assert log.ended == []
    log = read("", log=log, at=10.0)
    assert log.crashes == {"unknown": 1}, "the one that there was before"


@pytest.mark.parametrize("version", ["1.3.0", "1.5.0"])
def test_who_signed_out_before_another_came_back_has_left_by_himself(version: str) -> None:
    lines = (RECORDED / version / "log-4.txt").read_text().splitlines()
    gone = next(line for line in lines if "invalidating session" in line)
    told = [one for one in departures.parse(lines) if f"(session: {one['session']})" in gone]
    assert told[0]["by_user"] is True


def test_a_log_is_counted_once_without_our_own_probes(tmp_path: Path) -> None:
    path, log = tmp_path / "log", Log()
    for text in (LOG, LOG + "dle\n", LOG + "dle\nmain[bob]:203.0.113.8:9 user logged in\n"):
        path.write_text(text)
        log.read(path, ours=OURS, now=0.0)
    assert (log.logins, log.failures, log.errors) == (3, 1, 2)
    path.write_text("main[ann]:203.0.113.7:53 user logged in\n")
    log.read(path, ours=frozenset(), now=0.0)
    assert log.logins == 4, "a new log goes on from its beginning; counts never fall"


def test_a_log_that_grew_is_emptied_and_its_counts_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = paths(tmp_path)
    monkeypatch.setattr(metrics, "LOG_MAX", 100)
    log = where.slot_log(1)
    log.parent.mkdir()
    for _ in range(2):
        log.write_text(LOG + "dle\n")
        assert metrics.rotate(where, 1, ours=OURS)
        assert log.read_text() == ""
    log.write_text("main[ann]:203.0.113.7:53 user logged in\n")
    assert not metrics.rotate(where, 1, ours=OURS)
    with metrics.kept(where, 1) as seen:
        seen.log.read(log, ours=OURS, now=0.0)
        assert (seen.log.logins, seen.log.failures, seen.log.errors) == (5, 2, 4)


def test_what_an_older_ocgate_counted_is_where_this_one_begins() -> None:
    seen = Seen.load({"logins": 7, "failures": 2, "errors": 1})
    seen.log.line("main[ann]:203.0.113.7:53 user logged in", ours=OURS, now=0.0)
    seen.log.settle(0.0)
    assert (seen.log.logins, seen.log.failures, seen.log.errors) == (8, 2, 1)


def test_who_gives_up_at_the_form_has_failed_and_who_types_slowly_has_not() -> None:
    log = read(f"{TRY.format('aaaaaa')}\n{TRY.format('bbbbbb')}")
    log = read(IN.format("ann", "bbbbbb"), log=log, at=TRY_SECONDS - 1)
    assert log.failures == 0
    assert read("", log=log, at=TRY_SECONDS + 1).failures == 1


def test_failures_never_fall_and_our_own_are_not_among_them() -> None:
    ours = "worker[probe]: 198.18.0.2 worker-auth.c:1: failed authentication for 'probe'"
    log = read("\n".join(TRY.format(f"u{number:05}") for number in range(5)))
    log = read(f"{TRY.format('probe1')}\n{ours}", log=log, at=TRY_SECONDS + 1)
    assert log.failures == 4, "until our own is given up as lost, it hides one"
    assert read("", log=log, at=2 * TRY_SECONDS + 2).failures == 5


def test_a_session_that_ends_without_a_word_was_a_crash() -> None:
    log = read("\n".join((IN.format("ann", "s1"), IN.format("bob", "s2"), OUT.format("ann", "s1"))))
    log = read(f"{OUT.format('bob', 's2')}\n{END.format('bob')}", log=log, at=5.0)
    assert log.crashes == {}
    log = read(OUT.format("bob", "s2"), log=log, at=11.0)
    assert log.crashes == {"unknown": 1}, "an expired session is closed twice"
    assert log.errors == 1


def test_a_crash_with_a_line_of_its_own_counts_once() -> None:
    log = read(
        "\n".join((IN.format("ann", "s1"), "main: main.c:9: Child 7 died with sigsegv", OUT.format("ann", "s1")))
    )
    log = read("main: main.c:9: Child 8 died with signal 6", log=log, at=10.0)
    assert log.crashes == {"SIGSEGV": 1, "SIG6": 1}


def test_what_is_remembered_has_a_bound() -> None:
    log = read("\n".join(f"main[a]:1.2.3.4:5 user disconnected (reason: r{number}, " for number in range(99)))
    assert len(log.reasons) == REASONS_MOST + 1
    assert sum(log.reasons.values()) == 99
    log = read("\n".join(TRY.format(f"s{number}") for number in range(PENDING_MOST + 5)), log=log)
    assert len(log.begun) == PENDING_MOST


def test_departures_still_pairs_reasons_with_sessions() -> None:
    assert departures.parse([OUT.format("ann", "s1"), END.format("ann")])[0]["by_user"] is True
