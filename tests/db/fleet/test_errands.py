"""Errands: claimed once, asked until done, on the record; who has not followed yet is a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent
from fleet import errands, ports
from fleet.errors import GiveUp
from fleet.gateways.memory import MemoryFleet
from fleet.models import Errand, Gateway, Pool

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
State = Errand.State
OLA = Actor(kind="person", name="ola", user_id=1)


class Yard:
    """Two gateways in memory with their rows, and a clock that the test turns."""

    def __init__(self) -> None:
        self.now = START
        self.memory = MemoryFleet(clock=lambda: self.now.timestamp(), sleep=lambda _: None)
        pool = Pool.objects.create(name="eu-west")
        self.rows = [self.gateway(name, pool) for name in ("gw-1", "gw-2")]

    def gateway(self, name: str, pool: Pool) -> Gateway:
        self.memory.add(name)
        return Gateway.objects.create(name=name, pool=pool, adapter="memory", address=name)

    def clock(self) -> datetime:
        return self.now

    def open(self, row: Gateway) -> ports.Gateway:
        return self.memory.open(row.name)

    def send(self, subject: str = "signer:3", kind: str = "restore") -> list[Errand]:
        with transaction.atomic():
            errands.send(self.rows, kind, subject=subject, args={"id": 3}, now=self.now)
        return list(errands.behind(subject))

    def run(self, errand: Errand, owner: str = "worker") -> Errand | None:
        return errands.run(errand.pk, owner=owner, opener=self.open, clock=self.clock)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def yard(transactional_db: Any) -> Iterator[Yard]:
    kinds = {"restore": put_back, "refused": refused, "broken": broken}
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in kinds.items():
            patch.setitem(errands.KINDS, name, kind)
        yield Yard()


def put_back(job: errands.Job, gateway: ports.Gateway) -> str:
    """A verb with a fence, as every kind's is."""
    gateway.restore("committed", fence=job.fence)
    return f"{job.gateway.name} did {job.args['id']} for {job.subject}."


def refused(job: errands.Job, gateway: ports.Gateway) -> str:
    raise GiveUp(f"{job.gateway.name} does not want it.", code="not_allowed")


def broken(job: errands.Job, gateway: ports.Gateway) -> str:
    raise KeyError("serial")


def verbs() -> list[str]:
    return list(AuditEvent.objects.values_list("verb", flat=True))


def test_each_gateway_follows_and_the_record_says_so(yard: Yard) -> None:
    first, second = yard.send()
    assert errands.due(yard.now) == [first.pk, second.pk]
    settled = yard.run(first)
    assert settled is not None
    assert (settled.state, settled.say) == (State.DONE, "gw-1 did 3 for signer:3.")
    assert [errand.gateway.name for errand in errands.behind("signer:3")] == ["gw-2"]
    assert verbs() == ["errand.sent", "errand.done"]


def test_a_second_worker_finds_nothing(yard: Yard) -> None:
    errand, _ = yard.send()
    assert errands.claim(errand.pk, owner="one", now=yard.now) is not None
    assert errands.claim(errand.pk, owner="two", now=yard.now) is None
    assert errand.pk not in errands.due(yard.now)


def test_one_whose_owner_went_silent_is_taken_over_with_a_higher_fence(yard: Yard) -> None:
    errand, _ = yard.send()
    first = errands.claim(errand.pk, owner="one", now=yard.now)
    yard.later(errands.LEASE_SECONDS + 1)
    assert errand.pk in errands.due(yard.now)
    second = errands.claim(errand.pk, owner="two", now=yard.now)
    assert first is not None
    assert second is not None
    assert second.fence > first.fence


def test_who_lost_the_lease_reports_nothing(yard: Yard) -> None:
    errand, _ = yard.send()

    def slow(job: errands.Job, gateway: ports.Gateway) -> str:
        yard.later(errands.LEASE_SECONDS + 1)
        assert errands.claim(errand.pk, owner="two", now=yard.now)
        return "Done, too late."

    errands.KINDS["restore"] = slow
    assert yard.run(errand) is None
    errand.refresh_from_db()
    assert (errand.state, errand.owner, errand.say) == (State.CLAIMED, "two", "")


def test_progress_keeps_the_lease(yard: Yard) -> None:
    errand, _ = yard.send()

    def long(job: errands.Job, gateway: ports.Gateway) -> str:
        for part in range(1, 4):
            yard.later(errands.LEASE_SECONDS - 1)
            job.progress("bundle", part, 3)
        assert errand.pk not in errands.due(yard.now)
        return "Done."

    errands.KINDS["restore"] = long
    settled = yard.run(errand)
    assert settled is not None
    assert settled.state == State.DONE


