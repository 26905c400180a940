"""Gateways: what they say, a look at once, and the ways in, out and back, which two people decide."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypedDict

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Field, Query, Router

from approvals import rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet import enrolment, selectors
from fleet.gateways.scan import scan
from fleet.models import Gateway, Pool
from fleet.slots import view_of
from upgrader import believing, hint
from upgrader.api_v1 import caller, finding, releases, shapes
from upgrader.api_v1.caller import OPERATE, READ, Caller
from upgrader.api_v1.paging import Listed, Page, Paged, page
from upgrader.api_v1.problems import Problem

router = Router(tags=["gateways"])
LOOK, ENROL = "fleet.hold_rollout", "fleet.enrol_gateway"


class Which(Page):
    """Which gateways are wanted."""

    pool: shapes.Text = Field("", max_length=60)
    state: shapes.Text = Field("", max_length=12)
    q: shapes.Text = Field("", max_length=80)


@router.get("/pools", auth=READ, response=Listed, summary="Pools")
def pool_list(request: HttpRequest, asked: Paged) -> dict[str, Any]:
    """Those that one may look at."""
    who = caller.of(request)
    rows = who.within(selectors.visible_pools(who.user), "pk")
    return page(rows, asked, lambda row: {"id": row.pk, "name": row.name, "title": row.title, "channel": row.channel})


@router.get("/gateways", auth=READ, response=Listed, summary="Gateways, the newest first")
def gateway_list(request: HttpRequest, asked: Annotated[Which, Query()]) -> dict[str, Any]:
    """`pool` (its name), `state` and `q` (part of a name) narrow it."""
    who = caller.of(request)
    rows = who.within(selectors.gateways_for(who.user))
    rows = rows.filter(pool__name=asked.pool) if asked.pool else rows
    rows = rows.filter(state=asked.state) if asked.state else rows
    named = Q(name__icontains=asked.q) | Q(pool__name__icontains=asked.q)
    return page(rows.filter(named) if asked.q else rows, asked, row_json)


@router.post("/gateways/scan", auth=OPERATE, summary="Ask a machine for its host keys")
def gateway_scan(request: HttpRequest, said: shapes.Host, pool: str) -> dict[str, Any]:
    """Nothing is sent to it and nothing is kept: compare the fingerprints on the machine's own console."""
    who = caller.of(request)
    where = enrolling(who, pool)
    wanted = enrolment.Asked(**said.dict())
    if why := enrolment.why_not(wanted):
        raise Refused(why)
    shown = scan(wanted.address, wanted.port)
    if not shown.keys:
        raise Refused(f"{shown.say} Nothing was asked.")
    prints = [{"kind": kind, "fingerprint": text} for kind, text in shown.fingerprints]
    return {"pool": where.name, "keys": [list(pair) for pair in shown.keys], "fingerprints": prints}


@router.post("/gateways", auth=OPERATE, summary="Ask to enrol a gateway")
def gateway_enrol(request: HttpRequest, said: shapes.Enrol) -> HttpResponse:
    """With the host keys that were compared. 202 with the request: another person confirms them."""
    who = caller.of(request)
    pool = enrolling(who, said.pool)
    wanted = enrolment.Asked(**said.dict(exclude={"pool", "reason", "keys"}), keys=tuple(said.keys))
    if why := enrolment.why_not(wanted):
        raise Refused(why)
    asked = enrolment.propose([wanted], pool, by=who.user, actor=who.actor, now=who.now, why=said.reason)
    return releases.asked_json(asked.pk, who)


@router.get("/gateways/{int:gateway_id}", auth=READ, summary="One gateway, with its slots")
def gateway_one(request: HttpRequest, gateway_id: int) -> dict[str, Any]:
    """How it is, in a sentence, and who is on which slot."""
    who = caller.of(request)
    gateway = seen(who, gateway_id)
    view = view_of(gateway, who.now)
    slots = [asdict(slot) | {"word": slot.word.say} for slot in view.slots]
    return row_json(gateway) | {"say": view.say, "slots": slots, "host_keys": selectors.host_keys(gateway)}


@router.get("/gateways/{int:gateway_id}/facts", auth=READ, summary="What it said last, as it came")
def gateway_facts(request: HttpRequest, gateway_id: int) -> dict[str, Any]:
    """The answers of `facts` and `inventory` (docs/ocgate-protocol.md)."""
    row = seen(caller.of(request), gateway_id)
    told = {"facts": row.facts or {}, "facts_at": row.facts_at}
    return told | {"inventory": row.inventory or {}, "inventory_at": row.inventory_at}


