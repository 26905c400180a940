"""The rows of bench/crowd.py in its own database: a fleet, people, a strategy; and a rollout that was approved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pysequoia
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm

from approvals.models import Actor, User
from bench.streets import Streets
from fleet import sealed
from fleet.gateways.dial import public_line
from fleet.models import Channel, Gateway, HostKey, Pool
from lab.demo import simulated
from releases import services as releases
from releases.models import Release, TrustedSigner
from upgrader import services
from upgrader.models import Budget, Rollout, Strategy

BENCH = Actor.machine("bench")
RIGHTS = {
    "asks": ("submit_rollout", "view_pool"),
    "approves": ("approve_rollout", "view_pool"),
}
SPEC: dict[str, Any] = {
    "kind": "rolling",
    "batch": {"percent": 5},
    "at_once": 1000,
    "observe_seconds": 0,
    "poll_seconds": 1,
    "trial_seconds": 300,
    "promote": "machine",
    "limits": {"login_success_min": 0.9, "min_logins": 1, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}


def ssh_key() -> str:
    """Make the controller's key and keep it sealed; its public line."""
    secret = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    sealed.seal("ssh-key", secret)
    return public_line(secret)


def a_release(folder: Path, name: str) -> Release:
    """A signed release of a few hundred bytes: what is measured is the controller, not the line."""
    key = pysequoia.Tsk.generate(simulated.OWNER)
    certificate = key.extract_certificate()
    fingerprint = certificate.fingerprint.upper()
    about = {"label": "Bench", "public_key": str(certificate), "added_at": timezone.now()}
    TrustedSigner.objects.create(fingerprint=fingerprint, **about)
    folder.mkdir(parents=True)
    return releases.take_in(simulated.publish(folder / name, name, key), by=None, actor=BENCH, now=timezone.now())


def people(pool: Pool) -> dict[str, User]:
    found = {}
    for name, rights in RIGHTS.items():
        found[name], _ = User.objects.get_or_create(username=name)
        for right in rights:
            assign_perm(right, found[name], pool)
    return found


def a_pool(name: str, streets: Streets) -> Pool:
    """A pool with a row for each gateway of the streets, as enrolment would have left it."""
    now = timezone.now()
    pool = Pool.objects.create(name=name, channel=Channel.CANDIDATE)
    Budget.objects.update_or_create(pool=None, defaults={"gateways_percent": 100, "made_at": now})
    common = {"pool": pool, "release": simulated.OLD, "facts_at": now, "inventory_at": now}
    with transaction.atomic():
        rows = Gateway.objects.bulk_create(
            Gateway(name=gateway, address=at, port=port, **common) for gateway, (at, port, _) in streets.where.items()
        )
        keys = {row.pk: streets.where[row.name][2].split() for row in rows}
        HostKey.objects.bulk_create(
            HostKey(gateway_id=pk, kind=words[0], key=words[1], pinned_at=now) for pk, words in keys.items()
        )
        for row in rows:
            sealed.seal(f"probe:{row.name}", b"probe\nsimulated", now=now)
    return pool


def a_rollout(pool: Pool, release: Release, spec: dict[str, Any] | None = None) -> Rollout:
    """Planned by one, not submitted yet."""
    strategy, _ = Strategy.objects.get_or_create(
        name=f"bench-{pool.name}", defaults={"spec": spec or SPEC, "title": "Bench"}
    )
    asks = people(pool)["asks"]
    return services.draft(release=release, pool=pool, strategy=strategy, by=asks, now=timezone.now())


def approve(rollout: Rollout) -> None:
    """Submitted by one, approved by the other: from here it runs."""
    cast, now = people(rollout.pool), timezone.now()
    asks, approves = (Actor("person", cast[name].username, cast[name].pk) for name in ("asks", "approves"))
    services.submit(rollout, actor=asks, seen_version=rollout.version, now=now)
    rollout.refresh_from_db()
    services.decide(rollout, yes=True, reason="Bench", digest=rollout.digest, actor=approves, now=now)
