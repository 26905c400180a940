"""What becomes of drift: put back by one person, adopted by two, or gone over by a rollout that names it."""

from __future__ import annotations

import pytest
from guardian.shortcuts import assign_perm

from approvals import changes
from approvals.errors import Refused
from approvals.models import Request
from fleet import errands, remedies
from fleet.models import Errand
from tests.db.upgrader.test_drift import holdings, look, opened
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import services
from upgrader.states import R


def settle(fleet: Fleet) -> Errand:
    """Do the one errand that is due."""
    (due,) = errands.due(fleet.now())
    done = errands.run(due, owner="worker", opener=fleet.opener, clock=fleet.now)
    assert done is not None
    return done


def put_back(fleet: Fleet, code: str) -> Errand:
    assign_perm("fleet.enrol_gateway", fleet.ola, fleet.pool)
    who = fleet.who(fleet.ola)
    remedies.put_back(opened()[code], by=fleet.ola, actor=who, why="It was a slip.", now=fleet.now())
    return settle(fleet)


def test_an_edited_file_is_put_back_and_the_alert_ends(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "dns = 203.0.113.66\n"
    look(fleet)
    assert put_back(fleet, "conf").say == "ocserv.conf on gw-1 is as agreed again."
    assert "203.0.113.66" not in holdings(fleet).conf
    look(fleet)
    assert opened() == {}


def test_a_changed_release_is_put_back_from_the_repository(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.until(rollout, R.WAITING_PROMOTION)
    name = fleet.upgrades(rollout)[0].gateway.name
    assert name == "gw-1"
    look(fleet)
    holdings(fleet).trees[NEW] = "f" * 64
    look(fleet)
    assert put_back(fleet, "release").say == f"{NEW} on gw-1 is as its signers made it again."
    look(fleet)
    assert opened() == {}


def test_a_release_that_is_not_kept_here_can_not_be_brought_again(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).trees[OLD] = "f" * 64
    look(fleet)
    errand = put_back(fleet, "release")
    assert (errand.state, errand.say.partition(",")[0]) == ("failed", f"{OLD} is not in the repository")


def adopt(fleet: Fleet, code: str) -> None:
    for right, person in (("enrol_gateway", fleet.ola), ("approve_gateway", fleet.cal)):
        assign_perm(f"fleet.{right}", person, fleet.pool)
    who, cal = fleet.who(fleet.ola), fleet.who(fleet.cal)
    asked = remedies.adopt(opened()[code], by=fleet.ola, actor=who, why="It is right.", now=fleet.now())
    changes.decide(asked, by=fleet.cal, now=fleet.now(), actor=cal, yes=True, reason="", digest=asked.digest)


def test_an_adopted_file_is_the_agreed_one_from_then_on(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "max-clients = 9999\n"
    look(fleet)
    adopt(fleet, "conf")
    assert settle(fleet).state == "done"
    look(fleet)
    assert opened() == {}
    assert holdings(fleet).agreed == holdings(fleet).conf


def test_a_file_beyond_one_persons_word_is_no_question_of_adopting(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "connect-script = /tmp/evil\nmax-clients = 9\n"
    look(fleet)
    with pytest.raises(Refused, match=r"It changes connect-script, which .* Propose the file as a configuration"):
        adopt(fleet, "conf")
    assert not Request.objects.exists()


def test_what_a_hidden_line_changes_is_refused_by_the_gateway(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "connect-script = /tmp/evil\n"
    look(fleet)
    alert = opened()["conf"]
    alert.details["diff"] = "the first lines of a long difference"
    alert.save()
    adopt(fleet, "conf")
    errand = settle(fleet)
    assert errand.state == "failed"
    assert "approvers must sign" in errand.say
    assert set(opened()) == {"conf"}


def test_a_file_that_was_edited_again_since_is_not_adopted(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "max-clients = 9999\n"
    look(fleet)
    adopt(fleet, "conf")
    holdings(fleet).conf += "max-clients = 1\n"
    assert "is another one by now" in settle(fleet).say


def test_an_adopted_release_counts_on_this_gateway_only(fleet: Fleet) -> None:
    for name in ("gw-1", "gw-2"):
        look(fleet, name)
        holdings(fleet, name).trees[OLD] = "f" * 64
        look(fleet, name)
    adopt(fleet, "release")
    look(fleet)
    look(fleet, "gw-2")
    assert (set(opened()), set(opened("gw-2"))) == (set(), {"release"})


def test_a_rollout_goes_over_an_edited_file_that_the_plan_names(fleet: Fleet) -> None:
    look(fleet)
    holdings(fleet).conf += "max-clients = 9999\n"
    look(fleet)
    wish = {"release": fleet.release, "pool": fleet.pool, "strategy": fleet.strategy}
    rollout = services.draft(**wish, by=fleet.ola, now=fleet.now(), over_drift=True)  # type: ignore[arg-type]  # a dict's values are of one type to mypy
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    rollout.refresh_from_db()
    services.decide(rollout, yes=True, reason="", digest=rollout.digest, actor=fleet.who(fleet.cal), now=fleet.now())
    fleet.until(rollout, R.WAITING_PROMOTION)
    assert fleet.upgrades(rollout)[0].gateway.name == "gw-1"
    assert set(opened()) == {"conf"}
