"""Another SSH key for all: two people, approvers' own signatures, nobody cut off, and who has not followed yet."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from approvals import changes, statement
from approvals.errors import Refused
from approvals.models import Actor, ApproverKey, AuditEvent, Request, User
from fleet import errands, gateways, rotation, sealed, sshca
from fleet.gateways.dial import public_line
from fleet.gateways.rows import tampering
from fleet.models import Errand, Gateway, KeyRotation
from fleet.ocgate import authorize
from fleet.ocgate.install import PROGRAM
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)  # the simulated gateways have a clock of their own, and statements expire
ACTOR: dict[str, Any] = {"actor": Actor.machine("test"), "now": NOW}


def everywhere(user: User, right: str) -> None:
    """Grant a right on all pools."""
    app, _, codename = right.partition(".")
    user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))


def tmp_key(path: Path, user: User) -> Path:
    """A key for statements that counts as this person's."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    public = path.with_suffix(".pub").read_text().strip()
    ApproverKey.objects.create(user=user, public_key=public, fingerprint=f"SHA256:{path.name}", added_at=NOW)
    return path


class Cast:
    """Ola asks, Ines confirms and has a key of her own for statements."""

    def __init__(self, folder: Path) -> None:
        self.ola, self.ines = factories.person("ola"), factories.person("ines")
        everywhere(self.ola, "fleet.enrol_gateway")
        everywhere(self.ines, "fleet.approve_gateway")
        self.key = tmp_key(folder / "ines", self.ines)

    def begin(self, kind: str) -> KeyRotation:
        asked = rotation.propose(kind, by=self.ola, **ACTOR)
        self.confirm(asked)
        return KeyRotation.objects.latest("pk")

    def confirm(self, asked: Request) -> None:
        actor = Actor("person", "ines", self.ines.pk)
        changes.decide(asked, by=self.ines, now=NOW, actor=actor, yes=True, reason="", digest=asked.digest)

    def signature(self, text: str, *, namespace: str = "handover", key: Path | None = None) -> str:
        words = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(key or self.key)]
        return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout

    def sign(self, row: KeyRotation) -> KeyRotation:
        for stage in ("both", "only"):
            rotation.sign(row, stage, self.signature(getattr(row, stage)["text"]), **ACTOR)
        return row


@pytest.fixture
def cast(tmp_path: Path) -> Cast:
    sealed.seal("ssh-key", sshca.make())
    return Cast(tmp_path)


@pytest.fixture
def fleet() -> list[Gateway]:
    """Two simulated gateways that have pinned Ines's key."""
    rows = [factories.gateway(name) for name in ("a-gw", "b-gw")]
    Gateway.objects.update(adapter="memory", facts={}, labels={"simulate": {"pace": 0}})
    rows = [Gateway.objects.get(pk=row.pk) for row in rows]
    for row in rows:
        with tampering(row) as machine:
            machine.holdings.pins.approvers.append("ines")
    return rows


def run_errands() -> None:
    for pk in errands.due(NOW + timedelta(hours=1)):
        errands.run(pk, owner="test", opener=gateways.open, clock=lambda: NOW + timedelta(hours=1))


def lets_in(gateway: Gateway) -> list[str]:
    with tampering(gateway) as machine:
        return [
            line.split()[1] if line.startswith("ssh") else line.split()[2] for line in machine.holdings.authorized_keys
        ]


def blob(name: str) -> str:
    return public_line(sealed.unseal(name)).split()[1]


def test_from_the_old_key_to_the_new_one(cast: Cast, fleet: list[Gateway]) -> None:
    old = blob("ssh-key")
    row = cast.sign(cast.begin("ssh-key"))
    new = blob("ssh-key-next")
    assert [gateway.name for gateway in rotation.not_followed(row)] == ["a-gw", "b-gw"]
    run_errands()
    assert [lets_in(gateway) for gateway in fleet] == [[old, new]] * 2
    assert blob("ssh-key") == old
    rotation.switch(row, **ACTOR)
    assert (blob("ssh-key"), sealed.unseal_or_none("ssh-key-next")) == (new, None)
    with pytest.raises(Refused, match="still lets the old one in"):
        rotation.finish(row, **ACTOR)
    run_errands()
    assert [lets_in(gateway) for gateway in fleet] == [[new]] * 2
    rotation.finish(row, **ACTOR)
    assert KeyRotation.objects.get().state == "done"


def test_nobody_is_cut_off_without_a_second_person_naming_him(cast: Cast, fleet: list[Gateway]) -> None:
    row = cast.sign(cast.begin("ssh-key"))
    Gateway.objects.filter(name="b-gw").update(state="unreachable")
    run_errands()
    assert [gateway.name for gateway in rotation.not_followed(row)] == ["b-gw"]
    with pytest.raises(Refused, match="b-gw would be cut off"):
        rotation.switch(row, **ACTOR)
    asked = rotation.propose_switch(row, by=cast.ola, why="Its site burnt down", **ACTOR)
    assert asked.summary["title"].endswith("without b-gw")
    cast.confirm(asked)
    row.refresh_from_db()
    assert (row.state, row.left_behind) == ("cleaning", ["b-gw"])


def test_who_came_since_is_not_forgotten(cast: Cast, fleet: list[Gateway]) -> None:
    row = cast.sign(cast.begin("ssh-key"))
    run_errands()
    asked = rotation.propose_switch(row, by=cast.ola, why="", **ACTOR)
    factories.gateway("c-gw")
    with pytest.raises(Refused, match="c-gw would be cut off"):
        rotation.switch(row, **ACTOR)
    with pytest.raises(Refused, match="c-gw would be left behind too"):
        cast.confirm(asked)
    assert rotation.ask_again(row, **ACTOR) == 1