@router.post("/gateways/{int:gateway_id}/look", auth=OPERATE, summary="Ask it now how it is")
def gateway_look(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """202: a worker asks it; `facts_at` moves when it has answered. It is asked every 10 s anyway."""
    who = caller.of(request)
    gateway = seen(who, gateway_id)
    need(who, LOOK, gateway)
    if gateway.state not in Gateway.SPOKEN_TO:
        raise Refused(view_of(gateway, who.now).say)
    hint.send_home("upgrader.tasks.look_at", [gateway.pk])
    return JsonResponse(row_json(gateway), status=HTTPStatus.ACCEPTED)


@router.post("/gateways/{int:gateway_id}/host-key/look", auth=OPERATE, summary="See which host keys it shows now")
def gateway_host_key_look(request: HttpRequest, gateway_id: int) -> dict[str, Any]:
    """Nothing is pinned by that."""
    who = caller.of(request)
    gateway = seen(who, gateway_id)
    need(who, ENROL, gateway)
    shown = scan(gateway.address, gateway.port)
    if not shown.keys:
        raise Refused(shown.say)
    enrolment.note_seen(gateway, shown.keys, actor=who.actor, now=who.now)
    return {"fingerprints": [{"kind": kind, "fingerprint": text} for kind, text in shown.fingerprints]}


@router.post("/gateways/{int:gateway_id}/host-key", auth=OPERATE, summary="Ask to pin the host keys that were seen")
def gateway_host_key(request: HttpRequest, gateway_id: int, said: shapes.Why) -> HttpResponse:
    """The way out of quarantine. 202 with the request: another person compares them."""
    who = caller.of(request)
    gateway = seen(who, gateway_id)
    keys = [(str(kind), str(key)) for kind, key in gateway.seen_keys]
    return releases.asked_json(enrolment.propose_host_key(gateway, keys, **words(who, said)).pk, who)


@router.post("/gateways/{int:gateway_id}/leave", auth=OPERATE, summary="Ask to let it go")
def gateway_leave(request: HttpRequest, gateway_id: int, said: shapes.Why) -> HttpResponse:
    """202 with the request: another person decides."""
    who = caller.of(request)
    return releases.asked_json(enrolment.propose_leave(seen(who, gateway_id), **words(who, said)).pk, who)


@router.post("/gateways/{int:gateway_id}/believe", auth=OPERATE, summary="Ask to believe one that is ahead of us")
def gateway_believe(request: HttpRequest, gateway_id: int, said: shapes.Why) -> HttpResponse:
    """After a restored backup. 202 with the request: another person reads what will be closed."""
    who = caller.of(request)
    return releases.asked_json(believing.ask(seen(who, gateway_id), **words(who, said)).pk, who)


def seen(who: Caller, gateway_id: int) -> Gateway:
    """A gateway that the caller may look at; 404 for others."""
    row = who.within(selectors.gateways_for(who.user)).filter(pk=gateway_id).first()
    if row is None:
        raise Problem(404, f"There is no gateway {gateway_id}, or you may not see it.")
    return row


class Words(TypedDict):
    by: User
    actor: Actor
    now: datetime
    why: str


def words(who: Caller, said: shapes.Why) -> Words:
    return Words(by=who.user, actor=who.actor, now=who.now, why=said.reason)


def need(who: Caller, right: str, gateway: Gateway) -> None:
    if not rights.may(who.user, right, f"pool:{gateway.pool_id}"):
        raise Problem(403, f"This needs the right “{rights.said(right)}” on {gateway.pool.name}.")


def enrolling(who: Caller, name: str) -> Pool:
    """The right first: a look is a connection to anywhere."""
    return finding.pool(who, name, among=selectors.pools_with(who.user, "enrol_gateway"))


def row_json(row: Gateway) -> dict[str, Any]:
    names = ("name", "state", "state_reason", "address", "port", "public_address", "failure_domain", "release")
    told = {name: getattr(row, name) for name in names}
    more = {"id": row.pk, "pool": row.pool.name, "sessions": row.sessions, "facts_at": row.facts_at}
    return {**more, **told}
