"""What gateways still have to do outside of any rollout. The only writer of Errand rows.

An errand is asked until the gateway has done it or said no: a gateway that sleeps for a week follows when it wakes.
Kinds are registered by who owns them (KINDS["trust"] = …, in a module of settings.CHANGES); `args` carry ids, the kind
reads what they name when it runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from approvals import audit, trail
from approvals.errors import Refused
from approvals.models import Actor
from fleet import agreements, orders, ports, services
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.dial import HostKeyChanged
from fleet.models import Errand, Gateway

log = logging.getLogger(__name__)
State = Errand.State
Clock = Callable[[], datetime]
Opener = Callable[[Gateway], ports.Gateway]

MACHINE = Actor.machine("errands")
OPEN = (State.DUE, State.CLAIMED)
NOT_DONE = (*OPEN, State.FAILED)
RETRY_SECONDS = (5, 15, 60, 120, 300)
LEASE_SECONDS = 120  # longer than any one verb's deadline; `Job.progress` renews it
AT_ONCE = 50  # in hand over the whole fleet: what is urgent stands in the same queue, and may not wait behind thousands


class Agree(Protocol):
    """(Code of fleet.drift.PARTS, value, the same for people): so it is from now on, anything else is drift."""

    def __call__(self, code: str, value: str, shown: str = "") -> None: ...


@dataclass(frozen=True)
class Job:
    """One errand as its kind gets it."""

    gateway: Gateway
    args: Mapping[str, Any]
    subject: str
    fence: int
    now: datetime
    progress: ports.Progress = field(compare=False)  # prolongs the lease; call it while something takes long
    agreed: Agree = field(compare=False)  # call it for each part that the gateway has changed, as soon as it has


Kind = Callable[[Job, ports.Gateway], str]
KINDS: dict[str, Kind] = {}
"""Name → what is done on the gateway; returns the sentence of what happened, raises RetryLater or GiveUp."""

WORDS = {
    "trust": "take the newest statement about who may sign",
    "crl": "take a newer list of revoked certificates",
    "authorize": "let the controller's new keys in",
    "upgrade_self": "take a newer ocgate",
    "configure": "keep a configuration",
    "agree": "write ocserv.conf again as it was agreed",
    "adopt_conf": "take its ocserv.conf as the agreed one",
    "restage": "unpack a release again",
}
"""What a gateway is asked, for people: "It shall …"."""

BESIDE = frozenset({"trust", "crl", "authorize"})
"""Kinds that touch no slot and no release: they run while the gateway is upgraded. A signer who was struck off must not
wait for a rollout that is on hold."""


@dataclass(frozen=True)
class Claim:
    """An errand that is ours until the lease ends; `fence` proves it to the gateway."""

    errand: Errand
    fence: int
    ordered: bool = False  # the gateway is known not to be ahead of this database


class LeaseLost(Exception):
    """Somebody else has it now."""


def send(
    gateways: Iterable[Gateway],
    kind: str,
    *,
    subject: str,
    args: Mapping[str, Any],
    now: datetime,
    actor: Actor = MACHINE,
) -> int:
    """Ask this of each gateway; return of how many. What was asked of it under the same subject is replaced.

    Call it in the transaction of what the errand follows from: both stand or neither.
    """
    ids = sorted({gateway.pk for gateway in gateways})
    with transaction.atomic():
        older = Errand.objects.filter(gateway__in=ids, kind=kind, subject=subject)
        drop(older, now=now, say="Something newer replaced it.")
        fresh = {"kind": kind, "subject": subject, "args": dict(args), "due_at": now, "created_at": now}
        Errand.objects.bulk_create([Errand(gateway_id=pk, **fresh) for pk in ids], batch_size=1000)
        if ids:
            # One event for all of them: the list may hold every gateway of the fleet.
            details = {"kind": kind, "args": dict(args), "gateways": ids}
            audit.append("errand.sent", subject=subject, actor=actor, at=now, details=details)
    return len(ids)


def drop(errands: QuerySet[Errand], *, now: datetime, say: str) -> int:
    """Ask no longer for those of them that are not done; return how many."""
    return errands.filter(state__in=NOT_DONE).update(state=State.DROPPED, finished_at=now, say=say)


def behind(subject: str) -> QuerySet[Errand]:
    """What has not been followed yet, with the gateways; those that said no among them."""
    rows = Errand.objects.filter(subject=subject, state__in=NOT_DONE).exclude(gateway__state=Gateway.State.LEFT)
    return rows.select_related("gateway", "gateway__pool").order_by("gateway__name")


def due(now: datetime, *, busy: Collection[int] = ()) -> list[int]:
    """Ids of the errands that a worker may claim now, oldest first, one a gateway: two at a time would outdate each
    other's fence. `busy`: gateways that are being upgraded. One that does not answer is not asked until it does.
    """
    free = Q(state=State.DUE, due_at__lte=now) | Q(state=State.CLAIMED, lease_until__lt=now)
    rows = Errand.objects.filter(free, gateway__state=Gateway.State.ENROLLED)
    rows = rows.exclude(~Q(kind__in=BESIDE), gateway__in=busy)
    at_work = Errand.objects.filter(state=State.CLAIMED, lease_until__gte=now).values_list("gateway_id", flat=True)
    first: dict[int, int] = dict.fromkeys(at_work, 0)
    room = max(0, AT_ONCE - len(first))
    for pk, gateway_id in rows.order_by("due_at", "pk").values_list("pk", "gateway_id")[: 10 * AT_ONCE]:
        first.setdefault(gateway_id, pk)
    return [pk for pk in first.values() if pk][:room]


def run(errand_id: int, *, owner: str, opener: Opener, clock: Clock) -> Errand | None:
    """Do one errand if it is due; return it as it was settled. Safe to call any number of times."""
    claimed = claim(errand_id, owner=owner, now=clock())
    if claimed is None:
        return None
    try:
        values: dict[str, tuple[str, str]] = {}
        with trail.span("errand", errand=errand_id, kind=claimed.errand.kind, gateway=claimed.errand.gateway.name):
            to, say = _attempt(claimed, values, opener=opener, clock=clock)
        return _settle(claimed, to, say, values=values, now=clock())
    except LeaseLost:
        log.info("errand %s is no longer ours", errand_id)
        return None


def claim(errand_id: int, *, owner: str, now: datetime) -> Claim | None:
    """Take a due errand, or one whose owner went silent. None: it is not due, or somebody else has it."""
    free = Q(state=State.DUE, due_at__lte=now) | Q(state=State.CLAIMED, lease_until__lt=now)
    with transaction.atomic():
        # The guard stands on the row's own columns: a join would let two workers win.
        taken = Errand.objects.filter(free, pk=errand_id).update(
            state=State.CLAIMED, owner=owner, lease_until=_lease(now), attempts=F("attempts") + 1
        )
        if taken != 1:
            return None
        errand = Errand.objects.select_related("gateway").get(pk=errand_id)
        ordered = orders.known(errand.gateway_id, now)
        fence = orders.draw(errand.gateway_id, ordered=ordered)
        Errand.objects.filter(pk=errand_id).update(fence=fence)
    return Claim(errand, fence, ordered)


def again(errand: Errand, *, actor: Actor, now: datetime) -> None:
    """A person wants one that a gateway refused to be asked once more. Refused when there is nothing to ask again."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                moved = Errand.objects.filter(pk=errand.pk, state=State.FAILED).update(
                    state=State.DUE, due_at=now, attempts=0, finished_at=None
                )
        except IntegrityError:
            raise Refused("Something newer is being asked of this gateway already.")
        if moved != 1:
            raise Refused("This was not refused by the gateway, or it was asked again already.")
        details = {"kind": errand.kind, "for": errand.subject}
        audit.append("errand.again", subject=f"gateway:{errand.gateway_id}", actor=actor, at=now, details=details)


