"""Rows for the desks: gateways on their way in and out, credentials under rotation, and the test matrix."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission
from django.utils import timezone

from approvals import changes
from approvals.models import Actor, User
from fleet import rotation, sealed, sshca
from fleet.models import Gateway, KeyRotation
from releases.matrix import journal
from releases.models import MatrixCell, MatrixRun, Release
from tests import factories
from upgrader import plan

TEST = Actor.machine("lab")
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIGFub3RoZXIga2V5IHRoYW4gdGhlIHBpbm5lZCBvbmUh"
RATIO = {"kind": "ratio", "low": 0.94, "middle": 1.02, "high": 1.11, "most": 1.25}
PAIRS = [(41.2, 40.1), (44.8, 43.0), (39.9, 40.4), (42.5, 41.7), (47.1, 44.9), (40.3, 40.0), (43.9, 42.2)]
GROWTH = {"kind": "growth", "x": [16, 32, 48, 64], "new": [8.1e6, 9.2e6, 10.4e6, 11.5e6], "old": [8.0e6] * 4}
CELLS: dict[str, dict[str, tuple[str, str, dict[str, Any]]]] = {
    "functional": {
        "password": ("green", "2 of 2 logins with a password got an address.", {}),
        "certificate": ("green", "2 of 2 logins with a certificate got an address.", {}),
        "rekey": ("unclear", "The client left before the first new key: run it again.", {}),
    },
    "stress": {
        "login speed": ("green", "A login takes 1.02 of the old time, at most 1.25 is allowed.", RATIO),
        "memory growth": ("red", "Each 16 logins leave 1.1 MB behind, the old release none.", GROWTH),
    },
}


def _ran(release: Release, part: str, old: str) -> MatrixRun:
    now = timezone.now()
    run = journal.begin(release, part=part, upgraded_from=old, actor=TEST, now=now - timedelta(minutes=4))
    for test, (verdict, say, numbers) in CELLS[part].items():
        many = {"new": [new for new, _ in PAIRS * 4], "old": [old for _, old in PAIRS * 4]}
        said = numbers if numbers.get("kind") != "ratio" else numbers | many
        columns = {"log": f"{test}: begun\n{test}: {verdict}\n", "seconds": 12.5}
        MatrixCell.objects.create(run=run, test=test, verdict=verdict, say=say, numbers=said, **columns)
    return journal.finish(run, versions={"openconnect": "9.01 and 9.21"}, actor=TEST, now=now)


def matrix() -> int:
    """Two releases in the grid, one run under way; returns the cell with a curve."""
    old, new = (Release.objects.get(name=name) for name in ("1.3.0-2", "1.4.0-1"))
    _ran(old, "functional", "1.1.6-2")
    _ran(new, "functional", "1.3.0-2")
    run = _ran(new, "stress", "1.3.0-2")
    going = journal.begin(old, part="stress", upgraded_from="1.1.6-2", actor=TEST, now=timezone.now())
    journal.tell(going, "round 3 of 14", 3, 14, now=timezone.now())
    return run.cells.get(test="memory growth").pk


def quarantined() -> int:
    """It shows another host key than the pinned one."""
    row = factories.gateway("prg-gw-01", now=timezone.now(), on=factories.pool("drifted"))
    say = "It showed a host key that is not pinned."
    Gateway.objects.filter(pk=row.pk).update(
        state="quarantined", state_reason=say, seen_keys=[["ssh-ed25519", OTHER]], facts_at=timezone.now()
    )
    return row.pk


def left() -> int:
    """It left; ocgate is still on the machine."""
    row = factories.gateway("prg-gw-02", now=timezone.now(), on=factories.pool("drifted"))
    Gateway.objects.filter(pk=row.pk).update(state="left", state_reason="The site is given up.")
    return row.pk


def credentials() -> int:
    """The SSH key is being rotated; approvers have to sign. Returns the rotation."""
    people, now = factories.cast(), timezone.now()
    for name, codename in (("operator", "enrol_gateway"), ("oncall", "approve_gateway")):
        people[name].user_permissions.add(Permission.objects.get(codename=codename))
    sealed.seal("ssh-key", sshca.make(), now=now - timedelta(days=365))
    asked = rotation.propose("ssh-key", why="Yearly", by=people["operator"], actor=_actor(people["operator"]), now=now)
    by = people["oncall"]
    changes.decide(asked, by=by, actor=_actor(by), now=now, yes=True, reason="Due", digest=asked.digest)
    return KeyRotation.objects.get().pk


def warned() -> int:
    """A rollout that takes a drifted pool down to a lower release; it waits for on-call."""
    people, now = factories.cast(), timezone.now()
    where = factories.pool("drifted")
    factories.person("oncall", factories.ONCALL, where)
    made = factories.draft(people["operator"], to=Release.objects.get(name="1.3.0-2"), now=now, on=where)
    made.plan = {**made.plan, "downgrade": ["waw-gw-01", "waw-gw-02"]}
    made.digest = plan.digest(made.plan)
    made.save()
    factories.ask(made, people["operator"], now=now)
    return made.pk


def _actor(person: User) -> Actor:
    return Actor(kind="person", name=person.username, user_id=person.pk)
