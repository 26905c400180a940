"""Rows for pages that show no rollout. `sight(name)` makes them and returns the id that the page's address wants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from guardian.shortcuts import assign_perm

from approvals import keys
from approvals.models import Actor, ApproverKey
from fleet import alerts, drift
from fleet.inventory import Login
from fleet.models import Alert, Errand
from tests import (
    factories,
    sights_alarms,
    sights_alone,
    sights_between,
    sights_bounds,
    sights_calls,
    sights_conf,
    sights_desk,
    sights_measured,
    sights_noc,
    sights_people,
    sights_plan,
    sights_probes,
    sights_signin,
    sights_trust,
)

OPERATORS = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqIa3bA5rLXXlGWlLaFoA3Y0TpqFLNCFCt8mwbQBGwN"
ONCALLS = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHJ4gMkDyYB3vV6cXw0Yj9s4Eo6vJrmQJd2bWqv1kQ7a"


def people() -> int:
    """The cast before an empty stage."""
    return len(factories.cast())


def change() -> int:
    """The operator asks for a key of his; on-call has one."""
    people = factories.cast()
    key, shown = keys.parsed(ONCALLS)
    ApproverKey.objects.create(
        user=people["oncall"], public_key=key, fingerprint=shown, added_at=timezone.now() - timedelta(days=40)
    )
    by = people["operator"]
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    return keys.propose(OPERATORS, by=by, actor=actor, now=timezone.now()).pk


def alert() -> int:
    """Two gateways drifted: an edited ocserv.conf, and other signers."""
    people, now = factories.cast(), timezone.now()
    for name, right in (("operator", "enrol_gateway"), ("oncall", "approve_gateway")):
        for codename in (right, "view_pool", "submit_rollout"):
            assign_perm(f"fleet.{codename}", people[name], factories.pool("drifted"))
    first, second = (factories.gateway(name, on=factories.pool("drifted")) for name in ("waw-gw-01", "waw-gw-02"))
    logins = [
        Login("root", "192.0.2.9", now.timestamp() - 900),
        Login("backup", "198.51.100.7", now.timestamp() - 4000, now.timestamp() - 300),
    ]
    before = "\n".join(("auth = certificate", *(f"dns = 192.0.2.{number}" for number in range(9)), "max-clients = 16"))
    diff = drift.unified(
        before, before.replace("= 16", "= 1024") + "\nconnect-script = /usr/local/sbin/let-me-in-quickly"
    )
    say = f"/etc/ocserv/ocserv.conf on {first.name} was edited after it was agreed. Slots that run keep theirs."
    conf = drift.Difference("conf", say, "a" * 64, "b" * 64, diff)
    signers = drift.unified("threshold 2\nOpenPGP 9F6A01\nOpenPGP 77BC02", "threshold 1\nOpenPGP 9F6A01")
    say = f"Who may sign for {second.name} was changed on the host, not by a statement from here."
    alerts.note(second, [drift.Difference("trust", say, "a" * 64, "b" * 64, signers)], now=now)
    alerts.note(first, [conf], logins=logins, now=now)
    columns = {
        "kind": "crl",
        "subject": "crl:3",
        "state": "failed",
        "say": f"{first.name}: no CA of it is pinned here.",
    }
    Errand.objects.create(gateway=first, attempts=1, due_at=now, created_at=now - timedelta(minutes=7), **columns)
    return Alert.objects.get(gateway=first).pk


def drifted_pool() -> int:
    """The pool of that gateway."""
    return Alert.objects.get(code="conf", ended_at=None).host.pool_id


def drifted() -> int:
    """The gateway of that alert."""
    return Alert.objects.get(code="conf", ended_at=None).host.pk


SIGHTS: dict[str, Callable[[], int]] = {
    make.__name__: make
    for make in (
        *(
            people,
            change,
            alert,
            drifted,
            drifted_pool,
            sights_plan.strategy,
            sights_plan.changed,
            *(sights_between.switch, sights_between.switched),
            sights_trust.trust,
            sights_trust.sent,
            sights_conf.config,
            sights_conf.config_pool,
        ),
        *(sights_alone.policies, sights_alone.alone),
        sights_bounds.bounds,
        sights_alarms.alarms,
        *(
            sights_measured.measured,
            sights_measured.measured_pool,
            sights_measured.measured_more,
            sights_measured.measured_gateway,
        ),
        *(sights_noc.quiet, sights_noc.complaints),
        *(sights_people.duty, sights_people.relieved),
        sights_probes.probed,
        *(sights_signin.night, sights_signin.accounts, sights_signin.later),
        *(sights_calls.crowded, sights_calls.three),
        *(sights_calls.waiting, sights_calls.emergency, sights_calls.called, sights_calls.balancer),
        *(sights_desk.matrix, sights_desk.quarantined, sights_desk.left, sights_desk.credentials, sights_desk.warned),
    )
}