def test_before_approvers_signed_no_gateway_is_told(cast: Cast, fleet: list[Gateway]) -> None:
    row = cast.begin("ssh-key")
    for wrong in ("", "-----BEGIN", cast.signature("another text"), cast.signature(row.both["text"], namespace="git")):
        with pytest.raises(Refused):
            rotation.sign(row, "both", wrong, **ACTOR)
    rotation.sign(row, "both", cast.signature(row.both["text"]), **ACTOR)
    assert not Errand.objects.exists()
    with pytest.raises(Refused, match="have not signed yet"):
        rotation.propose_switch(row, by=cast.ola, why="", **ACTOR)


def test_as_many_must_sign_as_gateways_ask_for(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "NEEDED", [lambda: 2])
    row = cast.sign(cast.sign(cast.begin("ssh-key")))
    assert (row.state, len(row.both["signatures"])) == ("signing", 1)
    assert rotation.lacking(row, "only").endswith("gateways ask for 2, so 1 more must sign.")
    ola = tmp_key(cast.key.parent / "ola", cast.ola)
    for stage in ("both", "only"):
        rotation.sign(row, stage, cast.signature(getattr(row, stage)["text"], key=ola), **ACTOR)
    assert [name for name, _ in row.both["signatures"]] == ["ines.sig", "ola.sig"]
    assert row.state == "spreading"


def test_a_key_that_counts_no_more_signs_nothing(cast: Cast) -> None:
    row = cast.begin("ssh-key")
    ApproverKey.objects.update(active=False)
    with pytest.raises(Refused, match="Nobody has a key"):
        statement.signed(row.both["text"], cast.signature(row.both["text"]))


def test_the_first_ca_goes_beside_the_key_and_is_then_used(cast: Cast, fleet: list[Gateway]) -> None:
    row = cast.sign(cast.begin("ssh-ca"))
    assert row.both["keys"] == row.only["keys"]
    run_errands()
    assert [lets_in(gateway) for gateway in fleet] == [[blob("ssh-key"), blob("ssh-ca")]] * 2
    assert all(gateway.ssh_ca for gateway in Gateway.objects.all())


def test_the_second_ca_comes_beside_the_first(cast: Cast, fleet: list[Gateway]) -> None:
    sealed.seal("ssh-ca", sshca.make())
    first, key = blob("ssh-ca"), blob("ssh-key")
    row = cast.sign(cast.begin("ssh-ca"))
    second = blob("ssh-ca-next")
    run_errands()
    assert lets_in(fleet[0]) == [key, first, second]
    rotation.switch(row, **ACTOR)
    run_errands()
    assert (lets_in(fleet[0]), blob("ssh-ca")) == ([key, second], second)


def test_each_statement_is_newer_than_all_before_it(cast: Cast) -> None:
    rows = [cast.begin("ssh-ca"), cast.begin("ssh-key")]
    made = [json.loads(stage["text"])["made"] for row in rows for stage in (row.both, row.only)]
    assert made == sorted(set(made))


def test_one_at_a_time_and_only_with_the_right(cast: Cast) -> None:
    with pytest.raises(Refused, match="lack the right"):
        rotation.propose("ssh-key", by=cast.ines, **ACTOR)
    with pytest.raises(Refused, match="no root-password to rotate"):
        rotation.propose("root-password", by=cast.ola, **ACTOR)
    cast.begin("ssh-key")
    with pytest.raises(Refused, match="under way"):
        rotation.propose("ssh-key", by=cast.ola, **ACTOR)


def test_no_secret_is_in_the_record_or_the_row(cast: Cast, fleet: list[Gateway]) -> None:
    row = cast.sign(cast.begin("ssh-key"))
    said = json.dumps([row.both, row.only]) + "".join(AuditEvent.objects.values_list("body", flat=True))
    for name in ("ssh-key", "ssh-key-next"):
        for line in sealed.unseal(name).decode().splitlines()[1:-1]:
            assert line not in said
    assert blob("ssh-key") in said


def test_the_first_key_needs_no_gateway_to_follow() -> None:
    ola, ines = factories.person("ola"), factories.person("ines")
    everywhere(ola, "fleet.enrol_gateway")
    everywhere(ines, "fleet.approve_gateway")
    asked = rotation.propose("ssh-key", by=ola, **ACTOR)
    actor = Actor("person", "ines", ines.pk)
    changes.decide(asked, by=ines, now=NOW, actor=actor, yes=True, reason="", digest=asked.digest)
    assert sealed.unseal_or_none("ssh-key")
    assert not KeyRotation.objects.exists()


def test_a_gateway_that_was_installed_with_the_ca_is_reached_by_certificate(cast: Cast, fleet: list[Gateway]) -> None:
    sealed.seal("ssh-ca", sshca.make())
    gateway = fleet[0]
    lines = [
        f"{public_line(sealed.unseal('ssh-key'))} handover",
        f"{sshca.trusted_line(sealed.unseal('ssh-ca'))} handover",
    ]
    text = "".join(authorize.line(one, program=PROGRAM, gateway=gateway.name) for one in lines)
    rotation.note_trust_in_ca(gateway, hashlib.sha256(text.replace(gateway.name, "another").encode()).hexdigest())
    assert not Gateway.objects.get(pk=gateway.pk).ssh_ca
    rotation.note_trust_in_ca(gateway, hashlib.sha256(text.encode()).hexdigest())
    assert Gateway.objects.get(pk=gateway.pk).ssh_ca
