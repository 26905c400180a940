"""What a verdict's rollback does to the questions of a rollout: those that it overtook end, and what it may not take
back alone is asked of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from approvals import audit
from approvals import services as approvals
from approvals.models import Request
from fleet.phrases import count, sentence
from upgrader import policy_kinds
from upgrader.back import GoesBack, digest_of, summary_of
from upgrader.journal import MACHINE, Change
from upgrader.reach import DECIDE_WITHIN, KIND, drop_cuts, drop_question, going_back, lock
from upgrader.see import Looked


def asked_instead(looked: Looked, changed: Sequence[Change], *, now: datetime) -> list[Change]:
    """The changes of a verdict's rollback, with the question about the gateways that it leaves. In its transaction."""
    rollout, verdict = looked.rollout, changed[0]
    lock(rollout)
    over = f"The machine rolled back meanwhile. {sentence(verdict.reason)}"
    drop_question(rollout, reason=over, actor=MACHINE, now=now)
    drop_cuts(rollout, reason=over, actor=MACHINE, now=now)
    left = going_back(looked, "rest") if looked.spec.on_fail == "rollout" else []
    if not left:
        return list(changed)
    request = ask(looked, left, why=verdict.reason, now=now)
    return [replace(verdict, columns={**verdict.columns, "back_request": request}), *changed[1:]]


def ask(looked: Looked, left: Sequence[GoesBack], *, why: str, now: datetime) -> Request:
    """One person's yes is enough: it is the machine that asks, and nobody's own question."""
    rollout = looked.rollout
    slots = f"the old slot of {left[0].name} is" if len(left) == 1 else f"the old slots of {len(left)} gateways are"
    because = (
        f"The whole rollout goes back, and {slots} retired: there the old release starts anew, so a person decides."
    )
    request = approvals.ask(
        kind=KIND,
        subject=f"rollout:{rollout.pk}",
        scope=f"pool:{rollout.pool_id}",
        permission="fleet.approve_rollout",
        digest=digest_of(rollout.pk, "rest", left),
        summary=summary_of(rollout.plan, "rest", left) | {"why": why, "because": because, "rollout": rollout.pk},
        scopes=policy_kinds.scopes(rollout),
        by=approvals.machine(),
        now=now,
        actor=MACHINE,
        decide_within=DECIDE_WITHIN,
    )
    about = {"rollout": rollout.pk, "request": request.pk, "action": "rest"}
    said = f"{count(len(left), 'gateway')} left. {sentence(why)}"
    audit.append("rollback.asked", subject=f"rollout:{rollout.pk}", actor=MACHINE, at=now, reason=said, details=about)
    return request
