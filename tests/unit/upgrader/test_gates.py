"""Verdicts and the sentences that go with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.metrics.standing import Fact
from upgrader.analysis.rates import Counted
from upgrader.analysis.times import Pair
from upgrader.gates import Evidence, Side, by_chance, judge
from upgrader.readings import Sides, Whole
from upgrader.states import Outcome
from upgrader.strategy import Limits
from upgrader.strategy_spec import COMPARES, METRICS, Compare

LIMITS = Limits(login_success_min=0.98, min_logins=20, restarts_max=0)
GOOD = Evidence(Side("1.3.0", 40), Side("1.1.6", 40))


def sides(canary: tuple[int, int], control: tuple[int, int] = (100, 0), restarts: int = 0) -> Evidence:
    return Evidence(Side("1.3.0", *canary, restarts=restarts), Side("1.1.6", *control))


def users(canary: tuple[int, int], control: tuple[int, int], past: tuple[int, int] = (0, 0), hits: int = 9) -> Sides:
    return Sides(replace(Counted(*canary), hits=hits), Counted(*control), Counted(*past))


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        (sides((0, 0)), Outcome.NO_EVIDENCE),
        (sides((19, 0)), Outcome.NO_EVIDENCE),
        (sides((20, 0)), Outcome.PASS),
        (sides((50, 1)), Outcome.PASS),  # equality is allowed
        (sides((20, 1)), Outcome.INCONCLUSIVE),
        (sides((20, 9)), Outcome.FAIL),
        (sides((4, 3)), Outcome.FAIL),  # plain enough before the minimum
        (sides((2, 2)), Outcome.FAIL),
        (sides((20, 9), (20, 9)), Outcome.INCONCLUSIVE),  # both fail: not the release
        (sides((20, 0), restarts=1), Outcome.FAIL),
        (Evidence(Side("1.3.0", 20), Side("1.1.6"), lost=["gw-1 rebooted."]), Outcome.FAIL),
        (Evidence(Side("1.3.0", 20), Side("1.1.6"), silent=["gw-1"]), Outcome.NO_EVIDENCE),
    ],
)
def test_outcome(evidence: Evidence, outcome: Outcome) -> None:
    assert judge(evidence, LIMITS).outcome is outcome


def test_one_failure_is_never_enough_to_fail() -> None:
    assert judge(sides((1, 1)), LIMITS).outcome is not Outcome.FAIL
    assert judge(sides((1, 1)), replace(LIMITS, login_success_min=1.0)).outcome is not Outcome.FAIL


def test_a_limit_of_all_logins_fails_at_the_second_failure() -> None:
    assert judge(sides((900, 2)), replace(LIMITS, login_success_min=1.0)).outcome is Outcome.FAIL


def test_a_release_that_breaks_late_is_found_by_its_last_logins() -> None:
    late = Evidence(Side("1.3.0", 105, 3, run=3), Side("1.1.6", 105))
    assert judge(late, LIMITS).outcome is Outcome.FAIL
    assert judge(sides((105, 3)), LIMITS).outcome is not Outcome.FAIL, "spread out it is what chance does"


def test_the_sentence_has_the_numbers_of_both_sides() -> None:
    sentence = judge(sides((20, 9), (40, 1)), LIMITS).sentence
    assert "9 of 20 logins failed on 1.3.0, 1 of 40 on 1.1.6; by chance less than once" in sentence


def test_silence_is_named() -> None:
    said = judge(Evidence(Side("1.3.0", 30), Side("1.1.6"), silent=["fra-gw-02"]), LIMITS).sentence
    assert "No answer from fra-gw-02" in said


def test_users_logins_fail_a_release_whose_probes_are_fine() -> None:
    judged = judge(replace(GOOD, rates={"logins": users((212, 20), (640, 4))}), LIMITS)
    assert judged.outcome is Outcome.FAIL
    assert judged.sentence.startswith("9.4 % of users' logins failed on 1.3.0, 0.6 % on 1.1.6 (212 and 640 tries)")
    assert judged.numbers["metrics"]["logins"]["baseline"] == "old slot"


@pytest.mark.parametrize(
    ("sides", "outcome"),
    [
        (users((212, 3), (640, 4)), Outcome.PASS),
        (users((212, 20), (640, 60)), Outcome.PASS),  # both alike
        (users((208, 39), (640, 40)), Outcome.PASS),  # worse beyond chance, three times as bad: equality is tolerated
        (users((30, 12), (0, 0)), Outcome.PASS),  # nothing to hold it against
        (users((30, 12), (0, 0), (3000, 20)), Outcome.FAIL),
        (users((212, 20), (640, 4), hits=1), Outcome.PASS),  # all in one half minute: one user at a keyboard
        (users((10, 3), (10, 0), (600, 0)), Outcome.FAIL),  # a baseline of zero
        (users((60, 20), (80, 0), (900, 300)), Outcome.PASS),  # strangers come to the new slot first
    ],
)
def test_users_logins(sides: Sides, outcome: Outcome) -> None:
    assert judge(replace(GOOD, rates={"logins": sides}), LIMITS).outcome is outcome


def test_a_metric_that_is_not_critical_asks_a_person() -> None:
    found = replace(GOOD, rates={"session_errors": users((212, 20), (640, 4))})
    assert judge(found, LIMITS).outcome is Outcome.INCONCLUSIVE
    metrics = dict(METRICS) | {"session_errors": replace(METRICS["session_errors"], critical=True)}
    assert judge(found, replace(LIMITS, metrics=metrics)).outcome is Outcome.FAIL
    metrics = dict(METRICS) | {"session_errors": replace(METRICS["session_errors"], use=False)}
    assert judge(found, replace(LIMITS, metrics=metrics)).outcome is Outcome.PASS


def test_metrics_that_ask_share_the_false_questions() -> None:
    errors = {"session_errors": users((40, 3), (120, 2), (900, 9))}
    weak = judge(replace(GOOD, rates=errors), LIMITS)
    assert weak.outcome is Outcome.PASS
    alone = {name: replace(one, use=name == "session_errors", critical=False) for name, one in METRICS.items()}
    only = judge(replace(GOOD, rates=errors), replace(LIMITS, metrics=alone))
    assert only.numbers["asks_by_chance"] < weak.numbers["asks_by_chance"], "fewer metrics share it"


@pytest.mark.parametrize(
    ("compare", "outcome", "baseline"),
    [
        ("best", Outcome.PASS, "old slot"),
        ("slots", Outcome.PASS, "old slot"),
        ("control", Outcome.FAIL, "other gateways at the same time"),
        ("past", Outcome.FAIL, "its own past at this hour of the week"),
    ],
)
def test_the_strategy_says_what_is_compared(compare: Compare, outcome: Outcome, baseline: str) -> None:
    elsewhere = {"others": Counted(900, 4), "weeks": Counted(3000, 9)}
    logins = replace(users((212, 20), (640, 60)), **elsewhere)
    judged = judge(replace(GOOD, rates={"logins": logins}), replace(LIMITS, compare=compare))
    assert (judged.outcome, judged.numbers["metrics"]["logins"]["baseline"]) == (outcome, baseline)
    assert judged.numbers["compare"] == compare


def test_sizes_are_compared_with_the_old_slot_whatever_rates_are() -> None:
    pair = Pair()
    for number in range(60):
        pair = pair.added(400.0 + number % 7, 200.0 + number % 5)
    slow = replace(GOOD, times={"login_time": [pair], "rtt": []})
    for compare in COMPARES:
        judged = judge(slow, replace(LIMITS, compare=compare))
        assert judged.outcome is Outcome.INCONCLUSIVE
        assert judged.numbers["metrics"]["login_time"]["baseline"] == "old slot at the same looks"
        assert "rtt" not in judged.numbers["metrics"], "nothing was measured"


def test_best_is_the_first_baseline_that_there_is() -> None:
    logins = replace(users((212, 20), (0, 0)), others=Counted(900, 4), weeks=Counted(3000, 9))
    said = judge(replace(GOOD, rates={"logins": logins}), LIMITS).sentence
    assert "9.4 % of users' logins failed on 1.3.0, 0.4 % on other gateways (212 and 900 tries)" in said
    alone = replace(logins, others=Counted())
    assert "at this hour of other weeks" in judge(replace(GOOD, rates={"logins": alone}), LIMITS).sentence


def test_a_pass_says_what_users_were_held_against() -> None:
    judged = judge(replace(GOOD, rates={"logins": users((212, 1), (640, 4))}), LIMITS)
    assert judged.sentence.endswith("Its users' 212 logins were compared with the old slot.")
    lonely = judge(replace(GOOD, rates={"logins": users((30, 0), (0, 0))}), LIMITS)
    assert lonely.sentence.endswith("There is nothing to compare its users' 30 logins with.")


def test_where_nobody_signs_in_a_pass_says_so() -> None:
    facts = {"gw-1": str(Fact.NO_TRAFFIC), "gw-2": str(Fact.COLLECTOR_DOWN)}
    judged = judge(replace(GOOD, facts=facts), LIMITS)
    assert judged.outcome is Outcome.PASS
    assert judged.sentence.endswith("No traffic on gw-1: only our probes speak for the release there.")
    assert judged.numbers["facts"] == facts


def test_what_can_not_be_seen_is_no_evidence() -> None:
    say = "ocserv in slot 2 of gw-1 has banned our own login probe."
    judged = judge(replace(GOOD, blind=[say], facts={"gw-1": "probe banned"}), LIMITS)
    assert judged.outcome is Outcome.NO_EVIDENCE
    assert judged.sentence.startswith(say)
    assert judged.numbers["facts"] == {"gw-1": "probe banned"}
    failed = replace(sides((20, 9)), blind=[say])
    assert judge(failed, LIMITS).outcome is Outcome.FAIL, "what was seen before stays"


def test_the_verdict_records_what_it_was_drawn_from() -> None:
    numbers = judge(replace(GOOD, rates={"logins": users((212, 20), (640, 4), (900, 5))}), LIMITS).numbers
    logins = numbers["metrics"]["logins"]
    assert (logins["canary"], logins["past"]) == ({"tried": 212, "failed": 20}, {"tried": 900, "failed": 5})
    assert (logins["baseline"], logins["critical"], logins["tolerated"]) == ("old slot and its past", True, 3.0)
    assert (numbers["alpha"], numbers["weight"], numbers["limit"]) == (0.01, 0.5, 0.98)


def test_chance_is_said_in_windows() -> None:
    assert by_chance(8.006) == "by chance at most once in 2,999 windows"
    assert by_chance(99.0) == "by chance less than once in 10,000 windows"


@given(st.integers(0, 300), st.integers(0, 300))
def test_more_failures_never_make_a_better_verdict(tried: int, failed: int) -> None:
    order = [Outcome.PASS, Outcome.NO_EVIDENCE, Outcome.INCONCLUSIVE, Outcome.FAIL]
    failed = min(failed, tried)
    less = judge(sides((tried, max(0, failed - 1))), LIMITS).outcome
    more = judge(sides((tried, failed)), LIMITS).outcome
    assert order.index(more) >= order.index(less) or more is Outcome.NO_EVIDENCE


def test_who_else_saw_it_is_said_and_whoever_is_quiet_counts_only_where_named() -> None:
    told = Whole(by={"outside_time": "2 probe hosts outside", "machine_cpu": "Prometheus"})
    seen = replace(GOOD, whole=told, quiet={"probes": ["gw-1 has banned probe-berlin."]})
    judged = judge(seen, LIMITS)
    assert judged.outcome is Outcome.PASS
    assert judged.sentence.endswith("Seen by 2 probe hosts outside and Prometheus, too. gw-1 has banned probe-berlin.")
    assert judge(seen, replace(LIMITS, sources=("gateway", "prometheus"))).outcome is Outcome.PASS
    named = judge(seen, replace(LIMITS, sources=("gateway", "probes")))
    assert named.outcome is Outcome.NO_EVIDENCE
    assert named.sentence.startswith("gw-1 has banned probe-berlin.")


def test_sign_ins_from_outside_speak_for_the_gateway_beside_others_and_its_hours_before() -> None:
    bad = Sides(replace(Counted(20, 9), hits=9), past=Counted(700, 3), others=Counted(200, 1))
    rates, told = {"outside_logins": bad}, Whole(by={"outside_logins": "2 probe hosts outside"})
    judged = judge(replace(GOOD, rates=rates, whole=told), LIMITS)
    assert judged.outcome is Outcome.INCONCLUSIVE
    assert "45 % of sign-ins from outside failed on 1.3.0, 0.4 % on others and before" in judged.sentence
    assert "by 2 probe hosts outside" in judged.sentence
    assert judge(replace(GOOD, rates=rates), replace(LIMITS, sources=("gateway",))).outcome is Outcome.PASS
    all_bad = {"outside_logins": replace(bad, others=Counted(200, 90))}
    assert judge(replace(GOOD, rates=all_bad), LIMITS).outcome is Outcome.PASS, "others can't sign in either"
