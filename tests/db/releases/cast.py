"""Ola adds releases; Li and Kim sign them; nobody knows Eve."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, User
from releases import services, signers
from releases.models import Release, Signature, TrustedSigner
from tests.unit.releases import desk

NOW = datetime.now(UTC)  # the desk's keys and signatures are made by the real clock
OLA = Actor(kind="person", name="ola", user_id=1)


def trust(name: str) -> TrustedSigner:
    return signers.trust(signers.read(desk.public(desk.key(name)), label=name.title(), now=NOW), actor=OLA, now=NOW)


def take_in(folder: Path, by: User | None = None) -> Release:
    return services.take_in(folder, by=by, actor=OLA, now=NOW)


def refused(folder: Path, repository: Path) -> str:
    """Take in, be refused, find nothing left behind but the event; return the sentence."""
    before = (Release.objects.count(), Signature.objects.count(), kept(repository))
    with pytest.raises(Refused) as refusal:
        take_in(folder)
    assert (Release.objects.count(), Signature.objects.count(), kept(repository)) == before
    last = AuditEvent.objects.last()
    assert last is not None
    assert (last.verb, last.actor, last.reason) == ("release.refused", "ola", refusal.value.say)
    return refusal.value.say


def kept(repository: Path) -> list[Path]:
    return sorted(repository.rglob("*"))
