"""The balancers in front of gateways: their peers, the servers there, and where two of them disagree."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from approvals.people import person
from fleet import selectors
from fleet.models import Balancer

MOST = 100


@require_safe
def balancer_list(request: HttpRequest) -> HttpResponse:
    """Every balancer of the pools that one may see, as its peers last said."""
    pools = selectors.visible_pools(person(request))
    rows = Balancer.objects.filter(pool__in=pools).select_related("pool").prefetch_related("peers", "gateways")
    context = {"shown": [_shown(row) for row in rows[:MOST]], "total": rows.count(), "most": MOST}
    return render(request, "fleet/balancer_list.html", context)


def _shown(row: Balancer) -> dict[str, Any]:
    seen = row.seen.get("gateways", {})
    return {
        "row": row,
        "say": row.seen.get("say", ""),
        "peers": [{"row": peer, "fingerprint": selectors.fingerprint(peer.key)} for peer in row.peers.all()],
        "gateways": [{"row": gateway, "seen": seen.get(gateway.name)} for gateway in row.gateways.all()],
        "differences": [say for one in seen.values() for say in one["differences"]],
    }
