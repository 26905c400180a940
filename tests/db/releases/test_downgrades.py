"""The word downgrade: drawn by one, signed by another with a key of his own, sent with the release, believed there."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from approvals import statement
from approvals.errors import Refused
from approvals.models import Actor, ApproverKey, AuditEvent, User
from fleet.ocgate import statement as on_the_gateway
from releases import downgrades
from releases.models import Downgrade, Release
from tests import factories
from tests.db.releases.cast import NOW

pytestmark = pytest.mark.django_db


class Cast:
    """The operator asks, on-call signs; both have a key."""

    def __init__(self, folder: Path) -> None:
        self.people, self.folder = factories.cast(), folder
        for name in ("operator", "oncall"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)], check=True
            )
            line = (folder / f"{name}.pub").read_text().strip()
            key = {"user": self.people[name], "public_key": line, "fingerprint": f"SHA256:{name}", "added_at": NOW}
            ApproverKey.objects.create(**key)

    def draw(self, release: Release, by: str = "operator") -> Downgrade:
        user = self.people[by]
        return downgrades.draw(release, by=user, actor=actor(user), now=NOW)

    def sign(self, row: Downgrade, by: str = "oncall", text: str = "") -> str:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "handover", "-f", str(self.folder / by)]
        said = subprocess.run(command, input=text or row.text, capture_output=True, text=True, check=True).stdout
        return downgrades.sign(row, said, actor=actor(self.people["operator"]), now=NOW)


def actor(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk)


@pytest.fixture
def people(tmp_path: Path) -> Cast:
    return Cast(tmp_path)


@pytest.fixture
def release() -> Release:
    """1.3.0-2, with something higher beside it."""
    factories.release("1.4.0-1", counter=1_004_000)
    return factories.release()


def test_it_reads_on_the_gateway_as_it_was_drawn(people: Cast, release: Release) -> None:
    row = people.draw(release)
    fields = on_the_gateway.parse(row.text, kind="downgrade", gateway="fra-gw-01", now=NOW.timestamp())
    assert fields["digest"] == release.digest
    assert people.draw(release) == row
    assert AuditEvent.objects.filter(verb="downgrade.drawn").count() == 1


def test_signed_by_another_it_goes_with_the_release(people: Cast, release: Release) -> None:
    row = people.draw(release)
    assert downgrades.signed(release, now=NOW) == ()
    for _ in range(2):
        assert people.sign(row) == "oncall"
    (said,) = downgrades.signed(release, now=NOW)
    assert (said.text, [name for name, _ in said.signatures]) == (row.text, ["oncall.sig"])
    assert AuditEvent.objects.filter(verb="downgrade.signed").count() == 1
    assert downgrades.signed(release, now=NOW + timedelta(days=31)) == ()


def test_as_many_must_sign_as_gateways_ask_for(people: Cast, release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "NEEDED", [lambda: 2])
    row = people.draw(release)
    people.sign(row)
    row.refresh_from_db()
    assert downgrades.lacking(row) == "1 of 2 approvers has signed it; gateways ask for 2, so 1 more must sign."
    assert downgrades.signed(release, now=NOW) == ()


def test_who_may_not(people: Cast, release: Release) -> None:
    with pytest.raises(Refused, match="you lack the right releases.pass_release"):
        people.draw(release, "auditor")
    with pytest.raises(Refused, match="it needs no such word"):
        people.draw(Release.objects.get(name="1.4.0-1"))
    row = people.draw(release)
    with pytest.raises(Refused, match="operator asked for this downgrade; somebody else must sign it"):
        people.sign(row, "operator")
    with pytest.raises(Refused, match="not over this statement"):
        people.sign(row, text="another")
    with pytest.raises(Refused, match="This is no SSH signature"):
        downgrades.sign(row, "hello", actor=Actor.machine("test"), now=NOW)
    people.people["oncall"].user_permissions.clear()
    with pytest.raises(Refused, match="oncall may not approve downgrades"):
        people.sign(row)


def test_it_ends(people: Cast, release: Release) -> None:
    row = people.draw(release)
    with pytest.raises(Refused, match="The statement expired"):
        downgrades.sign(row, "x", actor=Actor.machine("test"), now=NOW + timedelta(days=31))
    assert downgrades.latest(release, now=NOW + timedelta(days=31)) is None
