"""Which pools and gateways a person may see, and which rights he holds on them. Reads only."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from approvals import rights as rights_of
from approvals.models import User
from fleet import sealed
from fleet.errors import GiveUp
from fleet.gateways.dial import public_line
from fleet.models import Credential, Errand, Gateway, Pool
from fleet.slots import GatewayView, view_of

TROUBLE = (Gateway.State.UNREACHABLE, Gateway.State.QUARANTINED)


def pools_with(user: User, codename: str) -> QuerySet[Pool]:
    """Pools on which the user, or a group of his, was granted `codename`, there or over everything."""
    return rights_of.rows(user, f"fleet.{codename}", Pool)


def rights(user: User, pool: Pool) -> frozenset[str]:
    """Every codename of a pool's rights that the user holds on the pool."""
    return frozenset(name.partition(".")[2] for name in rights_of.held(user, f"pool:{pool.pk}"))


def visible_pools(user: User) -> QuerySet[Pool]:
    """Pools that the user may look at. What belongs to a pool is seen by who sees the pool; all lists start here."""
    return pools_with(user, "view_pool")


def gateways_for(user: User) -> QuerySet[Gateway]:
    """Gateways that the user may look at, with their pools."""
    return Gateway.objects.filter(pool__in=visible_pools(user)).select_related("pool")


def gateway_views(gateways: QuerySet[Gateway], now: datetime, most: int = 200) -> list[GatewayView]:
    """Return gateways as their pages show them: those in trouble first, at most `most`."""
    shown: list[Gateway] = []
    for states in (TROUBLE, (Gateway.State.PROPOSED,), (Gateway.State.ENROLLED,), (Gateway.State.LEFT,)):
        shown += gateways.filter(state__in=states)[: max(0, most - len(shown))]
    return [view_of(gateway, now) for gateway in shown]


def host_keys(gateway: Gateway) -> list[dict[str, Any]]:
    """The pinned host keys with their fingerprints as ssh-keygen -l prints them."""
    return [
        {"kind": key.kind, "fingerprint": fingerprint(key.key), "pinned_at": key.pinned_at}
        for key in gateway.host_keys.order_by("kind")
    ]


def fingerprint(key: str) -> str:
    """SHA-256 of the key blob, Base64 without padding (RFC 4648), as OpenSSH shows it; `key` is Base64."""
    try:
        blob = base64.b64decode(key, validate=True)
    except ValueError:
        return "unreadable"
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def credential(name: str) -> dict[str, Any]:
    """One SSH credential as pages show it: since when, its public fingerprint; {} when there is none."""
    row = Credential.objects.filter(name=name).first()
    if row is None:
        return {}
    try:
        public = public_line(sealed.unseal(name)).split()[1]
    except (sealed.Unreadable, GiveUp) as unreadable:
        return {"made_at": row.made_at, "trouble": str(unreadable)}
    return {"made_at": row.made_at, "fingerprint": fingerprint(public)}


def other_credentials(shown: tuple[str, ...]) -> QuerySet[Credential]:
    """What else is sealed, by name; the secrets stay where they are."""
    return Credential.objects.exclude(name__in=shown).defer("sealed").order_by("name")


def latest_errands(gateways: list[int], subject: str) -> dict[int, Errand]:
    """The newest errand of each gateway whose subject begins so."""
    rows = Errand.objects.filter(gateway__in=gateways, subject__startswith=subject).order_by("created_at")
    return {errand.gateway_id: errand for errand in rows}
