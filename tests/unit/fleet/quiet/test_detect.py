"""What is found of losses, and what is not taken for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bench import anomaly_recorded
from bench.anomaly_series import BEGIN, HOUR, MIB, WIDTH, Fault, Scene, town
from fleet.quiet import pace, words
from fleet.quiet.bins import Bin, busiest, widened
from fleet.quiet.detect import Judged, judge, lasting
from fleet.quiet.fit import Case

LEAK = Scene((Fault("rss_bytes", hourly=0.03),), wrong=True)


def case(scene: Scene, hours: int, seed: str = "one") -> Case:
    """What a look so many hours after the begin reads, in bins of 600 s."""
    seen, now = town(seed, scene), BEGIN + hours * HOUR
    since = BEGIN - pace.BINS * WIDTH
    return Case(
        BEGIN,
        before=[each for each in seen.gateway if since <= each.at < BEGIN - WIDTH],
        after=[each for each in seen.gateway if BEGIN <= each.at < now],
        long=widened([each for each in seen.gateway if each.at < BEGIN], HOUR),
        controls=[[each for each in peer if since <= each.at < now] for peer in seen.peers],
    )


def names(judged: Judged) -> list[str]:
    return [one.name for one in judged.found]


@pytest.mark.parametrize("scene", [LEAK, replace(LEAK, peers=0), replace(LEAK, peers=0, past=6)])
def test_a_leak_is_found_with_peers_with_a_past_and_on_the_first_day(scene: Scene) -> None:
    first = judge(case(scene, 10)).found[0]
    assert (first.name, first.shape.grows) == ("memory", True)
    assert 0.01 < first.change < 0.06
    assert first.shape.since <= BEGIN + 3 * HOUR


def test_a_step_is_found_with_its_time() -> None:
    judged = judge(case(Scene((Fault("rtt_ms", step=1.5, after=5),), wrong=True), 12))
    assert names(judged) == ["rtt"]
    assert abs(judged.found[0].shape.since - BEGIN - 5 * HOUR) <= HOUR
    assert 0.3 < judged.found[0].total < 0.7


@pytest.mark.parametrize("peers", [0, 6])
@pytest.mark.parametrize("scene", [Scene(), Scene(season=0.9), Scene(growth=0.5)])
def test_nothing_is_found_where_nothing_is_wrong(scene: Scene, peers: int) -> None:
    assert names(judge(case(replace(scene, peers=peers), 14))) == []


def test_what_the_whole_pool_feels_is_not_the_releases() -> None:
    everywhere = Scene((Fault("rtt_ms", step=1.6, after=4),), everywhere=True)
    assert "rtt" not in names(judge(case(everywhere, 12)))


def test_memory_that_fills_up_does_not_grow() -> None:
    fills = Scene((Fault("rss_bytes", step=1.2, fills=1.5),))
    assert "memory" not in names(judge(case(fills, 12)))


def test_several_small_changes_at_once_are_one_loss() -> None:
    small = (("rtt_ms", 1.14), ("handshake_ms", 1.14), ("cpu", 1.24), ("retransmitted", 1.38))
    scene = Scene(tuple(Fault(name, step=step, after=2) for name, step in small), wrong=True)
    judged = judge(case(scene, 14))
    assert len({"rtt", "handshake", "cpu", "retransmissions"} & set(names(judged))) >= 3


def test_nothing_is_said_of_two_hours_or_of_no_numbers() -> None:
    assert judge(case(LEAK, 1)) == Judged()
    assert judge(Case(BEGIN, before=[], after=[])) == Judged()
    blind = [Bin(BEGIN + WIDTH * turn, WIDTH, {"sessions": None, "rss_bytes": None}) for turn in range(40)]
    assert judge(Case(BEGIN, before=[], after=blind)).scores == []


def test_one_look_alone_calls_nobody() -> None:
    judged = judge(case(LEAK, 10))
    assert lasting(judged, frozenset()) == []
    assert [one.name for one in lasting(judged, frozenset({"memory"}))] == ["memory"]


def test_a_sentence_has_the_number_the_time_and_the_others() -> None:
    judged = judge(case(LEAK, 10))
    now = datetime.fromtimestamp(BEGIN + 10 * HOUR, UTC)
    say = words.sentence(words.Place("gw7", "1.5.0", BEGIN), judged.found[:1], judged, now)
    assert say.startswith("Memory a session on gw7 grows ")
    assert "% an hour since " in say
    assert " UTC, " in say
    assert say.endswith("on 6 gateways of the pool that kept their release it does not.")


def test_counts_are_summed_and_the_rest_is_a_mean() -> None:
    values = [{"logins": 2, "rss_bytes": 4 * MIB, "rtt_ms": None}, {"logins": 3, "rss_bytes": 6 * MIB, "rtt_ms": None}]
    (wide,) = widened([Bin(600 * turn, 600, value) for turn, value in enumerate(values)], 1200)
    assert (wide.at, wide.seconds, wide.values) == (0, 1200, {"logins": 5, "rss_bytes": 5 * MIB, "rtt_ms": None})


def test_of_two_slots_the_one_with_more_users_is_the_gateways() -> None:
    old = [Bin(0, 600, {"sessions": 9}), Bin(600, 600, {"sessions": 1})]
    new = [Bin(600, 600, {"sessions": 8})]
    assert [each.of("sessions") for each in busiest([old, new])] == [9, 8]


def test_looks_become_rarer_and_bins_wider() -> None:
    assert [pace.pause(hours * HOUR) for hours in (1, 6, 24, 240)] == [600, 1800, 7200, 7200]
    assert [pace.reach(BEGIN, BEGIN + hours * HOUR).width for hours in (2, 24, 72, 200)] == [600, 1200, 3600, 10800]
    assert pace.reach(BEGIN, BEGIN + 40 * HOUR).span == 60


@pytest.mark.parametrize(("name", "found"), [("recorded_leak", {"memory"}), ("recorded_quiet", set[str]())])
def test_a_leak_of_a_real_gateway_is_found_and_a_good_release_is_not_blamed(name: str, found: set[str]) -> None:
    seen: set[str] = set()
    before = frozenset[str]()
    for each in anomaly_recorded.cases(name):
        judged = judge(each)
        seen |= {one.name for one in lasting(judged, before)}
        before = frozenset(one.name for one in judged.found)
    assert seen >= found
    assert bool(seen) == bool(found)
