"""The rows that bench/intake.py needs in its own database: who uploads, who signs, who downloads."""

from __future__ import annotations

from pathlib import Path

import pysequoia
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from approvals.models import Actor, User
from bench import goods
from fleet.models import Gateway, Pool
from releases import services
from releases import tickets as desk
from releases.models import Release, TrustedSigner

BENCH = Actor.machine("bench")


def releases(state: Path, key: pysequoia.Tsk, *, big: int, small: int) -> tuple[Path, Release]:
    """A folder with the release that is to come in, and the release that is here already."""
    certificate = key.extract_certificate()
    fingerprint = certificate.fingerprint.upper()
    TrustedSigner.objects.create(
        fingerprint=fingerprint, label="Bench", public_key=str(certificate), added_at=timezone.now()
    )
    here = goods.release(state / "goods/small", "1.0.0-1", key, size=small)
    taken = services.take_in(here, by=None, actor=BENCH, now=timezone.now())
    return goods.release(state / "goods/big", "1.0.0-2", key, size=big), taken


def signed_in() -> str:
    """The session of somebody who may add releases."""
    user = User.objects.create(username="bench")
    user.user_permissions.add(Permission.objects.get(codename="add_release"))
    client = Client()
    client.force_login(user)
    return client.cookies["session"].value


def tickets(release: Release, count: int) -> tuple[str, list[str]]:
    """The bundle's hash, and a ticket for each of so many gateways."""
    pool = Pool.objects.create(name="bench")
    gateways = Gateway.objects.bulk_create(
        Gateway(name=f"gw-{number}", pool=pool, calls_in=True) for number in range(count)
    )
    now = timezone.now()
    return release.sha256, [desk.issue(release, gateway, actor=BENCH, now=now) for gateway in gateways]
