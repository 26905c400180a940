"""What the chain says, and what it says is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from upgrader.evidence_chain import Gathered, chain

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PLAN = "a" * 64


def step(name: str, fence: int, **columns: Any) -> dict[str, Any]:
    return {"ordinal": fence, "name": name, "args": {}, "state": "done", "fence": fence, "attempts": 1, **columns}


def event(seq: int, verb: str, **details: Any) -> dict[str, Any]:
    return {"seq": seq, "at": AT, "verb": verb, "who": "amara", "why": "", "subject": "rollout:1", "details": details}


def gateway(**columns: Any) -> dict[str, Any]:
    about = {
        "name": "fra-gw-01",
        "wave": 1,
        "state": "done",
        "way": "handover",
        "reason": "",
        "steps": [step("shift", 7)],
    }
    return {**about, "before": 4, "kept": 3, "left": 1, "cut": 0, "cut_users": [], **columns}


def whole() -> Gathered:
    yes = {"by": "li", "yes": True, "reason": "", "digest": PLAN, "at": AT}
    about = {"id": 1, "release": "1.3.0-2", "state": "done", "digest": PLAN, "recomputed": PLAN, "created_by": "amara"}
    return Gathered(
        rollout={**about, "created_at": AT},
        signatures=[{"who": "Release desk", "bad": ""}],
        runs=[{"part": "static", "state": "done"}],
        requests=[{"id": 3, "state": "approved", "needed": 1, "digest": PLAN, "decisions": [yes]}],
        waves=[{"number": 1, "state": "passed", "reason": "", "verdicts": [{"final": True}]}],
        gateways=[gateway()],
        events=[
            event(1, "rollout.drafted"),
            event(9, "step.done", gateway="fra-gw-01", step="shift", fence=7),
        ],
    )


def test_a_whole_chain_lacks_nothing_and_names_its_events() -> None:
    made = chain(whole())
    assert made["missing"] == []
    links = {link["key"]: link["rows"] for link in made["links"]}
    assert links["actions"][0]["steps"][0]["event"] == 9
    assert (links["approval"][0]["drafted_by"], links["approval"][0]["event"]) == ("amara", 1)
    assert links["users"][0] | {"cut_on": []} == {
        **{"gateways": 1, "measured": 1, "before": 4, "kept": 3, "left": 1, "cut": 0, "cut_on": []}
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"signatures": []}, "Signatures of the release: nobody who counts today has signed it."),
        ({"signatures": [{"who": "Li", "bad": "it expired"}]}, "Li's no longer counts: it expired"),
        ({"runs": []}, "Test matrix: no test matrix ran for 1.3.0-2."),
        ({"runs": [{"part": "stress", "state": "failed"}]}, "stress did not run to the end."),
        ({"requests": []}, "something was done, and no approval of this plan is there."),
        ({"events": []}, "the record has no event of 1 step that ended: fra-gw-01 shift."),
        ({"events": []}, "the record has no event of its drafting."),
        ({"gateways": [gateway(steps=[])]}, "nothing was done on any gateway yet."),
        ({"gateways": [gateway(kept=None)]}, "sessions kept were not measured on fra-gw-01."),
        ({"gateways": [gateway(state="rolled_back")]}, "no restore that was verified on fra-gw-01."),
        (
            {"waves": [{"number": 2, "state": "passed", "reason": "", "verdicts": []}]},
            "wave 2 passed without a verdict",
        ),
    ],
)
def test_what_is_missing_is_said(change: dict[str, Any], says: str) -> None:
    assert any(says in say for say in chain(replace(whole(), **change))["missing"])


def test_another_plan_than_the_approved_one_is_said() -> None:
    seen = whole()
    missing = chain(replace(seen, rollout={**seen.rollout, "recomputed": "b" * 64, "state": "failed"}))["missing"]
    assert [say.partition(":")[0] for say in missing] == ["Approved plan", "Rollback"]


def test_a_way_back_is_told_in_order_with_what_verified_it() -> None:
    seen = whole()
    turned = event(12, "rollout.moved", before="upgrading", after="rolling_back")
    back = gateway(
        state="rolled_back", cut=1, cut_users=["u-1"], steps=[step("restore", 8, say="1.1.6-2 serves again.")]
    )
    made = chain(replace(seen, events=[*seen.events, turned], gateways=[back]))
    rollback = made["links"][5]["rows"]
    assert (rollback[0]["seq"], rollback[1]["step"]["say"]) == (12, "1.1.6-2 serves again.")
    assert made["links"][6]["rows"][0]["cut_on"] == [{"gateway": "fra-gw-01", "users": ["u-1"]}]
