"""Who may sign, what channels ask, and the trust statement that gateways wait for."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import people
from approvals.errors import Refused
from approvals.models import Request
from releases import policy, proposals, showing, signers
from releases.models import TrustedSigner, TrustStatement

FILE_MOST = 1024 * 1024  # bytes: a company's list of revoked certificates may be long


@require_safe
def signer_list(request: HttpRequest) -> HttpResponse:
    """Everybody whose signature counts, what the channels ask, and which gateways have not followed."""
    return _page(request)


@require_POST
def signer_add(request: HttpRequest) -> HttpResponse:
    """Ask that a key or a CA be trusted, or renewed."""

    def ask() -> Request:
        now = timezone.now()
        text, crl = _given(request, "key"), _given(request, "crl")
        label, group = _said(request, "label"), _said(request, "group") or "release"
        proposed = signers.read(text, label=label, group=group, crl=crl, now=now)
        by, actor = people.person(request), people.actor(request)
        return proposals.propose_trust(proposed, by=by, actor=actor, now=now, why=_said(request, "why"))

    return _asked(request, ask)


@require_POST
def signer_strike(request: HttpRequest, signer_id: int) -> HttpResponse:
    """Ask that somebody's signatures count no more."""
    signer = get_object_or_404(TrustedSigner, pk=signer_id)
    by, actor, why = people.person(request), people.actor(request), _said(request, "why")
    return _asked(request, lambda: proposals.propose_distrust(signer, by=by, actor=actor, now=timezone.now(), why=why))


@require_POST
def signer_crl(request: HttpRequest, signer_id: int) -> HttpResponse:
    """Take a CA's newer list of revoked certificates."""
    signer = get_object_or_404(TrustedSigner, pk=signer_id)
    by, actor = people.person(request), people.actor(request)
    try:
        proposals.take_crl(signer, _given(request, "crl"), by=by, actor=actor, now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("signers")


@require_POST
def channel_policy(request: HttpRequest, channel: str) -> HttpResponse:
    """Ask for another policy of a channel."""
    numbers = {name: _said(request, name) for name in ("threshold", "max_age_days")}

    def ask() -> Request:
        if not all(text.isdecimal() and len(text) < 6 for text in numbers.values()):
            raise Refused("Signers and days are whole numbers.")
        wanted = policy.Policy(
            channel=channel,
            threshold=int(numbers["threshold"]),
            group=_said(request, "group"),
            max_age_days=int(numbers["max_age_days"]),
            matrix=tuple(part for part in policy.PARTS if part in request.POST.getlist("matrix")),
        )
        by, actor = people.person(request), people.actor(request)
        return proposals.propose_policy(wanted, by=by, actor=actor, now=timezone.now(), why=_said(request, "why"))

    return _asked(request, ask)


@require_safe
def trust_text(request: HttpRequest, serial: int) -> HttpResponse:
    """The statement's exact bytes, to be signed elsewhere."""
    _demand_sight(request)
    row = get_object_or_404(TrustStatement, serial=serial)
    name = f"trust-{row.serial}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(row.text, content_type="application/octet-stream", headers=headers)


@require_POST
def trust_sign(request: HttpRequest, serial: int) -> HttpResponse:
    """Add one signature; the last that is needed sends the statement to every gateway."""
    row = get_object_or_404(TrustStatement, serial=serial)
    by, actor = people.person(request), people.actor(request)
    try:
        data = _given(request, "signature").encode()
        proposals.sign_statement(row, data, by=by, actor=actor, now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("signers")


@require_POST
def trust_send(request: HttpRequest, serial: int) -> HttpResponse:
    """Send a signed statement to the gateways that came since."""
    row = get_object_or_404(TrustStatement, serial=serial)
    by, actor = people.person(request), people.actor(request)
    try:
        proposals.send_statement(row, by=by, actor=actor, now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("signers")


@require_POST
def trust_draw(request: HttpRequest) -> HttpResponse:
    """Draw the statement anew, when who may sign or approve is not what gateways were last told."""
    by, actor = people.person(request), people.actor(request)
    try:
        proposals.draw_statement(by=by, actor=actor, now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("signers")


def _asked(request: HttpRequest, ask: Callable[[], Request]) -> HttpResponse:
    try:
        return redirect("change", ask().pk)
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=422)


def _said(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).strip()[:2000]


def _given(request: HttpRequest, name: str) -> str:
    """A text that came as a file or was pasted; the file wins."""
    file = request.FILES.get(name)
    if file is None:
        return str(request.POST.get(name, ""))[:FILE_MOST].replace("\r\n", "\n")
    if file.size is None or file.size > FILE_MOST:
        raise Refused(f"{file.name} is larger than {FILE_MOST} bytes.")
    try:
        return str(file.read(), "ascii")
    except UnicodeError:
        raise Refused(f"{file.name} is no text. Give it in PEM or armoured: gpg --armor, openssl … -outform PEM.")


def _demand_sight(request: HttpRequest) -> None:
    if not showing.may_see(people.person(request)):
        raise PermissionDenied("Who signs is shown to those who may look at a pool.")


def _page(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    _demand_sight(request)
    now = timezone.now()
    context = {
        "rows": showing.signer_rows(now=now),
        "statement": showing.statement(now=now),
        "channels": showing.channel_rows(),
        "parts": policy.PARTS,
        "may_ask": showing.may_propose(people.person(request)),
        "refusal": refusal,
        "typed": request.POST,
        "now": now,
    }
    return render(request, "releases/signer_list.html", context, status=status)
