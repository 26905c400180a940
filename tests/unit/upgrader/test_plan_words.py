"""What a plan says to those who approve it."""

from __future__ import annotations

from typing import Any

from upgrader import plan, plan_words
from upgrader.plan_waves import Target

RELEASE = {"name": "1.3.0-2", "version": "1.3.0", "digest": "a" * 64, "state_migration": False}


def built(spec: dict[str, Any], *targets: Target) -> dict[str, Any]:
    how = {"name": "x", "version": 1, "title": "X", "spec": spec}
    made = targets or (Target(1, "gw-1", "1.1.6", 4, ""),)
    return plan.build(release=RELEASE, pool="eu", strategy=how, targets=made)


def said(spec: dict[str, Any]) -> dict[str, str]:
    return dict(plan_words.rules(built(spec)))


def test_the_plan_holds_the_whole_strategy() -> None:
    made = built({"waves": [{"rest": True}]})
    assert made["spec"]["drain"]["deadline_hours"] == 24
    assert made["waves"][0]["observe_seconds"] == 900
    assert (made["passes"], made["cut"], made["left_out"]) == ([], 0, [])
    entry = {"id": 1, "name": "gw-1", "from": "1.1.6", "sessions": 4, "way": "handover", "cut": 0}
    assert made["waves"][0]["gateways"] == [entry | {"group": "", "domain": ""}]


def test_users_who_will_be_cut_are_named_with_their_gateways() -> None:
    hit = Target(2, "gw-2", "1.1.6", 7, "", way="in_place", cut=7)
    made = built({"waves": [{"rest": True}]}, Target(1, "gw-1", "1.1.6", 4, ""), hit)
    assert made["cut"] == 7
    assert plan_words.cut_say(made).startswith("Up to 7 users will be cut: gw-2 (7) can't hold two releases")
    assert plan_words.cut_say(built({"waves": [{"rest": True}]})) == ""


def test_a_drain_says_who_is_cut_and_when() -> None:
    assert said({"waves": [{"rest": True}]})["Old slots"].startswith(
        "Each ends when nobody is left. After 1 d people are asked, and nobody is cut before."
    )
    cut = {"drain": {"at_deadline": "cut", "cut_at_most": 3, "sessions_max": 1, "deadline_hours": 2}}
    words = said({"waves": [{"rest": True}], **cut})["Old slots"]
    assert "at most 1 user is left, who is cut then. After 2 h up to 3 users a gateway are cut" in words


def test_a_fail_says_what_it_takes_back() -> None:
    whole = said({"waves": [{"rest": True}], "on_fail": "rollout", "failures_max": 2})["A FAIL"]
    assert whole.startswith("Takes back every gateway whose old slot is still there by itself, and checks")
    assert "More than 2 gateways that failed or don't answer holds it." in whole
    assert "The first gateway" in said({"waves": [{"rest": True}]})["A FAIL"]


def test_unobserved_says_so() -> None:
    assert said({"waves": [{"rest": True}], "observe_seconds": 0})["Observation"].startswith("None:")


def test_an_emergency_says_so() -> None:
    assert "Emergency" in said({"waves": [{"rest": True}], "emergency": True})
    assert "Emergency" not in said({"waves": [{"rest": True}]})


def test_ends_add_up_and_older_plans_have_none() -> None:
    made = built({"waves": [{"count": 1}, {"rest": True}]}, *(Target(n, f"gw-{n}", "1", n, "") for n in range(3)))
    first, second = plan_words.ends(made)
    assert (first.after, second.after) == (first.seconds, first.seconds + second.seconds)
    del made["waves"][1]["seconds"]
    assert plan_words.ends(made) == []
