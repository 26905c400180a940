"""Configurations as their pages show them."""

from __future__ import annotations

from django.utils import timezone

from approvals.models import Actor
from fleet.gateways.holdings import CONF
from fleet.models import Pool
from releases import configs
from tests import factories


def config() -> int:
    """One that adds a script, as the operator proposed it over the agreed one; the change waits for on-call."""
    people, now = factories.cast(), timezone.now()
    pool = factories.pool("baltic")
    factories.person("operator", factories.OPERATOR, pool)
    factories.person("oncall", factories.ONCALL, pool)
    row = factories.gateway("rix-gw-01", now=now, on=pool)
    first = CONF + "key-pin = 4711\n"
    row.facts = {**row.facts, "conf": {"agreed_sha256": configs.digest(first)}}
    row.release = "1.1.6-2"
    row.save()
    by, place = people["operator"], configs.Place(pool)
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    configs.propose(place, first, note="As it is", by=by, actor=actor, now=now)
    changed = first.replace("dpd = 60", "dpd = 90") + "connect-script = /usr/local/sbin/welcome\n"
    return configs.propose(place, changed, note="Greet users at sign-in", by=by, actor=actor, now=now).pk


def config_pool() -> int:
    """The pool of that configuration."""
    return Pool.objects.get(name="baltic").pk
