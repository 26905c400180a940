"""Releases: what may run, taken in, passed on, withdrawn."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from approvals import rights
from releases import channels, intake, selectors, services
from releases.models import Release
from releases.release_views import YANK
from upgrader.api_v1 import approvals, caller, shapes
from upgrader.api_v1.caller import OPERATE, READ, Caller
from upgrader.api_v1.paging import Listed, Paged, page
from upgrader.api_v1.problems import Problem

router = Router(tags=["releases"])
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "description": f"One part for each file: {', '.join(intake.FILES)}, and further signatures.",
                    "additionalProperties": {"type": "string", "format": "binary"},
                }
            }
        },
    }
}


@router.get("/releases", auth=READ, response=Listed, summary="List releases, the newest first")
def release_list(request: HttpRequest, asked: Paged, channel: str = "", state: str = "") -> dict[str, Any]:
    """`channel` and `state` ("ready", "yanked") narrow it."""
    rows = selectors.releases_for(caller.of(request).user)
    for column, value in (("channel", channel), ("state", state)):
        rows = rows.filter(**{column: value.replace("\x00", "")[:20]}) if value else rows
    return page(rows, asked, row_json)


@router.post("/releases", auth=OPERATE, summary="Add a release by upload", openapi_extra=FORM)
def release_add(request: HttpRequest) -> HttpResponse:
    """All files of it as multipart/form-data. 422 names the check that failed; then nothing is kept."""
    who = caller.of(request)
    who.demand(rights.EVERYTHING)
    if not rights.everywhere(who.user, intake.RIGHT):
        raise Problem(403, intake.MAY_NOT)
    return whole(intake.take_in(request), status=HTTPStatus.CREATED)


@router.get("/releases/{int:release_id}", auth=READ, summary="One release")
def release_one(request: HttpRequest, release_id: int) -> HttpResponse:
    """With who signed it and when."""
    return whole(seen(caller.of(request), release_id))


@router.post("/releases/{int:release_id}/pass", auth=OPERATE, summary="Pass it on to the next channel")
def release_pass(request: HttpRequest, release_id: int, said: shapes.Why) -> HttpResponse:
    """200 with the release; 202 with the request where a test is not green, so that another person decides."""
    who = caller.of(request)
    who.demand(rights.EVERYTHING)
    release = seen(who, release_id)
    asked = channels.pass_on(release, by=who.user, actor=who.actor, now=who.now, reason=said.reason)
    return asked_json(asked.pk, who) if asked else whole(seen(who, release_id))


@router.post("/releases/{int:release_id}/withdraw", auth=OPERATE, summary="Withdraw it")
def release_withdraw(request: HttpRequest, release_id: int, said: shapes.Why) -> HttpResponse:
    """No new step uses it. The second time nothing happens."""
    who = caller.of(request)
    who.demand(rights.EVERYTHING)
    release = seen(who, release_id)
    if not rights.may(who.user, YANK, rights.EVERYTHING):
        raise Problem(403, f"Withdrawing a release needs the right “{rights.said(YANK)}”.")
    services.yank(release, reason=said.reason, actor=who.actor, now=who.now)
    return whole(seen(who, release_id))


def asked_json(request_id: int, who: Caller) -> HttpResponse:
    """202: it was asked, and another person decides."""
    body = approvals.said(approvals.found(who, request_id))
    return JsonResponse(body, status=HTTPStatus.ACCEPTED, headers={"Location": f"/api/v1/approvals/{request_id}"})


def seen(who: Caller, release_id: int) -> Release:
    release = selectors.releases_for(who.user).filter(pk=release_id).first()
    if release is None:
        raise Problem(404, f"There is no release {release_id}, or you may not see it.")
    return release


def whole(release: Release, *, status: int = HTTPStatus.OK) -> HttpResponse:
    signed = release.signatures.order_by("pk").values("name", "identity", "signed_at")
    more = {"provenance": release.provenance, "contents": release.contents, "changelog": release.changelog}
    return JsonResponse(row_json(release) | more | {"signatures": list(signed)}, status=status)


def row_json(release: Release) -> dict[str, Any]:
    names = ("name", "product", "version", "architecture", "channel", "state", "state_reason", "digest", "sha256")
    told = {name: getattr(release, name) for name in names}
    by = release.added_by.username if release.added_by else None
    return {"id": release.pk, **told, "size": release.size, "added_at": release.added_at, "added_by": by}
