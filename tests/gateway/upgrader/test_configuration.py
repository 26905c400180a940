"""A configuration goes to a real gateway by a rollout, and comes back, while the users stay where they are."""

from __future__ import annotations

from guardian.shortcuts import assign_perm

from releases import configs
from releases.models import ConfigRevision
from tests.db.upgrader.world import NEW, OLD
from tests.gateway.upgrader.world import RealFleet, Users

FILE = "/etc/ocserv/ocserv.conf"


def file(fleet: RealFleet) -> str:
    return fleet.machine.run(["cat", FILE])


def revision(fleet: RealFleet, old: str, new: str) -> ConfigRevision:
    """The file as it is, and one line of it changed: one person's word is enough."""
    assign_perm("propose_config", fleet.ola, fleet.pool)
    assert fleet.look()
    place, actor, first = configs.Place(fleet.pool), fleet.who(fleet.ola), file(fleet)
    configs.propose(place, first, note="as it is", by=fleet.ola, actor=actor, now=fleet.now())
    text = first.replace(old, new)
    return configs.propose(place, text, note="quicker", by=fleet.ola, actor=actor, now=fleet.now())


def test_a_reload_and_back(fleet: RealFleet, users: Users) -> None:
    before = file(fleet)
    fleet.take(OLD)
    row = revision(fleet, "dpd = 90", "dpd = 80")
    rollout = fleet.started(row)
    assert rollout.plan["config"]["way"] == "reload"
    fleet.go(rollout, "done")
    assert file(fleet) == configs.text_of(row)
    assert [step.name for step in fleet.upgrade(rollout).steps.all()][-2:] == ["observe", "commit"]
    fleet.act("roll_back", rollout)
    fleet.go(rollout, "rolled_back")
    assert file(fleet) == before
    users.assert_unhurt()


def test_with_a_new_release_and_back(fleet: RealFleet, users: Users) -> None:
    before = file(fleet)
    fleet.take(NEW)
    row = revision(fleet, "keepalive = 32400", "keepalive = 3000")
    rollout = fleet.started(row)
    fleet.go(rollout, "draining")
    assert file(fleet) == configs.text_of(row)
    fleet.act("roll_back", rollout)
    fleet.go(rollout, "rolled_back")
    assert file(fleet) == before
    users.assert_unhurt()
