"""The record for programs: list, export for the verifier, verify. Reading it stands in the record, too."""

from __future__ import annotations

import io
import json
import tempfile
from typing import Annotated, Any

from django.http import FileResponse, HttpRequest, HttpResponseBase
from ninja import Field, Query, Router, Schema

from approvals import audit, record_filter, record_index, record_reads, rights
from approvals.models import AuditEvent
from approvals.needed import lacking
from approvals.record_filter import EventFilter
from upgrader.api_v1 import caller, paging
from upgrader.api_v1.caller import READ, Caller
from upgrader.api_v1.paging import Listed
from upgrader.api_v1.problems import Problem
from upgrader.api_v1.shapes import Text

router = Router(tags=["audit"])
RIGHT = "approvals.view_auditevent"
Word = Annotated[Text, Field(max_length=80)]


class Wanted(Schema):
    """What is looked for; an empty field asks for nothing. `since` and `until`: 2026-11-23 or 2026-11-23T14:05, UTC."""

    actor: Word = ""
    verb: Word = Field("", description="An action, or the first part of several: “rollout.”")
    subject: Word = Field("", description="“rollout:12”")
    rollout: Word = ""
    gateway: Word = ""
    release: Word = ""
    since: Word = ""
    until: Word = ""
    limit: int = Field(100, ge=1, le=paging.MOST)
    cursor: str = Field("", max_length=60)


@router.get("/audit", auth=READ, response=Listed, summary="Events, the newest first")
def audit_list(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """What a filter selects."""
    who = reader(request)
    asked = EventFilter.of(wanted.dict(exclude={"limit", "cursor"}))
    if asked.faults:
        raise Problem(422, asked.faults[0])
    if asked.rollout or asked.gateway or asked.release:
        record_index.catch_up()
    before = paging.after(wanted.cursor) if wanted.cursor else 0
    found = record_filter.page(asked, most=wanted.limit, before=before)
    record_reads.note_look(asked.said, actor=who.actor, now=who.now)
    return {"items": [said(event) for event in found.events], "next": paging.cursor(found.older) if found.older else ""}


@router.get("/audit/export", auth=READ, summary="The whole record, as the verifier reads it")
def audit_export(request: HttpRequest) -> HttpResponseBase:
    """JSON lines for `python -m approvals.verify`: nothing of this product is needed to check them."""
    who = reader(request)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    count = audit.export(text)
    text.detach()
    record_reads.note_export({"form": "whole", "count": count}, actor=who.actor, now=who.now)
    file.seek(0)
    return FileResponse(file, content_type="application/x-ndjson", as_attachment=True, filename="record.ndjson")


@router.post("/audit/verify", auth=READ, summary="Walk the whole chain")
def audit_verify(request: HttpRequest) -> dict[str, Any]:
    """Whether every event is what was written, and which one is not."""
    who = reader(request)
    walked = audit.walk()
    record_reads.note_look({"verify": "all"}, actor=who.actor, now=who.now)
    found = walked.finding
    told = {"seq": found.seq, "kind": found.kind, "say": found.say} if found else None
    return {"good": found is None, "events": walked.count, "say": walked.sentence(), "finding": told}


def reader(request: HttpRequest) -> Caller:
    """Who may read the record. It is about all pools, so a token that is bound to some does not reach it."""
    who = caller.of(request)
    who.demand(rights.EVERYTHING)
    if not rights.everywhere(who.user, RIGHT):
        raise Problem(403, lacking(RIGHT))
    return who


def said(event: AuditEvent) -> dict[str, Any]:
    """The event as it was hashed, with its number and hashes."""
    return {"seq": event.seq, "hash": event.hash, "prev_hash": event.prev_hash, **json.loads(event.body)}
