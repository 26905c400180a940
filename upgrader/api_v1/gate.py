"""Where a recent proof of the person is asked for: a session must have it, and a token can't.

A machine has no second factor, so a token never stands in for one.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from approvals import policies, proofs, step_up
from approvals.models import Request
from upgrader.api_v1.caller import Caller
from upgrader.api_v1.problems import Problem

WORDS = {
    proofs.PASSWORD: "a fresh password",
    proofs.SECOND_FACTOR: "a second factor",
    proofs.PASSKEY: "a passkey",
}


def wanted(who: Caller, kind: str, scope: str, subject: str = "") -> str:
    """The strength that saying yes or no to this asks for: "" for none. Refused where a policy can't be read.

    The policy of the kind, as it was when this was asked and as it is now, and what is asked of the person anyway.
    """
    asked = Request.objects.filter(kind=kind, subject=subject, state=Request.State.OPEN).first()
    rules = policies.rules_for(asked) if asked else [policies.in_force(kind, policies.scopes_of(scope)).rules]
    return max((*(one.step_up for one in rules), step_up.asked_of(who.user)), key=_rank)


def demand(request: HttpRequest, who: Caller, strength: str) -> None:
    """Problem 403 unless this call may stand for such a proof."""
    if not strength:
        return
    if who.token is not None:
        say = f"This asks for {WORDS[strength]}, and a program has none. A person decides it on the page."
        raise Problem(403, say, step_up=strength)
    if step_up.missing(request, strength):
        raise Problem(403, f"{step_up.SAYS[strength]} Prove it, then send this again.", step_up=reverse("prove"))


def _rank(strength: str) -> int:
    return ("", *WORDS).index(strength)
