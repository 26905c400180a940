"""Pages that bring gateways into the fleet and let them go: one, many from a list, leaving, other host keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from approvals import people
from approvals.errors import Refused
from fleet import enrolment, imports, selectors, streamed
from fleet.enrolment import Asked
from fleet.gateways.scan import AT_ONCE, scan
from fleet.models import Gateway, Pool
from fleet.phrases import count

FIELDS = ("name", "address", "port", "ssh_user", "public_address", "failure_domain")
SALT, SHOWN_SECONDS = "handover.enrol", 3600


@require_http_methods(["GET", "HEAD", "POST"])
def gateway_add(request: HttpRequest) -> HttpResponse:
    """Describe a gateway; see the host keys that it shows; ask a second person to confirm them."""
    context: dict[str, Any] = {"pools": _pools(request), "typed": _typed(request)}
    if request.method != "POST":
        return render(request, "fleet/gateway_add.html", context)
    try:
        if request.POST.get("shown"):
            return _proposed(request)
        pool, asked = _pool(request), _asked(request)  # the right first: a look is a connection to anywhere
        if say := enrolment.why_not(asked):
            raise Refused(say)
        shown = scan(asked.address, asked.port)
        if not shown.keys:
            raise Refused(f"{shown.say} Nothing was asked.")
    except Refused as refusal:
        return render(request, "fleet/gateway_add.html", {**context, "refusal": refusal.say}, status=422)
    seen = Asked(**{**asdict(asked), "keys": shown.keys})
    context |= {"asked": seen, "shown": _signed([seen], pool.pk), "fingerprints": shown.fingerprints}
    return render(request, "fleet/gateway_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def gateway_import(request: HttpRequest) -> HttpResponseBase:
    """A list of gateways: what would become of each line; then one question about those that were chosen."""
    context: dict[str, Any] = {"pools": _pools(request), "typed": _typed(request)}
    if request.method != "POST":
        return render(request, "fleet/gateway_import.html", context)
    try:
        if request.POST.get("shown"):
            return _proposed(request)
        pool, data, name = _pool(request), *_list(request)
        context["typed"] |= {"text": data.decode("utf-8", "replace"), "list_name": name}
        hosts = len(imports.parse(data, name))
        mine = set(selectors.gateways_for(people.person(request)).values_list("pk", flat=True))
    except Refused as refusal:
        return render(request, "fleet/gateway_import.html", {**context, "refusal": refusal.say}, status=422)

    def work(say: streamed.Say) -> dict[str, Any]:
        say(f"{count(hosts, 'host')} in the list. New ones are asked for their host keys, {AT_ONCE} at a time.")
        rows = imports.preview(data, name, mine=mine, tell=lambda done, total: say(f"{done} of {total} asked"))
        new = [row.asked for row in rows if row.what == imports.NEW]
        return {"rows": rows, "new": len(new), "shown": _signed(new, pool.pk), "pool": pool}

    return streamed.page(request, "fleet/gateway_import.html", context, work)


@require_POST
def gateway_leave(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """Ask a second person to let it go."""
    gateway = _gateway(request, gateway_id)
    why = str(request.POST.get("why", ""))[:2000]
    try:
        asked = enrolment.propose_leave(gateway, why=why, **_who(request))
    except Refused as refusal:
        return _refused(request, gateway, refusal)
    return redirect("change", asked.pk)


@require_POST
def gateway_host_key(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """Look which host keys the machine shows now, or ask a second person to pin those that were seen."""
    gateway = _gateway(request, gateway_id)
    who = _who(request)
    try:
        if request.POST.get("act") == "look":
            _demand(request, gateway)
            shown = scan(gateway.address, gateway.port)
            if not shown.keys:
                raise Refused(shown.say)
            enrolment.note_seen(gateway, shown.keys, actor=who["actor"], now=who["now"])
            return redirect("gateway", gateway.pk)
        keys = [(str(kind), str(key)) for kind, key in gateway.seen_keys]
        asked = enrolment.propose_host_key(gateway, keys, why=str(request.POST.get("why", ""))[:2000], **who)
    except Refused as refusal:
        return _refused(request, gateway, refusal)
    return redirect("change", asked.pk)


def _proposed(request: HttpRequest) -> HttpResponse:
    """What was shown is what is asked: the page carries it signed, and a choice among it."""
    try:
        said = signing.loads(request.POST["shown"], salt=SALT, max_age=SHOWN_SECONDS)
    except signing.BadSignature:
        raise Refused("What was shown is more than an hour old. Look at the host keys again.")
    pool = get_object_or_404(selectors.pools_with(people.person(request), "enrol_gateway"), pk=said["pool"])
    wanted = [_read(row) for row in said["asked"]]
    if len(wanted) > 1 or "chosen" in request.POST:
        chosen = set(request.POST.getlist("chosen"))
        wanted = [asked for asked in wanted if asked.name in chosen]
    why = str(request.POST.get("why", ""))[:2000]
    asked = enrolment.propose(wanted, pool, why=why, **_who(request))
    return redirect("change", asked.pk)


def _signed(asked: list[Asked], pool: int) -> str:
    return signing.dumps({"pool": pool, "asked": [asdict(one) for one in asked]}, salt=SALT, compress=True)


def _read(row: dict[str, Any]) -> Asked:
    return Asked(**{**row, "keys": tuple((kind, key) for kind, key in row["keys"])})


def _asked(request: HttpRequest) -> Asked:
    said = {name: str(request.POST.get(name, "")).strip()[:255] for name in FIELDS}
    port = int(said["port"]) if said["port"].isdecimal() and len(said["port"]) < 6 else 0
    return Asked(**{**said, "port": port, "failure_domain": said["failure_domain"][:60]})  # type: ignore[arg-type]


def _typed(request: HttpRequest) -> dict[str, Any]:
    given = {name: str(value)[:255] for name, value in request.POST.items() if name in (*FIELDS, "pool", "list_name")}
    return {"port": "22", "ssh_user": "ocgate", **given}


def _list(request: HttpRequest) -> tuple[bytes, str]:
    """The list, as a file or as text, and the name that says its format."""
    if file := request.FILES.get("file"):
        if (file.size or 0) > imports.BIG:
            raise Refused(f"The list has {file.size:,} bytes; {imports.BIG:,} are read at most.")
        return file.read(), str(file.name)
    text = str(request.POST.get("text", ""))
    if not text.strip():
        raise Refused("Choose a file, or put the list into the field.")
    return text.encode(), str(request.POST.get("list_name", ""))[:100] or "hosts"


def _pools(request: HttpRequest) -> list[Pool]:
    return list(selectors.pools_with(people.person(request), "enrol_gateway")[:200])


def _pool(request: HttpRequest) -> Pool:
    pk = str(request.POST.get("pool", ""))
    pool = next((pool for pool in _pools(request) if str(pool.pk) == pk), None)
    if pool is None:
        raise Refused("You may not enrol gateways in any such pool. Ask for the right “May enrol gateways” on yours.")
    return pool


def _gateway(request: HttpRequest, gateway_id: int) -> Gateway:
    return get_object_or_404(selectors.gateways_for(people.person(request)), pk=gateway_id)


def _demand(request: HttpRequest, gateway: Gateway) -> None:
    if gateway.pool not in _pools(request):
        raise Refused(f"You may not do this on {gateway.pool.name}: you lack the right “May enrol gateways”.")


def _who(request: HttpRequest) -> dict[str, Any]:
    return {"by": people.person(request), "actor": people.actor(request), "now": timezone.now()}


def _refused(request: HttpRequest, gateway: Gateway, refusal: Refused) -> HttpResponse:
    context = {"gateway": gateway, "refusal": refusal.say}
    return render(request, "fleet/gateway_refused.html", context, status=409)
