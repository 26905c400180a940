"""The balancers in front of gateways: peers, servers, where two of them disagree; and how one asks for another."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.errors import Refused
from approvals.people import actor, person
from fleet import balancers, selectors
from fleet.models import Balancer, Gateway
from fleet.phrases import listed

MOST = 100
RIGHT = "enrol_gateway"


@require_safe
def balancer_list(request: HttpRequest) -> HttpResponse:
    """Every balancer of the pools that one may see, as its peers last said."""
    return _page(request)


@require_POST
def balancer_add(request: HttpRequest) -> HttpResponse:
    """Ask a second person for a balancer, or for other peers of one."""
    try:
        pool = selectors.pools_with(person(request), RIGHT).filter(pk=_number(request)).first()
        if pool is None:
            raise Refused("You may not ask for a balancer in this pool: you lack the right “May enrol gateways”.")
        lines = [line for line in str(request.POST.get("peers", "")).splitlines() if line.strip()]
        peers = [balancers.peer_of(line) for line in lines[: balancers.PEERS_MOST + 1]]
        name, why = str(request.POST.get("name", "")).strip(), str(request.POST.get("why", "")).strip()[:2000]
        said: dict[str, Any] = {"by": person(request), "actor": actor(request), "now": timezone.now()}
        asked = balancers.propose(name, pool, peers, why=why, **said)
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("change", asked.pk)


def _number(request: HttpRequest) -> int:
    text = str(request.POST.get("pool", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _page(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = person(request)
    pools = selectors.visible_pools(user)
    mine = Balancer.objects.filter(Q(pool__in=pools) | Q(shared_with__in=pools)).distinct()
    near = Prefetch("gateways", Gateway.objects.filter(pool__in=pools))  # of pools that share it some may be hidden
    rows = mine.select_related("pool").prefetch_related("peers", "shared_with", near)
    context = {
        "shown": [_shown(row) for row in rows[:MOST]],
        "total": rows.count(),
        "most": MOST,
        "pools": list(selectors.pools_with(user, RIGHT)),
        "typed": request.POST,
        "refusal": refusal,
    }
    return render(request, "fleet/balancer_list.html", context, status=status)


def _shown(row: Balancer) -> dict[str, Any]:
    here = list(row.gateways.all())
    seen = {gateway.name: said for gateway in here if (said := row.seen.get("gateways", {}).get(gateway.name))}
    return {
        "row": row,
        "say": row.seen.get("say", ""),
        "peers": [{"row": peer, "fingerprint": selectors.fingerprint(peer.key)} for peer in row.peers.all()],
        "gateways": [{"row": gateway, "seen": seen.get(gateway.name)} for gateway in here],
        "shared": listed([pool.name for pool in row.shared_with.all()]),
        "differences": [say for one in seen.values() for say in one["differences"]],
    }
