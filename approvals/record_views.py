"""The record for an auditor: what a filter selects, as a page, to print, and as a file."""

from __future__ import annotations

import secrets
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals import names, proof, record_export, record_filter, record_index, record_reads, record_sample, story
from approvals.errors import Refused
from approvals.models import User
from approvals.needed import needs
from approvals.people import actor
from approvals.record_filter import EventFilter
from approvals.record_forms import WRITERS
from approvals.story import tell

PAGE = 60
PRINT_MOST = 2_000  # events on a printed page
PEOPLE_MOST = 300  # names that are offered


def number(request: HttpRequest, name: str, otherwise: int = 0) -> int:
    """A whole number from the query; what is none is `otherwise`."""
    text = str(request.GET.get(name, ""))
    return int(text) if text.isdecimal() and len(text) < 16 else otherwise


@require_safe
@needs("approvals.view_auditevent")
def record(request: HttpRequest) -> HttpResponse:
    """The record, newest first; ?verify=1 verifies its last events and says what it looked at and found."""
    asked, now = EventFilter.of(request.GET), timezone.now()
    context = {
        "asked": asked,
        "behind": record_index.catch_up() if any(getattr(asked, kind) for kind in record_filter.ABOUT) else 0,
        "page": (page := _page(request, asked)),
        "told": names.told(tell(event) for event in page.events),
        "proof": proof.standing(now),
        "verified": proof.look() if "verify" in request.GET else None,
        "people": _people(),
        "says": story.SAYS,
        "seed": secrets.token_hex(4),
        "size": record_sample.USUAL,
    }
    record_reads.note_look(asked.said, actor=actor(request), now=now)
    return render(request, "approvals/record.html", context)


@require_safe
@needs("approvals.view_auditevent")
def record_file(request: HttpRequest, form: str) -> HttpResponse:
    """What the filter selects as a file; with ?seed= a sample of its changes."""
    if form not in WRITERS:
        raise Http404(f"The record is handed out as {', '.join(WRITERS)}, not as {form}.")
    if request.method == "HEAD":
        return HttpResponse(content_type=WRITERS[form][0])
    asked, now = EventFilter.of(request.GET), timezone.now()
    try:
        made = record_export.make(_selected(request, asked), asked, form=form, now=now)
    except Refused as no:
        return render(request, "approvals/record_refused.html", {"say": no.say, "asked": asked}, status=422)
    record_reads.note_export(made.about, actor=actor(request), now=now)
    return cast("HttpResponse", record_export.Poured(made))  # what streams is none by Django's types


@require_safe
@needs("approvals.view_auditevent")
def record_print(request: HttpRequest) -> HttpResponse:
    """The same to print: a sample change by change, else event by event."""
    asked, now = EventFilter.of(request.GET), timezone.now()
    selected = _selected(request, asked)
    rows = list(zip(range(PRINT_MOST + 1), selected, strict=False))
    events = [event for _, event in rows[:PRINT_MOST]]
    context = {
        "asked": asked,
        "now": now,
        "drawn": selected.drawn,
        "answers": _answers(selected),
        "told": [] if selected.drawn else [tell(event) for event in events],
        "more": len(rows) > PRINT_MOST,
        "most": PRINT_MOST,
    }
    about: dict[str, Any] = {"filter": asked.said, "form": "print", "count": len(events)}
    about |= {"sample": selected.drawn.said} if selected.drawn else {}
    record_reads.note_export(about, actor=actor(request), now=now)
    return render(request, "approvals/record_print.html", context)


def _page(request: HttpRequest, asked: EventFilter) -> record_filter.Page:
    before, after = number(request, "before"), number(request, "after")
    return record_filter.page(asked, most=PAGE, before=before, after=after)


def _selected(request: HttpRequest, asked: EventFilter) -> record_export.Selected:
    record_index.catch_up(most=10_000_000)  # a file has to be whole
    upto = min(number(request, "upto", otherwise=1 << 62), record_export.head())
    seed = str(request.GET.get("seed", "")).strip()[:40]
    size = number(request, "size", otherwise=record_sample.USUAL)
    return record_export.select(asked, upto=upto, seed=seed, size=size)


def _answers(selected: record_export.Selected) -> list[record_sample.Answer]:
    drawn = selected.drawn
    if drawn is None:
        return []
    return [
        record_sample.Answer(change, [tell(event) for event in record_sample.events_of(change, drawn.upto)])
        for change in drawn.changes
    ]


def _people() -> list[str]:
    return list(User.objects.order_by("username").values_list("username", flat=True)[:PEOPLE_MOST])
