"""Alerts as pages show them, and whom they wait for. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404

from approvals import rights
from approvals.models import Request, User
from fleet import call_pages, errands, remedies
from fleet.diffs import counts
from fleet.drift import KIND, PARTS
from fleet.models import Alert, Errand, Gateway
from fleet.remedies import Way
from fleet.selectors import pools_with, visible_pools
from fleet.words import Word

OPEN = Word("Drifted", "failed", "triangle-alert")
ASKED = Word("Adopting it is asked", "waiting", "hand")
BACK = Word("Being put back", "running", "undo-2")
OVER = Word("Over", "done", "circle-check")
MOST = 200


@dataclass(frozen=True)
class Login:
    """Somebody who was signed in on the host."""

    user: str
    remote: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True)
class AlertView:
    row: Alert
    word: Word
    part: str
    new: int  # lines of the difference
    gone: int
    logins: tuple[Login, ...]
    asked: Request | None
    errand: Errand | None
    adopt: Way
    put_back: Way
    may_act: bool
    beyond: bool  # the way to agree to it is a configuration


def alerts_for(user: User) -> QuerySet[Alert]:
    """Drift of gateways that the user may look at."""
    rows = Alert.objects.filter(kind=KIND, gateway__pool__in=visible_pools(user))
    return rows.select_related("gateway__pool", "notice__acked_by")


def over_for(user: User) -> QuerySet[Alert]:
    """What ended, of every kind, the newest first."""
    mine = Q(pk__in=alerts_for(user).values("pk")) | Q(pk__in=call_pages.calls_for(user).values("pk"))
    return Alert.objects.filter(mine).exclude(ended_at=None).order_by("-ended_at")


def call_for(user: User, alert_id: int) -> Alert | None:
    """A call that the user may look at; None where this is none."""
    return call_pages.calls_for(user).filter(pk=alert_id).first()


def unanswered_number(user: User) -> int:
    """How many alerts of every kind wait for this person."""
    return unanswered(user).count() + call_pages.waiting_for(user).count()


def alert_for(user: User, alert_id: int) -> Alert:
    """Return one alert that the user may look at, else raise Http404: he learns nothing about others."""
    alert = alerts_for(user).filter(pk=alert_id).first()
    if alert is None:
        raise Http404(f"There is no alert {alert_id}, or you may not see its pool.")
    return alert


def waiting_for(user: User) -> QuerySet[Alert]:
    """Open alerts that wait for this person: he may put back, or ask to adopt. Who decides on that is asked then."""
    pools = pools_with(user, remedies.RIGHT.partition(".")[2])
    return Alert.objects.filter(kind=KIND, ended_at=None, gateway__pool__in=pools).select_related("gateway__pool")


def unanswered(user: User) -> QuerySet[Alert]:
    """Those of them about which nobody has asked or done anything yet."""
    asked = Request.objects.filter(kind=remedies.ADOPT, state=Request.State.OPEN).values_list("subject", flat=True)
    sent = Errand.objects.filter(subject__startswith="alert:", state__in=[Errand.State.DUE, Errand.State.CLAIMED])
    taken = {*asked, *sent.values_list("subject", flat=True)}
    ids = [int(subject.partition(":")[2]) for subject in taken]
    return waiting_for(user).exclude(pk__in=ids)


def of_gateway(gateway: Gateway) -> list[Alert]:
    """Its open alerts."""
    return list(gateway.alerts.filter(kind=KIND, ended_at=None).order_by("since"))


def behind_on(gateway: Gateway) -> list[dict[str, Any]]:
    """What the gateway has not followed yet."""
    waiting = gateway.errands.filter(state__in=errands.NOT_DONE).order_by("created_at")
    return [{"row": errand, "wish": errands.WORDS.get(errand.kind, errand.kind)} for errand in waiting]


def view_of(alert: Alert, user: User) -> AlertView:
    """Everything that the page of one alert shows."""
    may_act = rights.may(user, remedies.RIGHT, remedies.scope(alert))
    return _view(alert, remedies.asked(alert), remedies.at_work(alert), may_act=may_act)


def rows(alerts: Iterable[Alert], user: User) -> list[AlertView]:
    """The same for a list, in as many queries as for one."""
    shown = list(alerts)
    subjects = [remedies.subject(alert) for alert in shown]
    requests = Request.objects.filter(kind=remedies.ADOPT, subject__in=subjects, state=Request.State.OPEN)
    asked = {request.subject: request for request in requests.select_related("requested_by")}
    sent = {errand.subject: errand for errand in Errand.objects.filter(subject__in=subjects).order_by("created_at")}
    may = set(pools_with(user, remedies.RIGHT.partition(".")[2]).values_list("pk", flat=True))
    everywhere = rights.may(user, remedies.RIGHT, rights.EVERYTHING)
    return [
        _view(alert, asked.get(subject), sent.get(subject), may_act=everywhere or alert.host.pool_id in may)
        for alert, subject in zip(shown, subjects, strict=True)
    ]


def _view(alert: Alert, asked: Request | None, errand: Errand | None, *, may_act: bool) -> AlertView:
    new, gone = counts(str(alert.details.get("diff", "")))
    return AlertView(
        row=alert,
        word=_word(alert, asked, errand),
        part=PARTS.get(alert.code, alert.code),
        new=new,
        gone=gone,
        logins=tuple(_logins(alert)),
        asked=asked,
        errand=errand,
        adopt=remedies.adopting(alert),
        put_back=remedies.putting_back(alert),
        may_act=may_act,
        beyond=bool(remedies.beyond(alert)),
    )


def _word(alert: Alert, asked: Request | None, errand: Errand | None) -> Word:
    if alert.ended_at is not None:
        return OVER
    if asked is not None:
        return ASKED
    return BACK if errand and errand.state in (Errand.State.DUE, Errand.State.CLAIMED) else OPEN


def _logins(alert: Alert) -> Iterable[Login]:
    for said in alert.details.get("logins", []):
        until = datetime.fromtimestamp(said["until"], UTC) if said.get("until") else None
        yield Login(said["user"], said["from"], datetime.fromtimestamp(said["at"], UTC), until)
