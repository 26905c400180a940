"""The evidence chain of one rollout, as a page and as files that carry the events it leans on; and all its events."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals import record_forms, record_index, record_reads, rights
from approvals.models import AuditEvent
from approvals.needed import lacking
from approvals.people import actor, person
from approvals.record_views import number
from upgrader import evidence_rows, selectors, timeline
from upgrader.evidence_chain import chain
from upgrader.models import Rollout

GATEWAYS_MOST = 60  # drawn on the page; the files have all of them
READ = "approvals.view_auditevent"
FORMS = {"json": "application/json", "html": "text/html; charset=utf-8"}


@require_safe
def evidence(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """What stood behind the rollout, what was done, and what is missing."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    return render(
        request, "upgrader/evidence_page.html", _context(rollout, evidence_rows.events_of(rollout, whole=False))
    )


@require_safe
def evidence_file(request: HttpRequest, rollout_id: int, form: str) -> HttpResponse:
    """The same as a file. It holds events of the record as they were hashed, so it takes the right to read them."""
    user = person(request)
    rollout = selectors.rollout_for(user, rollout_id)
    if form not in FORMS:
        raise Http404(f"Evidence is handed out as json and html, not as {form}.")
    if not rights.everywhere(user, READ):
        raise PermissionDenied(lacking(READ))
    if request.method == "HEAD":
        return HttpResponse(content_type=FORMS[form])
    events = evidence_rows.events_of(rollout, whole=True)
    context = _context(rollout, events)
    text = _json(context["chain"], events) if form == "json" else _html(context)
    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()
    about = {"rollout": rollout.pk, "form": f"evidence.{form}", "count": len(events), "sha256": digest}
    record_reads.note_export(about, actor=actor(request), now=context["now"], subject=f"rollout:{rollout.pk}")
    headers = {"X-Content-SHA256": digest, "Cache-Control": "no-store"}
    headers["Content-Disposition"] = f'attachment; filename="handover-rollout-{rollout.pk}-evidence.{form}"'
    return HttpResponse(content, content_type=FORMS[form], headers=headers)


@require_safe
def rollout_events(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """Every event of the rollout, newest first; htmx asks for the part alone."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    asked = {name: str(value) for name, value in request.GET.items()}
    context = timeline.timeline(rollout, asked, before=number(request, "before"), after=number(request, "after"))
    part = request.headers.get("HX-Target") == "timeline"
    return render(request, "upgrader/_timeline_now.html" if part else "upgrader/timeline_page.html", context)


def _context(rollout: Rollout, events: list[AuditEvent]) -> dict[str, Any]:
    now = timezone.now()
    made = chain(evidence_rows.gather(rollout, events, now=now))
    links = {link["key"]: link for link in made["links"]}
    return {
        "rollout": rollout,
        "chain": made,
        "links": links,
        "gateways": links["actions"]["rows"][:GATEWAYS_MOST],
        "gateways_left": max(0, len(links["actions"]["rows"]) - GATEWAYS_MOST),
        "events": len(events),
        "behind": record_index.behind(),
        "now": now,
    }


def _json(made: dict[str, Any], events: list[AuditEvent]) -> str:
    leaned_on = [json.loads(record_forms.line(event)) for event in events]
    return evidence_rows.as_json({**made, "events": leaned_on})


def _html(context: dict[str, Any]) -> str:
    every = context["links"]["actions"]["rows"]
    return loader.render_to_string("upgrader/evidence_file.html", {**context, "gateways": every, "gateways_left": 0})