def test_no_answer_is_asked_for_without_end_and_ever_more_seldom(yard: Yard) -> None:
    errand, _ = yard.send()
    yard.memory.open("gw-1").faults.unreachable = True
    waits = []
    for _ in range(7):
        settled = yard.run(errand)
        assert settled is not None
        assert settled.state == State.DUE
        waits.append((settled.due_at - yard.now).total_seconds())
        yard.now = settled.due_at
    assert waits == [5, 15, 60, 120, 300, 300, 300]
    yard.memory.open("gw-1").faults.unreachable = False
    assert getattr(yard.run(errand), "state", "") == State.DONE


@pytest.mark.parametrize(
    ("kind", "say"),
    [
        ("refused", "gw-1 does not want it."),
        ("broken", "A fault of ours: KeyError: 'serial'. The log has the whole."),
    ],
)
def test_a_no_and_a_bug_end_it_with_the_sentence(yard: Yard, kind: str, say: str) -> None:
    errand, _ = yard.send(kind=kind)
    yard.run(errand)
    errand.refresh_from_db()
    assert (errand.state, errand.say) == (State.FAILED, say)
    assert errand.pk not in errands.due(yard.now + timedelta(days=1))
    assert errand in errands.behind("signer:3")
    assert "errand.failed" in verbs()


def test_a_person_may_ask_for_a_refused_one_again_once(yard: Yard) -> None:
    errand, _ = yard.send(kind="refused")
    yard.run(errand)
    errands.again(errand, actor=OLA, now=yard.now)
    assert errand.pk in errands.due(yard.now)
    with pytest.raises(Refused, match="asked again already"):
        errands.again(errand, actor=OLA, now=yard.now)
    assert AuditEvent.objects.get(verb="errand.again").actor == "ola"


def test_the_newer_errand_replaces_the_older(yard: Yard) -> None:
    old, _ = yard.send()
    claimed = errands.claim(old.pk, owner="one", now=yard.now)
    new, _ = yard.send()
    assert claimed is not None
    assert new.pk != old.pk
    old.refresh_from_db()
    assert old.state == State.DROPPED
    assert yard.run(old) is None


def test_a_refused_one_is_replaced_too(yard: Yard) -> None:
    errand, _ = yard.send(kind="refused")
    yard.run(errand)
    yard.send(kind="refused")
    assert errands.behind("signer:3").count() == 2
    with pytest.raises(Refused):
        errands.again(errand, actor=OLA, now=yard.now)


@pytest.mark.parametrize("state", [Gateway.State.PROPOSED, Gateway.State.UNREACHABLE, Gateway.State.QUARANTINED])
def test_a_gateway_that_nobody_talks_to_is_not_asked_and_stays_on_the_list(yard: Yard, state: str) -> None:
    first, second = yard.send()
    Gateway.objects.filter(name="gw-1").update(state=state)
    assert errands.due(yard.now) == [second.pk]
    assert first in errands.behind("signer:3")


def test_one_that_left_is_not_waited_for(yard: Yard) -> None:
    _, second = yard.send()
    Gateway.objects.filter(name="gw-1").update(state=Gateway.State.LEFT)
    assert list(errands.behind("signer:3")) == [second]


def test_a_gateway_at_work_waits_unless_nothing_is_disturbed(yard: Yard) -> None:
    busy = [yard.rows[0].pk]
    _, second = yard.send()
    assert errands.due(yard.now, busy=busy) == [second.pk]
    crl = yard.send(kind="crl", subject="signer:4")[0]
    assert crl.pk in errands.due(yard.now, busy=busy)


def test_one_errand_a_gateway_at_a_time(yard: Yard) -> None:
    first, _ = yard.send()
    yard.send(subject="signer:4")
    assert len(errands.due(yard.now)) == 2
    assert errands.claim(first.pk, owner="one", now=yard.now)
    assert Gateway.objects.get(errands__in=errands.due(yard.now)).name == "gw-2"


def test_an_outdated_fence_is_drawn_anew(yard: Yard) -> None:
    errand, _ = yard.send()
    yard.memory.open("gw-1").machine.fence = 2
    assert getattr(yard.run(errand), "state", "") == State.DUE
    yard.later(60)
    yard.run(errand)
    yard.later(60)
    assert getattr(yard.run(errand) or Errand.objects.get(pk=errand.pk), "state", "") == State.DONE


def test_a_kind_that_this_worker_does_not_know_waits_for_one_that_does(yard: Yard) -> None:
    errand, _ = yard.send(kind="newer")
    assert getattr(yard.run(errand), "state", "") == State.DUE


def test_leases_of_the_gone_end_at_once(yard: Yard) -> None:
    errand, other = yard.send()
    errands.claim(errand.pk, owner="gone", now=yard.now)
    errands.claim(other.pk, owner="alive", now=yard.now)
    is_gone: Callable[[str], bool] = lambda owner: owner == "gone"  # noqa: E731
    assert errands.end_leases(is_gone, now=yard.now) == 1
    assert errands.due(yard.now) == [errand.pk]
