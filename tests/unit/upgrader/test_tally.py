"""What the observing step keeps of each look, so that the next worker goes on from it."""

from __future__ import annotations

import json
from typing import Any

from upgrader.sides import summed
from upgrader.steps.job import Elsewhere, SampleOf
from upgrader.steps.tally import added, besides, since

NEW, OLD = 2, 1


def look(slot: int, **values: Any) -> SampleOf:
    usual = {"probe_ok": True, "login_ms": 200.0, "handshake_ms": 60.0, "restarts": 0, "up_since": 1000.0}
    counters = {"logins": 0, "auth_failures": 0, "session_errors": 0}
    return SampleOf(slot, "1.3.0" if slot == NEW else "1.1.6", usual | counters | values)


def told(*looks: tuple[SampleOf, ...]) -> dict[str, Any]:
    """The tally after these looks, through the database each time."""
    tally: dict[str, Any] = {}
    for samples in looks:
        tally = json.loads(json.dumps(added(tally, samples, to_slot=NEW)))
    return tally


def test_probes_are_counted_by_side() -> None:
    tally = told((look(NEW, probe_ok=False, probe_say="refused"), look(OLD)), (look(NEW, probe_ok=None), look(OLD)))
    assert tally["canary"] == {"tried": 1, "failed": 1, "restarts": 0, "last": "refused", "run": 1}
    assert tally["control"]["tried"] == 2


def test_what_was_counted_before_the_first_look_is_the_old_slots_past() -> None:
    first = (look(NEW, logins=3, auth_failures=1), look(OLD, logins=900, auth_failures=5))
    then = (look(NEW, logins=10, auth_failures=4), look(OLD, logins=930, auth_failures=6))
    logins = summed([told(first, then)], new="1.3.0", old="1.1.6").rates["logins"]
    assert (logins.past.tried, logins.past.failed) == (905, 5)
    assert (logins.canary.tried, logins.canary.failed) == (10, 3)
    assert (logins.control.tried, logins.control.failed) == (31, 1)


def test_a_restart_is_no_spike() -> None:
    assert since([900, 5, 2, 1000.0], [4, 1, 0, 2000.0]) == [4, 1, 0, 2000.0]
    assert since([900, 5, 2, 1000.0], [903, 5, 2, 1001.0])[:3] == [3, 0, 0]
    tally = told((look(OLD, logins=900),), (look(OLD, logins=2, up_since=2000.0),))
    assert summed([tally], new="n", old="o").rates["logins"].control.tried == 2


def test_times_are_kept_in_pairs_and_only_of_logins_that_succeeded() -> None:
    both, half = (look(NEW, login_ms=300.0), look(OLD)), (look(NEW, login_ms=900.0), look(OLD, probe_ok=False))
    pair = summed([told(both, half, both)], new="n", old="o").times["login_time"][0]
    assert (pair.canary.n, pair.control.n) == (2, 2)


def test_a_slot_that_does_not_answer_leaves_the_other_as_it_is() -> None:
    tally = told((look(NEW), look(OLD, logins=50)), (look(NEW),), (look(NEW), look(OLD, logins=55)))
    found = summed([tally], new="n", old="o")
    assert found.rates["logins"].control.tried == 5
    assert (found.canary.tried, found.control.tried) == (3, 2)


def test_gateways_add_up() -> None:
    one = told((look(NEW), look(OLD, logins=10)), (look(NEW, logins=4, auth_failures=2), look(OLD, logins=20)))
    both = summed([one, one, {}], new="n", old="o")
    assert (both.canary.tried, both.gateways) == (4, 3)
    assert (both.rates["logins"].canary.failed, both.rates["logins"].past.tried) == (4, 20)


def test_sums_of_an_older_version_go_on() -> None:
    """Its rollouts are in hand while the product itself is upgraded."""
    told_then = {"seen": {"2": [3, 0, 0, 1000.0], "1": [50, 1, 0, 1000.0]}, "rates": {"logins": {"past": [51, 1]}}}
    tally = added(told_then, [look(NEW, logins=9, at=5.0), look(OLD, logins=52, auth_failures=1, at=5.0)], to_slot=NEW)
    found = summed([tally], new="n", old="o").rates["logins"]
    assert (found.canary.tried, found.control.tried, found.past.tried) == (6, 2, 51)


def test_what_was_counted_elsewhere_is_kept_from_look_to_look() -> None:
    tally = besides({}, Elsewhere(60.0, 3, {"logins": (40.0, 2)}), {"logins": (900.0, 5)})
    tally = besides(added(tally, [look(NEW)], to_slot=NEW), Elsewhere(65.0, 3, {"logins": (10.0, 1)}), None)
    longer = besides(tally, Elsewhere(70.0, 3, {"logins": (10.0, 0)}), None)
    found = summed([json.loads(json.dumps(tally)), longer], new="n", old="o").rates["logins"]
    assert (found.others.tried, found.others.failed) == (60, 3), "both gateways of the wave count the same others"
    assert (found.weeks.tried, found.weeks.failed) == (1800, 10), "each of them has weeks of its own"
    assert tally["others"]["until"] == 65.0