def end_leases(is_gone: Callable[[str], bool], *, now: datetime) -> int:
    """End the leases of owners that are gone, so that nobody waits for them; return how many."""
    claimed = Errand.objects.filter(state=State.CLAIMED)
    gone = [name for name in set(claimed.values_list("owner", flat=True)) if is_gone(name)]
    return claimed.filter(owner__in=gone).update(lease_until=now - timedelta(seconds=1))


def _attempt(claimed: Claim, values: dict[str, tuple[str, str]], *, opener: Opener, clock: Clock) -> tuple[State, str]:
    """Do the work; `values` takes what the kind says is agreed now. Two failures are expected, all else is a bug."""
    errand = claimed.errand
    kind = KINDS.get(errand.kind)
    if kind is None:  # while the product is upgraded an old worker may find what only a new one knows
        return State.DUE, f"This worker does not know the errand {errand.kind} and leaves it to another."

    def progress(say: str, done: int, total: int) -> None:
        if not _ours(claimed).update(lease_until=_lease(clock()), say=f"{say}: {done:,} of {total:,}"):
            raise LeaseLost

    def agreed(code: str, value: str, shown: str = "") -> None:
        values[code] = (value, shown)

    job = Job(errand.gateway, errand.args, errand.subject, claimed.fence, clock(), progress, agreed)
    try:
        gateway = opener(errand.gateway)
        try:
            prove(claimed, gateway, now=clock())
            return State.DONE, kind(job, gateway)
        finally:
            gateway.close()
    except (RetryLater, HostKeyChanged) as later:  # in quarantine it waits for the person who looks at the host key
        return State.DUE, later.say
    except GiveUp as no:
        if no.code not in ("fence_too_low", "ahead"):
            return State.FAILED, no.say
        # Somebody drew a later fence for this gateway: claim again with one of our own. Or this database is older than
        # what the gateway has seen: a look quarantines it then.
        services.look(errand.gateway, now=clock())
        return State.DUE, no.say
    except LeaseLost:
        raise
    except Exception as bug:
        log.exception("errand %s: %s for %s", errand.pk, errand.kind, errand.gateway.name)
        return State.FAILED, f"A fault of ours: {type(bug).__name__}: {bug}"[:300] + ". The log has the whole."


