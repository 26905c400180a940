"""Answers that are kept for a day: a call that is sent again with the same Idempotency-Key is not done again.

The only writer of KeptAnswer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from approvals.models import KeptAnswer
from upgrader.api_v1 import caller
from upgrader.api_v1.problems import Problem

KEEP = timedelta(hours=24)
LOST = timedelta(minutes=2)  # whoever answered has ended without a word
HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
KEY_MOST = 80
NOT_KEPT = (401, 403, 429)
Answer = Callable[[], HttpResponseBase]


def once(request: HttpRequest, answer: Answer) -> HttpResponseBase:
    """Answer, or give the answer that the same call got before. Problem 422 for the key of another call."""
    key = request.headers.get(HEADER, "")
    if request.method != "POST" or not key:
        return answer()
    if len(key) > KEY_MOST or not (key.isascii() and key.isprintable()):
        raise Problem(422, f"{HEADER} has at most {KEY_MOST} printable ASCII characters.")
    who = caller.of(request)
    row = claim(who, key, digest(request))
    if row.status is not None:
        return replayed(row)
    try:
        given = answer()
    except BaseException:
        KeptAnswer.objects.filter(pk=row.pk).delete()
        raise
    keep(row, given)
    return given


def claim(who: caller.Caller, key: str, wanted: str) -> KeptAnswer:
    """The row of this call: new and empty, or answered. Problem while another asks the same."""
    KeptAnswer.objects.filter(at__lte=who.now - KEEP).delete()
    try:
        with transaction.atomic():
            return KeptAnswer.objects.create(owner=who.user, key=key, digest=wanted, at=who.now)
    except IntegrityError:
        known = KeptAnswer.objects.filter(owner=who.user, key=key).first()
    if known is None:
        raise Problem(409, "The same call ended just now without an answer. Send it again.")
    if known.digest != wanted:
        raise Problem(422, f"This {HEADER} was used for another call within 24 h. Take a new one for this.")
    if known.status is None and not taken_over(known, who.now):
        raise Problem(409, "The same call is being answered. Ask again in a second.", headers={"Retry-After": "1"})
    return known


def taken_over(known: KeptAnswer, now: datetime) -> bool:
    """Answer in place of one that ended without a word; each service finds by itself what was done already."""
    late = KeptAnswer.objects.filter(pk=known.pk, status=None, at=known.at, at__lte=now - LOST)
    return bool(late.update(at=now))


def keep(row: KeptAnswer, given: HttpResponseBase) -> None:
    """Keep what was answered; a fault of ours, and who may not come in at all, may be asked again."""
    mine = KeptAnswer.objects.filter(pk=row.pk)
    if not isinstance(given, HttpResponse) or given.status_code >= 500 or given.status_code in NOT_KEPT:
        mine.delete()
        return
    if given.headers.get("Cache-Control") == "no-store":
        mine.delete()  # it carries a secret
        return
    kind, etag = given.headers.get("Content-Type", "")[:80], given.headers.get("ETag", "")[:40]
    mine.update(status=given.status_code, kind=kind, etag=etag, body=given.content.decode())


def replayed(row: KeptAnswer) -> HttpResponse:
    headers = {REPLAYED: "true", **({"ETag": row.etag} if row.etag else {})}
    return HttpResponse(row.body, status=row.status, content_type=row.kind, headers=headers)


def digest(request: HttpRequest) -> str:
    """SHA-256 of method, address, the version that was seen, and body."""
    seen = request.headers.get("If-Match", "")
    said = f"{request.method}\n{request.get_full_path()}\n{seen}\n".encode() + request.body
    return hashlib.sha256(said).hexdigest()
