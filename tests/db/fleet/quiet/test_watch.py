"""A round over readings: what lasts is found, called out and ended; each with its event."""

from __future__ import annotations

import pytest
from django.utils import timezone

from approvals.models import AuditEvent
from bench.anomaly_series import BEGIN, HOUR, Fault, Scene, Town, town
from fleet.metrics.store import insert
from fleet.models import Alert, Gateway, QuietLoss, QuietWatch, Reading
from fleet.quiet import journal, pace, selectors, watch
from fleet.quiet.bins import Line, widened
from tests.db.fleet.metrics.test_rollup import COLUMNS
from tests.db.fleet.metrics.test_store import gateways
from upgrader import calls

pytestmark = pytest.mark.django_db
LEAK = Scene((Fault("rss_bytes", hourly=0.03),), wrong=True, peers=3, past=24)
OLD, NEW = (1, "1.4.2"), (2, "1.5.0")


def kept(gateway: Gateway, line: Line, key: tuple[int, str]) -> None:
    """Readings as the collector's roll-ups leave them."""
    for span, bins in ((60, line), (pace.HOUR, widened(line, pace.HOUR))):
        rows = []
        for each in bins:
            place = {"gateway_id": gateway.pk, "span": span, "at": each.at, "slot": key[0], "release": key[1]}
            rows.append({**dict.fromkeys(COLUMNS), **each.values, "seconds": each.seconds, **place})
        insert(Reading, rows, skip=False)


def fleet(seen: Town, *, until: int) -> list[Gateway]:
    """The first one got the new release at BEGIN; the others kept the old one."""
    fleet = gateways(1 + len(seen.peers))
    kept(fleet[0], [each for each in seen.gateway if each.at < BEGIN], OLD)
    kept(fleet[0], [each for each in seen.gateway if BEGIN <= each.at < until], NEW)
    for gateway, line in zip(fleet[1:], seen.peers, strict=True):
        kept(gateway, [each for each in line if each.at < until], OLD)
    return fleet


@pytest.fixture
def leaking() -> Gateway:
    return fleet(town("one", LEAK), until=BEGIN + 14 * HOUR)[0]


def test_what_is_found_at_two_looks_is_a_loss_with_its_event(leaking: Gateway) -> None:
    assert watch.look(BEGIN + 10 * HOUR) == 0
    assert "memory" in QuietWatch.objects.get(pk=leaking.pk).found
    assert watch.look(BEGIN + 11 * HOUR) == 1
    loss = QuietLoss.objects.get()
    assert (loss.gateway, loss.slot, loss.release, loss.measure) == (leaking, *NEW, "memory")
    assert loss.say.startswith(f"Memory a session on {leaking.name} ")
    assert "on 3 gateways of the pool that kept their release it does" in loss.say
    event = AuditEvent.objects.get(verb="quiet.found")
    assert (event.subject, event.reason) == (f"gateway:{leaking.pk}", loss.say)


def test_the_same_again_is_no_news_and_a_look_too_early_none(leaking: Gateway) -> None:
    for hours in (10, 11, 12):
        watch.look(BEGIN + hours * HOUR)
    looked = QuietWatch.objects.get(pk=leaking.pk).looked_at
    assert watch.look(BEGIN + 12 * HOUR + 60) == 0
    assert QuietWatch.objects.get(pk=leaking.pk).looked_at == looked
    assert AuditEvent.objects.filter(verb__startswith="quiet.").count() == 1


def test_a_loss_calls_a_person_until_it_has_ended(leaking: Gateway) -> None:
    for hours in (10, 11):
        watch.look(BEGIN + hours * HOUR)
    loss, now = QuietLoss.objects.get(), timezone.now()
    calls.note(now=now)
    alert = Alert.objects.get(kind="quiet")
    assert (alert.gateway, alert.say, alert.link) == (leaking, loss.say, f"/gateways/{leaking.pk}/#quiet")
    assert journal.end(loss, why=journal.GONE, now=now)
    assert not journal.end(loss, why=journal.GONE, now=now), "once"
    calls.note(now=now)
    assert Alert.objects.get(kind="quiet").ended_at == now


def test_a_release_that_was_rolled_back_has_no_loss_any_more(leaking: Gateway) -> None:
    for hours in (10, 11):
        watch.look(BEGIN + hours * HOUR)
    seen = town("one", Scene(peers=0, past=1))
    kept(leaking, [each for each in seen.gateway if BEGIN + 14 * HOUR <= each.at < BEGIN + 20 * HOUR], OLD)
    assert watch.look(BEGIN + 20 * HOUR) == 1
    why = QuietLoss.objects.get().ended_why
    assert why == f"1.5.0 does not serve new users on {leaking.name} any more; 1.4.2 does."


def test_a_gateway_that_tells_nothing_keeps_its_loss(leaking: Gateway) -> None:
    for hours in (10, 11):
        watch.look(BEGIN + hours * HOUR)
    assert watch.look(BEGIN + 40 * HOUR) == 0
    assert QuietLoss.objects.get().ended_at is None


def test_what_is_gone_at_two_looks_has_ended(leaking: Gateway) -> None:
    for hours in (10, 11):
        watch.look(BEGIN + hours * HOUR)
    Reading.objects.filter(gateway=leaking).update(rss_bytes=None)
    assert [watch.look(BEGIN + hours * HOUR) for hours in (12, 14)] == [0, 1]
    assert QuietLoss.objects.get().ended_why == journal.GONE


def test_nobody_is_called_where_nothing_is_wrong() -> None:
    calm = fleet(town("two", Scene(peers=3, past=24)), until=BEGIN + 14 * HOUR)[0]
    for hours in (10, 11, 12):
        watch.look(BEGIN + hours * HOUR)
    assert not QuietLoss.objects.exists()
    shown = selectors.of_gateway(calm)
    assert shown["quiet_word"].say == "No quiet loss"
    assert len(shown["quiet_lines"]) >= 8
