"""Who looked at the record, and at what: that stands in the record, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from approvals import audit
from approvals.models import Actor, AuditEvent

SUBJECT = "record:events"
AGAIN = timedelta(minutes=15)
"""Who looks at the same again within this time has looked once: turning pages and coming back is one reading."""
LOOKED_AT = 20  # of a person's last readings


def note_look(asked: Mapping[str, str], *, actor: Actor, now: datetime) -> None:
    """Note that somebody reads what this filter selects. The reading is no part of what is read."""
    mine = AuditEvent.objects.filter(actor=actor.name, verb="record.read", at__gt=now - AGAIN).order_by("-seq")
    for body in mine.values_list("body", flat=True)[:LOOKED_AT]:
        if json.loads(body)["details"].get("filter") == dict(asked):
            return
    with transaction.atomic():
        audit.append("record.read", subject=SUBJECT, actor=actor, at=now, details={"filter": dict(asked)})


def note_export(about: Mapping[str, Any], *, actor: Actor, now: datetime, subject: str = SUBJECT) -> None:
    """Note what is handed out, before it is: `about` has the filter, the form, the count and the file's SHA-256."""
    with transaction.atomic():
        audit.append("record.exported", subject=subject, actor=actor, at=now, details=about)
