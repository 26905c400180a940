"""Configurations as revisions: the first as it is, the next by one word or by two, signed, and sealed."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from approvals import changes
from approvals import statement as statements
from approvals.errors import Refused
from approvals.models import Actor, ApproverKey, AuditEvent, Request, User
from fleet.gateways.holdings import CONF
from fleet.models import Credential, Gateway, Pool
from releases import configs
from releases.configs import Place
from releases.models import ConfigRevision, Release

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
FIRST = CONF + "key-pin = 4711\n"
SOFT = FIRST.replace("dpd = 60", "dpd = 90")
HARD = FIRST + "connect-script = /usr/bin/true\n"


class Desk:
    """One pool with one gateway; ola proposes, cal approves and has a key, ada may only look."""

    def __init__(self, folder: Path) -> None:
        self.pool = Pool.objects.create(name="eu-west")
        facts = {"conf": {"agreed_sha256": configs.digest(FIRST)}}
        self.gateway = Gateway.objects.create(
            name="gw-1", pool=self.pool, address="gw-1", release="1.1.6-3", facts=facts
        )
        self.place = Place(self.pool)
        self.ola, self.cal = self.person("ola", "propose_config"), self.person("cal", "approve_config")
        self.ada = self.person("ada")
        self.key = folder / "key"

    def person(self, name: str, *codenames: str) -> User:
        user = User.objects.create(username=name)
        for codename in (*codenames, "view_pool"):
            assign_perm(codename, user, self.pool)
        return user

    def propose(self, text: str, *, by: User | None = None, place: Place | None = None) -> ConfigRevision:
        by = by or self.ola
        return configs.propose(place or self.place, text, note="because", by=by, actor=who(by), now=NOW)

    def decide(self, row: ConfigRevision, *, yes: bool = True, by: User | None = None) -> ConfigRevision:
        by, request = by or self.cal, Request.objects.get(subject=f"config:{row.pk}")
        words: Any = {"yes": yes, "reason": "seen", "digest": request.digest}
        changes.decide(request, by=by, now=NOW, actor=who(by), **words)
        row.refresh_from_db()
        return row

    def give_key(self, user: User) -> None:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        public = " ".join(self.key.with_suffix(".pub").read_text().split()[:2])
        ApproverKey.objects.create(user=user, public_key=public, fingerprint="SHA256:x", added_at=NOW)

    def sign(self, text: str) -> str:
        return run("ssh-keygen", "-q", "-Y", "sign", "-n", "handover", "-f", str(self.key), stdin=text)


def run(*argv: str, stdin: str = "") -> str:
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout


def who(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk)


@pytest.fixture
def desk(db: Any, tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_first_one_is_the_file_as_it_is(desk: Desk) -> None:
    with pytest.raises(Refused, match="must be the file as it is there"):
        desk.propose(SOFT)
    row = desk.propose(FIRST)
    assert (row.number, row.state, row.state_reason) == (1, "agreed", "As it is on the gateway.")
    assert configs.text_of(row) == FIRST
    assert configs.bring(row) == (FIRST, None)


def test_no_secret_lies_open(desk: Desk) -> None:
    row = desk.propose(FIRST)
    assert "4711" not in row.masked
    assert "dpd = 60" in row.masked
    assert b"4711" not in bytes(Credential.objects.get(name=f"config:{row.pk}").sealed)
    changed = desk.propose(FIRST.replace("4711", "0815"))
    request = Request.objects.get(subject=f"config:{changed.pk}")
    assert "key-pin" in str(request.summary)
    assert "4711" not in str(request.summary) + configs.diff(changed)
    assert "0815" not in str(request.summary) + configs.diff(changed)
    assert not any("4711" in event.body for event in AuditEvent.objects.all())


def test_what_is_on_the_list_needs_one_word(desk: Desk) -> None:
    desk.propose(FIRST)
    row = desk.propose(SOFT)
    assert (row.number, row.state, row.statement) == (2, "agreed", "")
    assert "+dpd = 90" in configs.diff(row)
    told = AuditEvent.objects.filter(subject=f"config:{row.pk}").order_by("seq")
    assert [(event.verb, event.actor) for event in told] == [("config.proposed", "ola"), ("config.moved", "ola")]


def test_everything_else_waits_for_a_second_person_and_a_signature(desk: Desk) -> None:
    desk.propose(FIRST)
    row = desk.propose(HARD)
    request = Request.objects.get(subject=f"config:{row.pk}")
    assert (row.state, request.summary["payload"]["beyond"]) == ("waiting", ["connect-script"])
    assert "runs as root" in request.summary["warning"]
    with pytest.raises(Refused, match="is not agreed: it is waiting"):
        configs.bring(row)
    desk.decide(row)
    assert (row.state, row.state_reason) == ("agreed", "Agreed by cal.")
    with pytest.raises(Refused, match="No approver has signed"):
        configs.bring(row)
    desk.give_key(desk.cal)
    for _ in range(2):
        assert configs.add_signature(row, desk.sign(row.statement), by=desk.cal, actor=who(desk.cal), now=NOW) == "cal"
    text, statement = configs.bring(row)
    assert (text, statement and [name for name, _ in statement.signatures]) == (HARD, ["cal.sig"])
    assert AuditEvent.objects.filter(verb="config.signed").count() == 1


def test_as_many_must_sign_as_gateways_ask_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "NEEDED", [lambda: 2])
    desk.propose(FIRST)
    row = desk.decide(desk.propose(HARD))
    desk.give_key(desk.cal)
    configs.add_signature(row, desk.sign(row.statement), by=desk.cal, actor=who(desk.cal), now=NOW)
    assert "1 of 2 approvers has signed it; gateways ask for 2, so 1 more must sign." in configs.why_not(row)
    with pytest.raises(Refused, match="so 1 more must sign"):
        configs.bring(row)


def test_nobody_agrees_to_his_own(desk: Desk) -> None:
    desk.propose(FIRST)
    assign_perm("approve_config", desk.ola, desk.pool)
    row = desk.propose(HARD)
    with pytest.raises(Refused):
        desk.decide(row, by=desk.ola)
    desk.give_key(desk.ola)
    with pytest.raises(Refused, match="somebody else must sign"):
        configs.add_signature(row, desk.sign(row.statement), by=desk.ola, actor=who(desk.ola), now=NOW)


def test_a_signature_over_something_else_is_refused(desk: Desk) -> None:
    desk.propose(FIRST)
    row = desk.propose(HARD)
    desk.give_key(desk.cal)
    for signature, said in ((desk.sign("other"), "not over this statement"), ("x", "no SSH signature")):
        with pytest.raises(Refused, match=said):
            configs.add_signature(row, signature, by=desk.cal, actor=who(desk.cal), now=NOW)
    ApproverKey.objects.update(active=False)
    with pytest.raises(Refused, match="Nobody has a key"):
        configs.add_signature(row, desk.sign(row.statement), by=desk.cal, actor=who(desk.cal), now=NOW)


def test_a_no_ends_it(desk: Desk) -> None:
    desk.propose(FIRST)
    row = desk.decide(desk.propose(HARD), yes=False)
    assert (row.state, row.state_reason) == ("rejected", "Rejected by cal.")
    assert configs.agreed_for(desk.place) == ConfigRevision.objects.get(number=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FIRST, "nothing differs"),
        (FIRST.replace("dpd = 60", "dpd = soon"), "which is no number"),
        (FIRST + "banner = a\x0bb\n", "the character U\\+000B"),
        ("", "has 1 to"),
    ],
)
def test_what_can_not_be_is_refused_with_its_reason(desk: Desk, text: str, said: str) -> None:
    desk.propose(FIRST)
    with pytest.raises(Refused, match=said):
        desk.propose(text)
    assert ConfigRevision.objects.count() == 1


def test_without_the_right_nothing_is_stored(desk: Desk) -> None:
    with pytest.raises(Refused, match="You may not propose"):
        desk.propose(FIRST, by=desk.ada)
    assert (ConfigRevision.objects.count(), Credential.objects.count()) == (0, 0)


def test_a_gateways_own_goes_before_its_pools(desk: Desk) -> None:
    desk.propose(FIRST)
    own = desk.propose(SOFT, place=Place(desk.pool, desk.gateway))
    assert configs.agreed_for(Place(desk.pool, desk.gateway)) == own
    assert configs.agreed_for(desk.place) != own
    hard = desk.propose(HARD, place=Place(desk.pool, desk.gateway))
    assert '"gateway":"gw-1"' in hard.statement


def test_every_version_says_what_it_makes_of_it(desk: Desk) -> None:
    for version in ("1.1.6", "1.5.0"):
        Release.objects.create(
            name=version, version=version, counter=1, digest=configs.digest(version), size=1, added_at=NOW
        )
    desk.gateway.release = "1.1.6"
    desk.gateway.save()
    desk.propose(FIRST)
    row = desk.propose(FIRST + "ban-time = 300\n")
    assert [found.code for found in configs.findings(row)["1.1.6"]] == ["option_unknown"]
    assert configs.findings(row)["1.5.0"] == []
    assert {"1.1.6 → 1.5.0", "1.5.0 → 1.1.6"} <= configs.silent(row).keys()
    assert "cookie-timeout is not set" in " ".join(found.say for found in configs.silent(row)["1.1.6 → 1.5.0"])


@pytest.mark.parametrize(("text", "way"), [(SOFT, "reload"), (FIRST + "sec-mod-scale = 2\n", "restart")])
def test_a_plan_says_which_way_it_goes(desk: Desk, text: str, way: str) -> None:
    desk.propose(FIRST)
    row = desk.propose(text)
    told = configs.planned(row, [desk.gateway], new_release=False)
    assert (told["way"], told["number"], told["sha256"]) == (way, 2, row.sha256)
    assert configs.planned(row, [desk.gateway], new_release=True)["way"] == "restart"
    desk.gateway.facts = {}
    assert configs.planned(row, [desk.gateway], new_release=False)["way"] == "restart"


def test_what_was_asked_before_another_was_agreed_takes_nothing_back(desk: Desk) -> None:
    desk.propose(FIRST)
    waiting = desk.propose(HARD)
    desk.propose(SOFT)
    with pytest.raises(Refused, match="Since this was asked, configuration 3 was agreed"):
        desk.decide(waiting)
    waiting.refresh_from_db()
    assert waiting.state == "waiting"
    assert configs.agreed_for(desk.place) == ConfigRevision.objects.get(number=3)
    assert desk.decide(waiting, yes=False).state == "rejected"


def test_one_that_was_agreed_in_the_same_moment_is_not_overruled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = desk.propose(FIRST)
    seen = iter([first])
    real = configs.agreed_for
    desk.decide(desk.propose(HARD))
    monkeypatch.setattr(configs, "agreed_for", lambda place: next(seen, None) or real(place))
    with pytest.raises(Refused, match="was agreed just now"):
        desk.propose(SOFT)
