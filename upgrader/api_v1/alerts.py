"""Alerts and silences: what stands, who looks after it, what nobody is told of for a while."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from approvals import rights
from approvals.errors import Refused
from fleet import alert_pages, call_pages, errands, remedies
from fleet import selectors as fleet
from fleet.alarms import about, notices, pages, silences
from fleet.alarms.ladder import Match
from fleet.models import Alert, Errand
from fleet.models import Silence as Row
from upgrader.api_v1 import caller, finding, releases, shapes
from upgrader.api_v1.caller import OPERATE, READ, Caller
from upgrader.api_v1.paging import Listed, Paged, page
from upgrader.api_v1.problems import Problem

router = Router(tags=["alerts"])


@router.get("/alerts", auth=READ, response=Listed, summary="Alerts, the newest first")
def alert_list(request: HttpRequest, asked: Paged, standing: bool = True) -> dict[str, Any]:
    """Those that stand; with `standing=false` those that ended, too."""
    who = caller.of(request)
    mine = alert_pages.alerts_for(who.user).values("pk"), call_pages.calls_for(who.user).values("pk")
    rows = Alert.objects.filter(Q(pk__in=mine[0]) | Q(pk__in=mine[1]))
    if who.places is not None:
        rows = rows.filter(Q(pool__in=who.places) | Q(gateway__pool__in=who.places))
    rows = rows.filter(ended_at=None) if standing else rows
    return page(rows.select_related("gateway__pool", "pool", "notice__acked_by"), asked, said)


@router.get("/alerts/{int:alert_id}", auth=READ, summary="One alert")
def alert_one(request: HttpRequest, alert_id: int) -> dict[str, Any]:
    """With what was sent to whom."""
    alert = seen(caller.of(request), alert_id)
    rows = alert.deliveries.select_related("contact").order_by("-created_at")[:100]
    told = [{"contact": row.contact.name, "what": row.what, "state": row.state, "at": row.created_at} for row in rows]
    return said(alert) | {"details": alert.details, "deliveries": told}


@router.post("/alerts/{int:alert_id}/acknowledge", auth=OPERATE, summary="Say that somebody looks after it")
def alert_acknowledge(request: HttpRequest, alert_id: int, body: shapes.Why = shapes.NO_WORDS) -> dict[str, Any]:
    """Further people are not told. The second time nothing happens."""
    who = caller.of(request)
    alert = seen(who, alert_id)
    notices.acknowledge(alert, by=who.user, actor=who.actor, say=body.reason, now=who.now)
    return said(seen(who, alert_id))


@router.post("/alerts/{int:alert_id}/adopt", auth=OPERATE, summary="Ask that drift becomes what is agreed")
def alert_adopt(request: HttpRequest, alert_id: int, body: shapes.Why) -> HttpResponse:
    """202 with the request: another person decides."""
    who = caller.of(request)
    why = given(body)
    asked = remedies.adopt(drift(who, alert_id), by=who.user, actor=who.actor, why=why, now=who.now)
    return releases.asked_json(asked.pk, who)


@router.post("/alerts/{int:alert_id}/put-back", auth=OPERATE, summary="Put drift back to what is agreed")
def alert_put_back(request: HttpRequest, alert_id: int, body: shapes.Why) -> dict[str, Any]:
    """One person is enough: what is written was approved before."""
    who = caller.of(request)
    remedies.put_back(drift(who, alert_id), by=who.user, actor=who.actor, why=given(body), now=who.now)
    return said(seen(who, alert_id))


@router.post("/errands/{int:errand_id}/again", auth=OPERATE, summary="Ask a gateway again for what it refused")
def errand_again(request: HttpRequest, errand_id: int) -> dict[str, Any]:
    """409 where it is not refused."""
    who = caller.of(request)
    mine = who.within(fleet.gateways_for(who.user))
    row = Errand.objects.select_related("gateway__pool").filter(pk=errand_id, gateway__in=mine).first()
    if row is None:
        raise Problem(404, f"There is no errand {errand_id}, or you may not see its gateway.")
    if not rights.may(who.user, remedies.RIGHT, f"pool:{row.gateway.pool_id}"):
        raise Problem(403, f"You may not ask {row.gateway.name} again: you lack the right {remedies.RIGHT}.")
    errands.again(row, actor=who.actor, now=who.now)
    row.refresh_from_db()
    return {"id": row.pk, "gateway": row.gateway.name, "kind": row.kind, "state": row.state}


@router.get("/silences", auth=READ, response=Listed, summary="Silences, the newest first")
def silence_list(request: HttpRequest, asked: Paged, standing: bool = True) -> dict[str, Any]:
    """Those that hold; with `standing=false` those that are over, too."""
    who = caller.of(request)
    rows = silences.shown_to(who.user)
    if who.places is not None:
        rows = rows.filter(Q(pool__in=who.places) | Q(gateway__pool__in=who.places))
    return page(rows.filter(ended_at=None, ends_at__gt=who.now) if standing else rows, asked, silence_said)


@router.post("/silences", auth=OPERATE, summary="Tell nobody of these alerts for some hours")
def silence_begin(request: HttpRequest, body: shapes.Silence) -> HttpResponse:
    """What is left empty matches all; something must be given."""
    who = caller.of(request)
    if body.what and body.what not in dict(pages.what_choices()):
        raise Refused("There is no such rule or kind of alert.")
    pool = finding.pool(who, body.pool) if body.pool else None
    gateway = fleet.gateways_for(who.user).filter(name=body.gateway).first() if body.gateway else None
    who.demand_pool(pool or (gateway.pool_id if gateway else None))
    match = Match(body.what, pool.pk if pool else None, body.rollout, body.gateway)
    row = silences.begin(match, by=who.user, actor=who.actor, hours=body.hours, why=body.reason, now=who.now)
    return JsonResponse(silence_said(row), status=HTTPStatus.CREATED)


@router.post("/silences/{int:silence_id}/end", auth=OPERATE, summary="End a silence before its time")
def silence_end(request: HttpRequest, silence_id: int) -> dict[str, Any]:
    """409 where it is over."""
    who = caller.of(request)
    row = pages.silence_for(who.user, silence_id)
    who.demand_pool(row.pool_id or (row.gateway.pool_id if row.gateway else None))
    silences.end(row, by=who.user, actor=who.actor, now=who.now)
    return silence_said(pages.silence_for(who.user, silence_id))


def seen(who: Caller, alert_id: int) -> Alert:
    """Any alert that the caller may look at; 404 for others."""
    alert = pages.alert_for(who.user, alert_id)
    who.demand_pool(about.pool_of(alert))
    return alert


def drift(who: Caller, alert_id: int) -> Alert:
    seen(who, alert_id)
    return alert_pages.alert_for(who.user, alert_id)


def given(body: shapes.Why) -> str:
    if not body.reason:
        raise Problem(422, "Say why: it goes on the record.")
    return body.reason


def said(alert: Alert) -> dict[str, Any]:
    notice = getattr(alert, "notice", None)
    by = notice.acked_by.username if notice and notice.acked_by else None
    pool = alert.pool or (alert.gateway.pool if alert.gateway else None)
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "code": alert.code,
        "title": about.title(alert),
        "say": alert.say,
        "critical": about.is_critical(alert),
        "pool": pool.name if pool else None,
        "gateway": alert.gateway.name if alert.gateway else None,
        "link": alert.link,
        "since": alert.since,
        "ended_at": alert.ended_at,
        "acknowledged": {"by": by, "at": notice.acked_at, "say": notice.ack_say} if notice and by else None,
    }


def silence_said(row: Row) -> dict[str, Any]:
    return {
        "id": row.pk,
        "what": row.what,
        "pool": row.pool.name if row.pool else None,
        "gateway": row.gateway.name if row.gateway else None,
        "rollout": row.rollout,
        "reason": row.reason,
        "begins_at": row.begins_at,
        "ends_at": row.ends_at,
        "ended_at": row.ended_at,
        "by": row.made_by.username,
    }
