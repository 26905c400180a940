"""The count of probe packets, and what is told apart in it."""

from __future__ import annotations

from lab.clients import lost_in_outages
from lab.gateway import parse_occtl
from lab.tally import GRACE, Tally


def sent(tally: Tally, times: list[float]) -> None:
    for at in times:
        tally.send(at)


def test_an_unanswered_packet_is_lost_only_after_the_grace_time() -> None:
    tally = Tally(started=0.0)
    sent(tally, [1.0])
    assert tally.report(1.0 + GRACE)["lost"] == 0
    assert tally.report(1.01 + GRACE)["lost"] == 1


def test_a_late_answer_is_no_loss_but_a_gap() -> None:
    tally = Tally(started=0.0)
    sent(tally, [0.0, 0.05])
    tally.answer(1, 0.01)
    tally.answer(2, 5.01)
    report = tally.report(5.02)
    assert (report["sent"], report["lost"], report["longest_gap_ms"]) == (2, 0, 5000)


def test_runs_of_losses_are_told_with_their_time_of_day() -> None:
    tally = Tally(started=0.0, offset=1000.0)
    sent(tally, [0.0, 0.05, 0.1, 0.15, 0.2])
    for answered in (1, 4):
        tally.answer(answered, 0.3)
    assert tally.report(9.0)["losses"] == [[1000.05, 2], [1000.2, 1]]


def test_doubles_and_strangers_count_nothing() -> None:
    tally = Tally(started=0.0)
    sent(tally, [0.0])
    for number in (1, 1, 77):
        tally.answer(number, 0.1)
    assert tally.answered == 1


def test_silence_that_still_lasts_is_the_longest_gap() -> None:
    tally = Tally(started=0.0)
    sent(tally, [0.0, 0.05])
    tally.answer(1, 0.1)
    assert tally.report(3.1)["longest_gap_ms"] == 3000


def test_packets_in_flight_at_the_end_are_taken_back() -> None:
    tally = Tally(started=0.0)
    sent(tally, [0.0, 9.0, 9.9])
    tally.close(10.0)
    report = tally.report(60.0)
    assert (report["sent"], report["lost"]) == (1, 1)


def test_losses_in_the_labs_own_outages_are_told_apart() -> None:
    losses = [[100.0, 2], [110.0, 1]]
    assert lost_in_outages(losses, [99.5]) == 2
    assert lost_in_outages(losses, [110.05]) == 1
    assert lost_in_outages(losses, [105.0]) == 0


def test_occtl_with_a_comma_too_much_is_read() -> None:
    assert parse_occtl('[ {"ID": 1, "Routes": [], "Routes": "defaultroute",\n},\n]') == [
        {"ID": 1, "Routes": "defaultroute"}
    ]
    assert parse_occtl("") == []
