"""Every address as every role, on the own pool and on another: the answer is what upgrader/rights_table.py says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from django.template.backends.django import Template
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from approvals import people_journal
from approvals.models import AuditEvent
from approvals.roles import POOL, ROLES
from tests import sights
from tests.rights_world import FOREIGN, MACHINE, World, build
from tests.rights_world import OWN as OWN_POOL
from upgrader import rights_doc
from upgrader.rights_table import LINES, Answer, Holder, Of, answer
from upgrader.states import ACTION_PERMISSION

RIGHT = re.compile(r"[Yy]ou may not|[Tt]he right\b")
REFUSED = (403, 409, 422)
MOVES = ("rollout-move", "api-rollout-move")
VARIANTS = {
    **{f"{name} {act}": {"path": act.replace("_", "-")} for name in MOVES for act in ACTION_PERMISSION},
    **{f"duty-end {name}": {"kind": name} for name in ("shift", "cover")},
    **{f"alert-act {name}": {"action": name} for name in ("adopt", "put-back")},
}
UNNAMED = {"identity-propose", "policy-propose", "rollout-new"}
"""Refused before the right is looked up, for something else or because there is no such pool."""
COST = ("nobody-at-all", "operator-pool", "administrator-all")
"""Five seconds each; HANDOVER_ALL_ROLES=1 walks as every holder of the table."""
ONE_OF_A_KIND = (Of.NOTHING, Of.FLEET, Of.SHOWN, Of.CHANNEL)


class Asked(NamedTuple):
    """One request of the walk."""

    method: str
    name: str
    path: str
    data: Mapping[str, Any]
    wanted: Answer | int
    of: Of


class Got(NamedTuple):
    status: int
    text: str
    did: bool  # something stands on the record because of it


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Built once for a whole walk. Pages are not drawn: what they would be given says why something was refused."""

    def given(_: Template, context: Mapping[str, Any] | None = None, request: Any = None) -> str:
        known = context or {}
        return " ".join(str(known.get(name) or "") for name in ("refusal", "exception", "missing", "choice"))

    made = build()
    monkeypatch.setattr(Template, "render", given)
    return made


def form(world: World, line: str, *, here: bool) -> dict[str, Any]:
    """Something for every field that a form may have."""
    place = world.own if here else world.foreign
    words = dict.fromkeys(("why", "reason", "say", "note", "text", "title", "taker"), "Because of it.")
    times = {"from": "22:00", "until": "04:00", "start": "22:00", "days-0": "mon", "days": "mon", "zone": "UTC"}
    times |= {"begins": "2040-01-01T08:00", "ends": "2040-01-01T09:00", "hours": "4"}
    chosen = {"release": place.at["release_id"], "strategy": place.at["strategy_id"], "version": "1"}
    person = {"role": "operator", "scope": f"pool:{place.pool.pk}", "person": f"looks-{place.pool.pk}"}
    special = {
        "delegation-give": {"taker": place.at["person_id"]},
        "identity-propose": {"user": place.at["person_id"], "person": place.at["person_id"]},
        "contact-add": {"pool": ""},
        "webhook-add": {"pool": ""},
        "credential-rotate": {"kind": "ssh-key"},
        "channel-policy": {"threshold": "1", "max_age_days": "0"},
        "key-add": {"key": sights.OPERATORS},
    }.get(line, {})
    return words | times | chosen | person | {"pool": place.pool.pk, "digest": "0" * 64} | special


def walk(world: World, holder: Holder) -> Iterator[Asked]:
    """Every line of the table as it is for this holder."""
    for name, line in LINES.items():
        route = name.partition(" ")[0]
        for here in (True,) if line.of in ONE_OF_A_KIND else (True, False):
            parts = (world.own if here else world.foreign).parts(route) | VARIANTS.get(name, {})
            path = reverse(route, kwargs={part: parts[part] for part in PARTS[route]})
            with_release = {"with": world.own.at["release_id"]}
            for method, right, data in (
                ("get", line.get, with_release),
                ("post", line.post, form(world, name, here=here)),
            ):
                wanted = 405 if right is None else answer(line, right, holder, here=here)
                yield Asked(method, name, path, data, wanted, line.of)


PARTS = {name: tuple(re.findall(r"<(?:\w+:)?(\w+)>", path)) for name, path in rights_doc.addresses()}


def ask(client: Client, asked: Asked, **headers: str) -> Got:
    """One request of which nothing stays."""
    before = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first()
    with transaction.atomic():
        page = getattr(client, asked.method)(asked.path, asked.data, headers=headers)
        after = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first()
        transaction.set_rollback(True)
    return Got(page.status_code, bytes(getattr(page, "content", b"")).decode(), before != after)


def fits(asked: Asked, got: Got) -> bool:
    """Whether the answer is the one of the table."""
    match asked.wanted:
        case Answer.HIDDEN:
            return got.status == 404 and not got.did
        case Answer.NO:  # a foreign pool in a form may as well be said not to be there
            unknown = got.status == 404 and asked.of is Of.NAMED
            return (got.status in REFUSED or unknown) and not got.did
        case Answer.YES:
            by_right = got.status in REFUSED and bool(RIGHT.search(got.text))
            return got.status not in (401, 403, 404, 405) and not by_right
        case status:
            return got.status == status


@pytest.mark.parametrize("part", [False, True], ids=["page", "part"])
def test_every_role_gets_the_answer_of_the_table(world: World, part: bool) -> None:
    wrong, named, meant = [], set(), set()
    headers = {"HX-Request": "true"} if part else {}
    everybody = os.environ.get("HANDOVER_ALL_ROLES") == "1"
    for holder, person in world.people:
        if not everybody and person.username not in COST:
            continue
        client = Client(raise_request_exception=False)
        client.force_login(person)
        for asked in walk(world, holder):
            if part and asked.method == "post":
                continue
            got = ask(client, asked, **headers)
            if asked.wanted == Answer.NO and asked.method == "post":
                meant.add(asked.name)
                named |= {asked.name} if got.status == 403 or RIGHT.search(got.text) else set()
            if not fits(asked, got):
                wrong.append(
                    f"{holder.title}: {asked.method} {asked.path} {asked.name}: {got} not {asked.wanted}"[:300]
                )
    assert "\n".join(wrong) == ""
    assert meant - named - UNNAMED == set()


def test_nothing_of_another_pool_is_shown() -> None:
    world = build()
    holder, person = next(one for one in world.people if one[0].kind == POOL)
    scope = f"pool:{world.own.pool.pk}"
    for role in ROLES.values():
        if POOL in role.kinds:
            people_journal.give(person, role.name, scope, actor=MACHINE, now=timezone.now(), why="All of them.")
    client = Client()
    client.force_login(person)
    pages = [asked for asked in walk(world, holder) if asked.method == "get" and asked.wanted == Answer.YES]
    shown = {asked.path: ask(client, asked).text for asked in pages}
    assert [path for path, text in shown.items() if FOREIGN in text] == []
    assert sum(OWN_POOL in text for text in shown.values()) > 30
