"""The door for the NOC's systems: POST /api/tickets/NAME/ with a bearer token, or signed."""

from __future__ import annotations

import json

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from approvals.errors import Refused
from approvals.signed_webhook import Unsigned
from fleet.tickets import proofs, services

BODY_MOST = 256 * 1024
DEEP = "The message is nested too deeply."


@csrf_exempt  # a token or a signature is no cookie: no other page can send it
@login_not_required
@require_POST
def ticket_intake(request: HttpRequest, name: str) -> HttpResponse:
    """201 with what was new and what was known, 401, 413, 422 with the sentence of the refusal."""
    raw = request.read(BODY_MOST + 1)  # more is not read, whatever the header said
    if len(raw) > BODY_MOST:
        return _refused(f"A message has at most {BODY_MOST // 1024} KiB; send fewer complaints at once.", 413)
    headers = {key.lower(): value for key, value in request.headers.items()}
    try:
        proof = proofs.proven(name, headers, raw, now=timezone.now())
    except Unsigned as nobodys:
        refused = _refused(nobodys.say, 401)
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    try:
        new, known = services.take(proof, json.loads(raw), now=timezone.now())
    except RecursionError:
        return _refused(DEEP, 422)
    except ValueError as fault:
        return _refused(f"The message is no JSON: {fault}", 422)
    except Refused as refusal:
        return _refused(refusal.say, 422)
    return JsonResponse({"new": new, "known": known}, status=201 if new else 200)


def _refused(say: str, status: int) -> JsonResponse:
    return JsonResponse({"error": say}, status=status)
