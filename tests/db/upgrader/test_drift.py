"""The look at what is on a gateway: what is agreed comes from everywhere where it is written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.models import AuditEvent
from fleet import errands, stock
from fleet.errors import GiveUp
from fleet.gateways.holdings import Holdings
from fleet.models import Alert, Errand, Gateway
from releases.models import ConfigRevision, Release
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import drift
from upgrader.states import R


def look(fleet: Fleet, name: str = "gw-1") -> None:
    row = Gateway.objects.get(name=name)
    drift.look(row, opener=fleet.opener, now=fleet.now())


def opened(name: str = "gw-1") -> dict[str, Alert]:
    return {alert.code: alert for alert in Alert.objects.filter(gateway__name=name, ended_at=None)}


def holdings(fleet: Fleet, name: str = "gw-1") -> Holdings:
    return fleet.machines[name].machine.holdings


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def test_the_first_look_notes_how_it_is_once(fleet: Fleet) -> None:
    look(fleet)
    look(fleet)
    assert opened() == {}
    assert verbs() == ["agreement.noted"]
    row = Gateway.objects.get(name="gw-1")
    assert row.inventory_at == fleet.now()
    assert row.inventory["conf"]["path"] == "/etc/ocserv/ocserv.conf"


def test_an_edited_file_opens_one_alert_with_the_difference_and_who_was_there(fleet: Fleet) -> None:
    look(fleet)
    fleet.seconds += 300
    there = holdings(fleet)
    there.conf += "max-clients = 9999\n"
    there.logins = [
        {"user": "root", "from": "192.0.2.9", "at": fleet.seconds - 60, "until": 0.0},
        {"user": "backup", "from": "192.0.2.7", "at": fleet.seconds - 9000, "until": fleet.seconds - 8000},
    ]
    look(fleet)
    alert = opened()["conf"]
    assert "+max-clients = 9999" in alert.details["diff"]
    assert [login["user"] for login in alert.details["logins"]] == ["root"]
    assert verbs()[-1] == "alert.opened"


def test_the_same_drift_again_is_no_event_another_is(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "max-clients = 9999\n"
    look(fleet)
    look(fleet)
    assert verbs().count("alert.opened") == 1
    holdings(fleet).conf += "dpd = 1\n"
    look(fleet)
    assert verbs()[-1] == "alert.changed"
    assert "+dpd = 1" in opened()["conf"].details["diff"]
    assert Alert.objects.count() == 1


def test_it_ends_when_it_is_as_agreed_again(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "max-clients = 9999\n"
    look(fleet)
    holdings(fleet).conf = holdings(fleet).agreed
    look(fleet)
    assert opened() == {}
    assert Alert.objects.get().ended_why == "It is as agreed again."
    assert verbs()[-1] == "alert.ended"


def test_a_changed_file_of_a_release_and_a_strange_ocgate_are_two_alerts(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).trees[OLD] = "f" * 64
    holdings(fleet).ocgate_sha256 = "e" * 64
    look(fleet)
    assert set(opened()) == {"release", "ocgate"}


def test_the_tree_that_intake_computed_counts_from_the_start(fleet: Fleet) -> None:
    Gateway.objects.update(adapter="ssh")
    digest = fleet.machines["gw-1"].machine.releases[OLD][0]
    Release.objects.filter(pk=fleet.release.pk).update(name=OLD, digest=digest, tree="d" * 64)
    look(fleet)
    assert set(opened()) == {"release"}


def test_a_gateway_that_goes_where_a_rollout_sends_it_has_not_drifted(fleet: Fleet) -> None:
    Release.objects.filter(pk=fleet.release.pk).update(tree="d" * 64)
    rollout = fleet.started()
    look(fleet)
    fleet.until(rollout, R.WAITING_PROMOTION)
    first = fleet.upgrades(rollout)[0].gateway.name
    look(fleet, first)
    assert opened(first) == {}
    fleet.machines[first].restore("previous", fence=10_000)
    Gateway.objects.filter(name=first).update(release=OLD, facts_at=fleet.now() - timedelta(hours=1))
    look(fleet, first)
    assert opened(first) == {}  # the row's facts are from before the commit
    Gateway.objects.filter(name=first).update(facts_at=fleet.now())
    look(fleet, first)
    assert opened(first)["version"].say == f"{first} serves {OLD}; what was rolled out to it last is {NEW}."


def test_nothing_is_judged_while_a_rollout_works_on_it(fleet: Fleet) -> None:
    look(fleet)
    rollout = fleet.started()
    fleet.until_step(rollout, "check")
    busy = fleet.upgrades(rollout)[0].gateway.name
    holdings(fleet, busy).conf += "x = y\n"
    look(fleet, busy)
    assert opened(busy) == {}


def test_a_revision_that_people_agreed_to_is_no_drift(fleet: Fleet) -> None:
    look(fleet)
    there = holdings(fleet)
    there.conf = there.agreed = there.conf + "max-clients = 9999\n"
    look(fleet)
    assert set(opened()) == {"agreed"}
    sha = Gateway.objects.get(name="gw-1").inventory["conf"]["sha256"]
    columns = {"state": "agreed", "made_by": fleet.ola, "made_at": fleet.now(), "masked": ""}
    ConfigRevision.objects.create(pool=fleet.pool, number=1, sha256=sha, **columns)
    look(fleet)
    assert opened() == {}


def test_what_an_errand_brings_about_is_agreed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def authorize(job: errands.Job, gateway: object) -> str:
        holdings(fleet).authorized_keys = ["ssh-ed25519 BBBB controller"]
        job.agreed("keys", holdings(fleet).authorized_keys_sha256)
        return "gw-1 lets the new key in."

    look(fleet)
    monkeypatch.setitem(errands.KINDS, "authorize", authorize)
    errands.send(Gateway.objects.filter(name="gw-1"), "authorize", subject="key:2", args={}, now=fleet.now())
    errands.run(Errand.objects.get().pk, owner="worker", opener=fleet.opener, clock=fleet.now)
    look(fleet)
    assert opened() == {}
    holdings(fleet).authorized_keys.append("ssh-ed25519 CCCC somebody")
    look(fleet)
    assert set(opened()) == {"keys"}


def test_while_an_errand_is_on_its_way_the_part_is_late_not_drifted(fleet: Fleet) -> None:
    look(fleet)
    errands.send(Gateway.objects.filter(name="gw-1"), "trust", subject="trust", args={}, now=fleet.now())
    holdings(fleet).pins.threshold = 2
    look(fleet)
    assert opened() == {}


def test_a_gateway_that_gives_no_inventory_is_said_not_passed_over(fleet: Fleet) -> None:
    class Old:
        """An ocgate from before the verb."""

        def inventory(self) -> None:
            raise GiveUp("gw-1: unknown verb inventory.", code="bad_request")

        def close(self) -> None: ...

    drift.look(Gateway.objects.get(name="gw-1"), opener=lambda _: Old(), now=fleet.now())  # type: ignore[arg-type,return-value]  # only what is asked of it
    assert "can't say what is on it" in opened()["inventory"].say
    look(fleet)
    assert opened() == {}


def test_a_silent_gateway_changes_nothing(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "x = y\n"
    look(fleet)
    fleet.machines["gw-1"].faults.unreachable = True
    look(fleet)
    assert set(opened()) == {"conf"}


def test_the_oldest_are_asked_first_and_not_all_at_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "AT_LEAST", 2)
    rows = {row.name: row.pk for row in Gateway.objects.all()}
    old = fleet.now() - timedelta(seconds=400)
    Gateway.objects.filter(name="gw-2").update(inventory_at=old)
    Gateway.objects.filter(name="gw-3").update(inventory_at=old - timedelta(seconds=1))
    assert stock.due(fleet.now(), every=300) == [rows["gw-1"], rows["gw-3"]]
    assert stock.due(fleet.now(), every=300, busy=[rows["gw-1"]]) == [rows["gw-3"], rows["gw-2"]]
    assert stock.due(fleet.now(), every=500) == [rows["gw-1"]]
