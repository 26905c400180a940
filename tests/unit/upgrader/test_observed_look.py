"""One look: from what the collector was told while that is fresh, else from the gateway, and no event twice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.ports import Probed
from tests.unit.fleet.metrics.test_counters import SLOT
from upgrader.sides import summed
from upgrader.steps.job import Measured
from upgrader.steps.look import COLLECTOR, GATEWAY, Look, taken_by
from upgrader.steps.observe import again
from upgrader.steps.tally import added

OLD, NEW = "1.1.6-3", "1.3.0-2"
NOON = 1_795_000_000.0


class Gateway:
    """Says the same of both slots, and counts how often it was asked."""

    def __init__(self, *, logins: int = 10, slots: tuple[int, ...] = (1, 2), ok: bool = True) -> None:
        self.asked, self.logins, self.slots, self.ok = 0, logins, slots, ok

    def metrics(self) -> list[Any]:
        self.asked += 1
        told = {1: OLD, 2: NEW}
        return [_slot(slot, told[slot], self.logins) for slot in self.slots]

    def probe(self, slot: int, *, user: str, password: str) -> Probed:
        return Probed(slot, self.ok, "done" if self.ok else "password", 4.0, 35.0, "")


def _slot(slot: int, release: str, logins: int) -> Any:
    return type(SLOT)(**{**vars(SLOT), "slot": slot, "release": release, "logins": logins})


def stored(at: float, *, logins: int = 10, **changes: Any) -> Measured:
    told = {slot: {**vars(_slot(slot, name, logins)), "at": at, **changes} for slot, name in ((1, OLD), (2, NEW))}
    return Measured(at, told, "", "")


def job(measured: Measured | None, earlier: Mapping[str, Any] | None = None, *, seconds: float = 0.0) -> Any:
    return SimpleNamespace(
        gateway="gw-1",
        from_slot=1,
        from_release=OLD,
        to_slot=2,
        release=NEW,
        probe=("probe", "secret"),
        earlier=earlier or {},
        now=SimpleNamespace(timestamp=lambda: NOON + seconds),
        stored=SimpleNamespace(newest=lambda: measured) if measured else None,
    )


def look(made: Any, gateway: Gateway, *, restarts: int = 0) -> Look:
    facts: Any = SimpleNamespace(slots=[SimpleNamespace(slot=2, restarts=restarts)])
    return taken_by(made, gateway, facts, began=time.monotonic())  # type: ignore[arg-type]  # the verbs that it asks


def test_a_fresh_answer_is_not_asked_for_again() -> None:
    gateway = Gateway()
    found = look(job(stored(NOON - 3, handshake_ms=2.5)), gateway)
    assert (gateway.asked, found.said["source"], len(found.samples)) == (0, COLLECTOR, 2)
    values = found.samples[0].values
    assert (values["at"], values["probe_ok"], values["handshake_ms"]) == (NOON - 3, True, 4.0)
    assert values["door_ms"] == 2.5, "its own handshake is another than the probe's"


def test_a_crash_is_seen_before_the_collector_comes_by() -> None:
    samples = look(job(stored(NOON - 3)), Gateway(), restarts=1).samples
    assert {sample.slot: sample.values["restarts"] for sample in samples} == {1: 0, 2: 1}


def test_without_a_fresh_answer_the_gateway_is_asked() -> None:
    for measured in (None, Measured(), Measured(fact="collector down")):
        gateway = Gateway()
        found = look(job(measured), gateway)
        assert (gateway.asked, found.said["source"]) == (1, GATEWAY)
        assert found.said["fact"] == (measured.fact if measured else "")


def test_an_answer_of_another_release_or_of_one_slot_is_none() -> None:
    half = stored(NOON)
    half = Measured(half.at, {1: half.slots[1]}, "", "")
    for measured in (half, stored(NOON, release=OLD)):
        gateway = Gateway()
        assert look(job(measured), gateway).said["source"] == GATEWAY


def test_what_is_older_than_what_was_asked_directly_is_not_taken() -> None:
    gateway = Gateway()
    first = look(job(None), gateway)
    earlier = {**first.said, "tally": added({}, first.samples, to_slot=2)}
    older = stored(NOON + 1, logins=9)  # by a clock that is ahead of ours
    assert look(job(older, earlier, seconds=5), gateway).said["source"] == GATEWAY
    for newer in (stored(NOON + 1), stored(NOON + 1, logins=11), stored(NOON + 9, logins=2)):
        assert look(job(newer, earlier, seconds=10), gateway).said["source"] == COLLECTOR


def test_no_login_is_counted_twice_when_the_source_changes() -> None:
    tally: dict[str, Any] = {}
    said: Mapping[str, Any] = {}
    turns = [(stored(NOON), 0), (None, 14), (stored(NOON + 10, logins=17), 0), (stored(NOON + 10, logins=17), 0)]
    for turn, (measured, logins) in enumerate(turns):
        found = look(job(measured, said, seconds=5.0 * turn), Gateway(logins=logins))
        said, tally = found.said, added(tally, found.samples, to_slot=2)
    logins_seen = summed([tally], new=NEW, old=OLD).rates["logins"]
    assert (logins_seen.canary.tried, logins_seen.control.tried) == (7, 7)


def test_a_probe_that_is_banned_counts_for_nothing_and_is_told() -> None:
    found = look(job(stored(NOON, banned_ours=1)), Gateway(ok=False))
    assert [sample.values["probe_ok"] for sample in found.samples] == [None, None]
    assert "slot 1 and 2 of gw-1 has banned our own login probe" in found.said["blind"]
    assert look(job(stored(NOON, banned_ours=1)), Gateway()).said["blind"] == "", "another probe of ours was"


def test_a_slot_that_does_not_answer_is_told() -> None:
    found = look(job(None), Gateway(slots=(1,)))
    assert found.said["blind"] == "The ocserv in slot 2 of gw-1 does not answer: nothing is known of it."
    assert look(job(None), Gateway(slots=(2,))).said["blind"] == ""


@pytest.mark.parametrize(
    ("canary", "control", "seconds"),
    [(0, 0, 5.0), (1, 0, 1.0), (4, 0, 1.0), (5, 0, 5.0), (2, 1, 5.0)],
)
def test_after_a_failed_login_one_looks_again_soon(canary: int, control: int, seconds: float) -> None:
    assert again({"canary": {"run": canary}, "control": {"run": control}}, 5.0) == seconds
    assert again({"canary": {"run": canary}, "control": {"run": control}}, 0.5) == 0.5
