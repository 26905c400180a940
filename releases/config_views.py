"""Configurations: the revisions of each pool, proposing one, one revision, and the approvers' signatures."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from approvals import people, rights
from approvals.errors import Refused
from approvals.models import Request
from fleet.models import Gateway
from fleet.ocgate.schema import CONF_MAX
from fleet.selectors import pools_with, visible_pools
from releases import confedit, configs
from releases.models import ConfigRevision

MOST = 100


@require_safe
def config_list(request: HttpRequest) -> HttpResponse:
    """The revisions of every pool that one may see, and the forms to propose one."""
    return _list(request)


@require_POST
@sensitive_post_parameters("text", "value")
def config_add(request: HttpRequest) -> HttpResponse:
    """Propose a configuration: the whole file, or one option of the agreed one."""
    try:
        place = _place(request)
        row = configs.propose(
            place,
            _text(request, place),
            note=_said(request, "note"),
            by=people.person(request),
            actor=people.actor(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        return _list(request, refusal=refusal.say, status=422)
    return redirect("config", row.pk)


@require_safe
def config_page(request: HttpRequest, config_id: int) -> HttpResponse:
    """One revision: what it changes, what each version of ocserv makes of it, who agreed."""
    return _page(request, _row(request, config_id))


@require_safe
def config_statement(request: HttpRequest, config_id: int) -> HttpResponse:
    """The statement that approvers sign, exactly."""
    row = _row(request, config_id)
    name = f"config-{row.number}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(row.statement.encode(), content_type="application/json", headers=headers)


@require_POST
def config_sign(request: HttpRequest, config_id: int) -> HttpResponse:
    """Take an approver's signature over the statement."""
    row = _row(request, config_id)
    signature = _file(request, "file", most=16 * 1024) or str(request.POST.get("signature", ""))
    try:
        actor = people.actor(request)
        configs.add_signature(row, signature, by=people.person(request), actor=actor, now=timezone.now())
    except Refused as refusal:
        return _page(request, row, refusal=refusal.say, status=422)
    return redirect("config", row.pk)


def _row(request: HttpRequest, config_id: int) -> ConfigRevision:
    rows = ConfigRevision.objects.select_related("pool", "gateway", "made_by")
    return get_object_or_404(rows, pk=config_id, pool__in=visible_pools(people.person(request)))


def _place(request: HttpRequest) -> configs.Place:
    pool = visible_pools(people.person(request)).filter(pk=_number(request, "pool")).first()
    if pool is None:
        raise Refused("Choose the pool that the configuration is for.")
    name = _said(request, "gateway")
    gateway = Gateway.objects.filter(pool=pool, name=name).first() if name else None
    if name and gateway is None:
        raise Refused(f"{pool.name} has no gateway {name}.")
    return configs.Place(pool, gateway)


def _text(request: HttpRequest, place: configs.Place) -> str:
    """The file that came, else what was pasted, else the agreed text with one option changed."""
    if text := _file(request, "file", most=4 * CONF_MAX) or str(request.POST.get("text", "")).replace("\r\n", "\n"):
        return text
    if not (option := _said(request, "option")):
        raise Refused("Bring the file, paste it, or name the option that shall change.")
    base = configs.agreed_for(place)
    if base is None:
        raise Refused(f"{place} has no agreed configuration yet, so bring its ocserv.conf as it is first.")
    return confedit.with_option(configs.text_of(base), option, str(request.POST.get("value", "")))


def _file(request: HttpRequest, name: str, *, most: int) -> str:
    """The text of an uploaded file, "" when none came."""
    file = request.FILES.get(name)
    if file is None:
        return ""
    if file.size is None or file.size > most:
        raise Refused(f"{file.name} is larger than {most} bytes.")
    try:
        return bytes(file.read()).decode()
    except UnicodeDecodeError:
        raise Refused(f"{file.name} is not UTF-8 text.")


def _said(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).strip()[:2000]


def _typed(request: HttpRequest, name: str) -> str:
    """What a form's field begins with: what was sent, or what a link to the form says."""
    return _said(request, name) or str(request.GET.get(name, ""))[:100]


def _number(request: HttpRequest, name: str) -> int:
    text = _said(request, name)
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _list(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = people.person(request)
    pools = list(visible_pools(user))
    rows = ConfigRevision.objects.filter(pool__in=pools).select_related("pool", "gateway", "made_by")
    mine = list(pools_with(user, configs.PROPOSE.partition(".")[2]))
    # One query for all pools: the newest agreed revision of each comes first.
    newest: dict[int, ConfigRevision] = {}
    for row in rows.filter(state=configs.State.AGREED, gateway__isnull=True).order_by("-number"):
        newest.setdefault(row.pool_id, row)
    context = {
        "rows": rows.order_by("-made_at", "-number")[:MOST],
        "agreed": [newest[pool.pk] for pool in pools if pool.pk in newest],
        "none": [pool.name for pool in pools if pool.pk not in newest],
        "pools": mine,
        "gateways": Gateway.objects.filter(pool__in=mine, state__in=Gateway.SPOKEN_TO).order_by("name")[:1000],
        # A pasted text may hold secrets: it is not sent back; the short fields are.
        "typed": {name: _typed(request, name) for name in ("pool", "gateway", "option", "note")},
        "refusal": refusal,
    }
    return render(request, "releases/config_list.html", context, status=status)


def _page(request: HttpRequest, row: ConfigRevision, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = people.person(request)
    asked = Request.objects.filter(kind=configs.KIND, subject=configs.subject(row)).order_by("-pk").first()
    context: dict[str, Any] = {
        "row": row,
        "asked": asked,
        "why_not": configs.why_not(row),
        "may_sign": bool(row.statement) and rights.may(user, configs.APPROVE, f"pool:{row.pool_id}"),
        "may_plan": pools_with(user, "submit_rollout").filter(pk=row.pool_id).exists(),
        "lacking": configs.lacking(row),
        "signers": [str(one["name"]).removesuffix(".sig") for one in row.signatures],
        "refusal": refusal,
    }
    try:
        context |= {"diff": configs.diff(row), "findings": configs.findings(row), "silent": configs.silent(row)}
    except Refused as unreadable:
        context["refusal"] = refusal or unreadable.say
    return render(request, "releases/config_page.html", context, status=status)
