"""The only writer of what a probe host is and of when its gateways are due; every change of a host is on the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from approvals import audit
from approvals.models import Actor
from fleet.models import Probe, ProbeHost


def shut(host: ProbeHost, *, reason: str, now: datetime) -> None:
    """Nobody talks to it from now on, until two persons pinned its key anew."""
    with transaction.atomic():
        if ProbeHost.objects.filter(pk=host.pk, shut="").update(shut=reason):
            subject, actor = f"probehost:{host.pk}", Actor.machine("ssh")
            audit.append("probehost.shut", subject=subject, actor=actor, at=now, reason=reason)


def reserve(host_id: int, gateway_ids: Iterable[int], *, now: float, until: float) -> list[int]:
    """Take those of these gateways that are due; they are not due again before `until`, whoever dies meanwhile.

    Of two that ask at once one gets each gateway: probed twice as often, it would ban us.
    """
    taken = []
    for gateway_id in gateway_ids:
        probe = Probe.objects.filter(host=host_id, gateway=gateway_id).first()
        if probe is not None:
            # Compare-and-set: only if it is still due when we saw it.
            if probe.due_at <= now and Probe.objects.filter(pk=probe.pk, due_at=probe.due_at).update(due_at=until):
                taken.append(gateway_id)
            continue
        try:
            with transaction.atomic():
                Probe.objects.create(host_id=host_id, gateway_id=gateway_id, due_at=until)
        except IntegrityError:
            continue  # the other one made it, or one of both rows is gone
        taken.append(gateway_id)
    return taken


def answered(host_id: int, *, at: float) -> None:
    ProbeHost.objects.filter(pk=host_id).update(asked_at=at, answered_at=at, misses=0, say="")


def missed(host: ProbeHost, *, at: float, say: str) -> None:
    """The host itself gave no answer."""
    ProbeHost.objects.filter(pk=host.pk).update(asked_at=at, misses=host.misses + 1, say=say)


def found(host_id: int, gateway_id: int, columns: Mapping[str, Any]) -> None:
    """How one gateway looks now; call it in the transaction that stores the reading."""
    Probe.objects.filter(host=host_id, gateway=gateway_id).update(**columns)
