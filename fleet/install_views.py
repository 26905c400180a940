"""Pages that put ocgate on a confirmed machine and take it off again: the printed command, the kit, a lent login."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals import people
from approvals.errors import Refused
from approvals.models import Actor
from fleet import guests, kit, selectors, streamed
from fleet.gateways.guest import Login
from fleet.models import Gateway

SLOTS = ("1", "2", "3")


@require_http_methods(["GET", "HEAD", "POST"])
def gateway_install(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """Say which addresses and slots it has; then the command for the machine, the kit, and the form for a login."""
    gateway = _gateway(request, gateway_id)
    refusal = ""
    if request.method == "POST":
        try:
            raw = _config(request)
            kit.prepare(gateway, raw, by=people.person(request), actor=people.actor(request), now=timezone.now())
            return redirect("gateway-install", gateway.pk)
        except Refused as refused:
            refusal = refused.say
    context = {**_install_context(request, gateway), **({"refusal": refusal} if refusal else {})}
    return render(request, "fleet/gateway_install.html", context, status=422 if refusal else 200)


@require_POST
@sensitive_post_parameters("password", "key")
@never_cache
def gateway_install_run(request: HttpRequest, gateway_id: int) -> HttpResponseBase:
    """Install over the login in this request. It is in memory for the time of the request's work, and nowhere else."""
    gateway = _gateway(request, gateway_id)
    adopt = request.POST.get("adopt") == "yes"
    return _with_login(request, gateway, guests.install, adopt=adopt)


@require_POST
@sensitive_post_parameters("password", "key")
@never_cache
def gateway_uninstall_run(request: HttpRequest, gateway_id: int) -> HttpResponseBase:
    """Take ocgate off a machine that has left, over the login in this request."""
    gateway = _gateway(request, gateway_id)
    return _with_login(request, gateway, guests.uninstall, cut=request.POST.get("cut") == "yes")


@require_safe
def kit_by_ticket(request: HttpRequest, ticket: str) -> HttpResponse:
    """The kit for whoever has the ticket: the machine itself, with curl. There is no secret in it."""
    actor = Actor(kind="machine", name="curl", ip=str(request.META.get("REMOTE_ADDR", "")))
    try:
        made = kit.opened(ticket, actor=actor, now=timezone.now())
    except Refused as refusal:
        return HttpResponse(refusal.say + "\n", status=410, content_type="text/plain; charset=utf-8")
    return _file(made)


def _with_login(request: HttpRequest, gateway: Gateway, do: Any, **how: bool) -> HttpResponseBase:
    login = Login(
        user=str(request.POST.get("login", "")).strip()[:64],
        password=str(request.POST.get("password", ""))[:1000],
        key=str(request.POST.get("key", "")).replace("\r\n", "\n")[:20_000],
    )
    context = {"gateway": gateway, "login": login.user}
    by, actor = people.person(request), people.actor(request)
    try:
        lines = do(gateway, login, by=by, actor=actor, clock=timezone.now, **how)
    except Refused as refusal:
        return render(request, "fleet/gateway_refused.html", {**context, "refusal": refusal.say}, status=409)

    def work(say: streamed.Say) -> dict[str, Any]:
        for line in lines:
            say(line)
        return {}

    return streamed.page(request, "fleet/gateway_run.html", context, work)


def _install_context(request: HttpRequest, gateway: Gateway) -> dict[str, Any]:
    adopt = request.GET.get("adopt", "yes") == "yes"
    context: dict[str, Any] = {"gateway": gateway, "form": _form(request, gateway), "adopt": adopt}
    try:
        kit.demand(people.person(request), gateway)
        made = kit.kit_of(gateway, adopt=adopt)
    except Refused as refusal:
        return {**context, "missing": refusal.say}
    ticket = kit.ticket(gateway, made, adopt=adopt)
    url = request.build_absolute_uri(reverse("kit", args=[ticket]))
    return {
        **context,
        "kit": made,
        "url": url,
        "command": kit.command(gateway, made, url=url, adopt=adopt),
        "by_hand": kit.command(gateway, made, adopt=adopt),
    }


def _config(request: HttpRequest) -> dict[str, Any]:
    """config.json from the form; what is empty is left out."""
    said = {name: str(value).strip() for name, value in request.POST.items()}
    slots: dict[str, dict[str, str]] = {}
    for slot in SLOTS:
        if pool4 := said.get(f"pool4_{slot}", ""):
            slots[slot] = {"ipv4": f"198.18.0.{slot}", "pool4": pool4}
            if pool6 := said.get(f"pool6_{slot}", ""):
                slots[slot] |= {"ipv6": f"fd5a:6f63::{slot}", "pool6": pool6}
    if len(slots) < 2:
        raise Refused("An upgrade needs two slots at least: give two pools of VPN addresses.")
    return {
        "public": {"ipv4": _words(said.get("ipv4", "")), "ipv6": _words(said.get("ipv6", ""))},
        "port": _number(said.get("port", "")),
        "inner_port": _number(said.get("inner_port", "")),
        "ocserv_conf": said.get("ocserv_conf", "") or "/etc/ocserv/ocserv.conf",
        "slots": slots,
        "sticky_seconds": 7200,
        "out": _words(said.get("out", "")),
    }


def _form(request: HttpRequest, gateway: Gateway) -> dict[str, Any]:
    """What stands in the fields: what was typed, else what is kept, else what is usual."""
    kept = gateway.config or {}
    public, slots = kept.get("public", {}), kept.get("slots", {})
    form: dict[str, Any] = {
        "ipv4": " ".join(public.get("ipv4", [gateway.public_address] if "." in gateway.public_address else [])),
        "ipv6": " ".join(public.get("ipv6", [])),
        "port": kept.get("port", 443),
        "inner_port": kept.get("inner_port", 4443),
        "ocserv_conf": kept.get("ocserv_conf", "/etc/ocserv/ocserv.conf"),
        "out": " ".join(kept.get("out", [])),
    }
    given = {name: str(value)[:255] for name, value in request.POST.items()}
    form["pools"] = [
        {
            "slot": slot,
            "pool4": given.get(f"pool4_{slot}", slots.get(slot, {}).get("pool4", "")),
            "pool6": given.get(f"pool6_{slot}", slots.get(slot, {}).get("pool6", "")),
        }
        for slot in SLOTS
    ]
    return {**form, **{name: value for name, value in given.items() if name in form}}


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 5:
        raise Refused(f"“{text[:20]}” is no port.")
    return int(text)


def _file(made: kit.Kit) -> HttpResponse:
    answer = HttpResponse(made.data, content_type="application/x-tar")
    answer.headers["Content-Disposition"] = f'attachment; filename="{made.name}"'
    return answer


def _gateway(request: HttpRequest, gateway_id: int) -> Gateway:
    return get_object_or_404(selectors.gateways_for(people.person(request)), pk=gateway_id)