def prove(claimed: Claim, gateway: ports.Gateway, *, now: datetime) -> None:
    """GiveUp where the gateway is ahead of this database."""
    if not claimed.ordered:
        services.prove(claimed.errand.gateway, gateway, fence=claimed.fence, now=now)


def _settle(claimed: Claim, to: State, say: str, *, values: Mapping[str, tuple[str, str]], now: datetime) -> Errand:
    """Write the end of a run, with its event when something came of it."""
    errand = claimed.errand
    wait = RETRY_SECONDS[min(errand.attempts, len(RETRY_SECONDS)) - 1]
    with transaction.atomic():
        settled = _ours(claimed).update(
            state=to,
            say=say,
            due_at=now + timedelta(seconds=wait),
            finished_at=None if to == State.DUE else now,
        )
        if settled != 1:
            raise LeaseLost
        # Also when only a part of it was done: what is there came from us.
        agreements.note(errand.gateway, values, why=say, actor=MACHINE, now=now)
        if to != State.DUE:
            about = {"kind": errand.kind, "for": errand.subject, "fence": claimed.fence, "attempts": errand.attempts}
            audit.append(
                f"errand.{to}", subject=f"gateway:{errand.gateway_id}", actor=MACHINE, at=now, reason=say, details=about
            )
    errand.refresh_from_db()
    return errand


def _ours(claimed: Claim) -> QuerySet[Errand]:
    """The row, while our fence is on it: nobody else claimed it and nothing newer replaced it."""
    return Errand.objects.filter(pk=claimed.errand.pk, state=State.CLAIMED, fence=claimed.fence)


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)
