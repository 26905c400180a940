"""The SSH CA and another SSH key on a real gateway: sshd lets in what approvers signed for, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command

from approvals import changes
from approvals.models import Actor, ApproverKey, User
from fleet import errands, gateways, rotation, sealed, services, sshca
from fleet.errors import GiveUp
from fleet.gateways.dial import dial, private_key
from fleet.gateways.rows import target_of
from fleet.models import Gateway, KeyRotation
from fleet.sshca import Stamp
from lab.fleet import Lab
from tests import factories

pytestmark = [pytest.mark.gateway, pytest.mark.django_db(transaction=True)]
ACTOR = Actor.machine("test")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(gateways=1, users=1, say=lambda line: None) as built:
        yield built


@pytest.fixture
def gateway(lab: Lab) -> Iterator[Gateway]:
    call_command("gateway", "key", str(lab.controller_key))
    machine = lab.gateways[0]
    keys = [(line.split()[0], line.split()[1]) for line in machine.host_keys]
    about: dict[str, Any] = {"name": machine.name, "address": machine.address, "port": machine.port, "host_keys": keys}
    yield services.enrol(pool=factories.pool(), actor=ACTOR, now=now(), **about)
    gateways.close_all()


@pytest.fixture
def approver(lab: Lab) -> User:
    """The lab's approver, whose key its gateways have pinned; he confirms changes too."""
    user = factories.person("approver")
    user.user_permissions.add(Permission.objects.get(codename="approve_gateway"))
    public = lab.builder.signer.approver_key.with_suffix(".pub").read_text().strip()
    ApproverKey.objects.create(user=user, public_key=public, fingerprint="SHA256:lab", added_at=now())
    return user


def now() -> datetime:
    return datetime.now(UTC)


def begun(kind: str, lab: Lab, approver: User) -> KeyRotation:
    """Asked by one, confirmed by another, both statements signed with the approver's own key."""
    ola = factories.person("ola")
    ola.user_permissions.add(Permission.objects.get(codename="enrol_gateway"))
    asked = rotation.propose(kind, by=ola, actor=ACTOR, now=now())
    who: dict[str, Any] = {"by": approver, "actor": Actor("person", "approver", approver.pk), "now": now()}
    changes.decide(asked, yes=True, reason="", digest=asked.digest, **who)
    row = KeyRotation.objects.get(kind=kind)
    for stage in ("both", "only"):
        signature = lab.builder.signer.approve(getattr(row, stage)["text"])["text"]
        rotation.sign(row, stage, signature, actor=ACTOR, now=now())
    return row


def follow(row: KeyRotation) -> None:
    """Run what is due; every gateway must have followed."""
    later = now() + timedelta(seconds=1)
    for pk in errands.due(later):
        done = errands.run(pk, owner="test", opener=gateways.open, clock=now)
        assert done is not None
        assert done.state == "done", done.say
    gateways.close_all()
    assert not rotation.not_followed(row).exists()


def let_in(gateway: Gateway, key: Any) -> bool:
    try:
        dial(target_of(gateway), key).close()
    except GiveUp as refused:
        if refused.code != "auth_refused":
            raise
        return False
    return True


def test_a_ca_beside_the_key_and_then_another_key(lab: Lab, gateway: Gateway, approver: User) -> None:
    row = begun("ssh-ca", lab, approver)
    follow(row)
    ca = sealed.unseal("ssh-ca")
    gateway.refresh_from_db()
    assert gateway.ssh_ca
    assert services.look(gateway, now=now())  # by certificate from here on
    assert let_in(gateway, sshca.certified(ca, Stamp(gateway.name, "test", now())))
    assert not let_in(gateway, sshca.certified(ca, Stamp("another-gw", "test", now())))
    assert not let_in(gateway, sshca.certified(sshca.make(), Stamp(gateway.name, "test", now())))
    rotation.switch(row, actor=ACTOR, now=now())
    follow(row)
    rotation.finish(row, actor=ACTOR, now=now())
    old = private_key(sealed.unseal("ssh-key"))
    row = begun("ssh-key", lab, approver)
    follow(row)
    assert let_in(gateway, old)
    rotation.switch(row, actor=ACTOR, now=now())
    follow(row)
    assert let_in(gateway, private_key(sealed.unseal("ssh-key")))
    assert not let_in(gateway, old)
    assert services.look(Gateway.objects.get(pk=gateway.pk), now=now())
