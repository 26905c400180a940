"""A past rollout judged again: by its own limits as it was judged then, by others as they would have."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from approvals.models import AuditEvent
from fleet.models import Sample, Ticket
from tests.db.upgrader.world import NEW, Fleet
from upgrader import plans
from upgrader.models import Rollout, Verdict
from upgrader.replay import replay

STRICT = "title: Strict\nwaves:\n  - rest: true\nlimits:\n  login_success_min: 1.0\n"


def gone_bad(fleet: Fleet) -> Rollout:
    for gateway in fleet.machines.values():
        gateway.faults.bad_logins_after[NEW] = 3
    return fleet.until(fleet.started(), "rolled_back", seconds=90)


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("judge", "replay", *arguments, stdout=out)
    return out.getvalue()


def test_a_fail_is_drawn_again_at_the_same_look(fleet: Fleet) -> None:
    rollout = gone_bad(fleet)
    (one,) = replay(rollout, plans.spec_of(rollout).limits)
    then = Verdict.objects.get(wave__rollout=rollout, final=True)
    assert (one.was, str(one.now.outcome), one.now.sentence) == ("fail", "fail", then.sentence)
    assert one.fired_at is not None
    assert abs((then.at - one.fired_at).total_seconds()) <= 1
    users = then.numbers["metrics"]["logins"]["canary"]["failed"]
    assert one.failed_before == then.numbers["canary"]["failed"] + users


def test_looser_limits_would_have_fired_later_or_not(fleet: Fleet) -> None:
    rollout = gone_bad(fleet)
    limits = plans.spec_of(rollout).limits
    (loose,) = replay(rollout, replace(limits, login_success_min=0.3))
    assert loose.fired_at is None
    assert loose.now.outcome != "fail"


def test_a_good_rollout_has_one_line_a_share(fleet: Fleet, tmp_path: Path) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    strict = tmp_path / "strict.yaml"
    strict.write_text(STRICT)
    events = AuditEvent.objects.count()
    lines = told(str(rollout.pk), "--strategy", str(strict)).splitlines()
    assert [line.split(",")[0] for line in lines] == ["Wave 1 at 25 %", "Wave 1 at 100 %"]
    assert all("would not have fired" in line for line in lines)
    assert AuditEvent.objects.count() == events, "it only reads"


def test_as_json_it_has_the_numbers(fleet: Fleet) -> None:
    (one,) = json.loads(told(str(gone_bad(fleet).pk), "--json"))
    assert (one["wave"], one["share"], one["was"], one["outcome"]) == (1, 25, "fail", "fail")
    assert one["numbers"]["metrics"]["probes"]["critical"] is True


def test_complaints_of_its_time_are_judged_like_the_rest(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    limits = plans.spec_of(rollout).limits
    quiet = replay(rollout, limits)
    gateway = rollout.waves.get(number=1).upgrades.get().gateway
    about = {"gateway": gateway, "release": NEW, "reported_by": "noc", "found": Ticket.Found.SESSION}
    for turn in range(30):
        at = quiet[0].began + timedelta(milliseconds=turn)
        Ticket.objects.create(reported_at=at, received_at=at, **about)
    loud = replay(rollout, limits)
    assert [one.now.numbers["metrics"].get("complaints", {}).get("canary") for one in quiet] == [None, None]
    assert loud[0].now.numbers["metrics"]["complaints"]["canary"]["failed"] == 30


def test_without_samples_it_says_so(fleet: Fleet) -> None:
    rollout = gone_bad(fleet)
    Sample.objects.all().delete()
    assert told(str(rollout.pk)) == "No sample of its observations is left.\n"


def test_what_cannot_be_read_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    rollout = fleet.draft()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(STRICT.replace("1.0", "high"))
    with pytest.raises(CommandError, match="Line 5: login_success_min"):
        told(str(rollout.pk), "--strategy", str(wrong))
    with pytest.raises(CommandError, match="There is no rollout 4711"):
        told("4711")
