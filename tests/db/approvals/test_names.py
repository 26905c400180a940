"""Names of VPN users: pseudonyms in the record, names beside it for a while, and forgetting breaks no proof."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from approvals import audit, checkpoints, names, proof
from approvals.models import Actor, AuditEvent, UserName
from approvals.story import Told, tell
from fleet.models import Ticket

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def cut(*users: str, now: datetime = NOW) -> list[list[str]]:
    with transaction.atomic():
        pairs = names.hidden([(f"s{number}", user) for number, user in enumerate(users)], now=now)
        audit.append("step.done", subject="upgrade:1", actor=Actor.machine("engine"), at=now, details={"cut": pairs})
    return pairs


def newest() -> Told:
    return names.told([tell(AuditEvent.objects.latest("seq"))])[0]


def test_the_record_has_the_pseudonym_and_the_page_the_name() -> None:
    ((session, pseudonym), nobody) = cut("wang", "")
    assert (session, nobody) == ("s0", ["s1", ""])
    assert pseudonym.startswith(names.PREFIX)
    assert "wang" not in AuditEvent.objects.latest("seq").body
    assert newest().details == {"cut": [["s0", "wang"], ["s1", ""]]}


def test_one_user_has_one_pseudonym_a_day() -> None:
    same = {cut("wang")[0][1], cut("wang", now=NOW + timedelta(hours=23))[0][1]}
    assert len(same) == 1
    assert cut("wang", now=NOW + timedelta(days=1))[0][1] not in same


def test_a_pseudonym_stands_for_itself() -> None:
    pair = cut("wang")[0]
    assert names.hidden([pair], now=NOW) == [pair]
    assert UserName.objects.count() == 1


def test_what_else_stands_in_a_pair_stays() -> None:
    assert names.hidden([("s0", "", "192.0.2.7")], now=NOW) == [["s0", "", "192.0.2.7"]]


def test_names_go_when_their_time_is_over(settings: Any) -> None:
    settings.NAMES_DAYS = 90
    cut("wang")
    assert names.forget_old(NOW + timedelta(days=90)) == 0
    assert names.forget_old(NOW + timedelta(days=90, seconds=1)) == 1
    assert AuditEvent.objects.latest("seq").verb == "names.expired"
    assert names.forget_old(NOW + timedelta(days=91)) == 0


def test_forgetting_breaks_no_proof_and_is_on_record_without_the_name() -> None:
    pseudonym = cut("wang", "li")[0][1]
    Ticket.objects.create(user="Wang", reported_at=NOW, received_at=NOW, reported_by="noc")
    checkpoints.make(now=NOW)
    before = proof.whole()
    call_command("forget", "wang", why="He asked for it.", stdout=StringIO())
    after = proof.whole()
    assert (before.finding, after.finding, after.witness.good) == (None, None, before.witness.good)
    event = AuditEvent.objects.latest("seq")
    told = json.loads(event.body)
    assert (told["verb"], told["details"]) == ("names.forgotten", {"pseudonyms": 1, "complaints": 1})
    assert "wang" not in event.body.lower()
    assert names.behind([pseudonym]) == {}
    assert [row.name for row in UserName.objects.all()] == ["li"]
    assert Ticket.objects.get().user == ""


def test_who_is_not_known_can_not_be_forgotten() -> None:
    with pytest.raises(CommandError, match="Nobody named wang is known here"):
        call_command("forget", "wang", why="He asked for it.")
    with pytest.raises(CommandError, match="The reason says the name"):
        call_command("forget", "wang", why="Wang asked for it.")
    assert not AuditEvent.objects.exists()
