"""What a person may ask for. Each call checks the right, the state and the version seen, and records who and why.

The one address for callers: what is written elsewhere is handed on here.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import Actor
from upgrader import approval, bounds, drifted, engine, journal, plan, rights
from upgrader.asking import check_asked, hint_all, moved
from upgrader.drafting import Also as Also
from upgrader.drafting import draft as draft
from upgrader.drafting import plan_for as plan_for
from upgrader.journal import Change
from upgrader.models import Rollout, Upgrade
from upgrader.one_gateway import retry as retry
from upgrader.one_gateway import skip as skip
from upgrader.one_gateway import take_in as take_in
from upgrader.see import look
from upgrader.states import R, U, W
from upgrader.taking_back import abort as abort
from upgrader.taking_back import decide_back as decide_back
from upgrader.taking_back import drop_question
from upgrader.taking_back import roll_back as roll_back

KIND = "rollout.start"


def submit(rollout: Rollout, *, actor: Actor, seen_version: int, now: datetime) -> None:
    """Ask for approval of exactly this plan."""
    person = check_asked(rollout, "submit", actor=actor, seen_version=seen_version)
    drifted.check(rollout)
    request = approvals.ask(
        kind=KIND,
        subject=f"rollout:{rollout.pk}",
        scope=f"pool:{rollout.pool_id}",
        permission="fleet.approve_rollout",
        digest=rollout.digest,
        summary=rollout.plan,
        by=person,
        now=now,
        actor=actor,
    )
    moved(
        [Change(rollout, R.WAITING_APPROVAL, f"Submitted by {person.username}.", columns={"request": request})],
        actor=actor,
        now=now,
    )


def decide(rollout: Rollout, *, yes: bool, reason: str, digest: str, actor: Actor, now: datetime) -> None:
    """One person's yes or no. A yes that completes the quorum starts the rollout."""
    person = rights.demand(actor, "approve" if yes else "reject", rollout.pool)
    if rollout.request is None:
        raise Refused("This rollout was not submitted, so there is nothing to decide.")
    if yes:
        approval.check_release(rollout, now=now)
        approval.check_gateways(rollout)
        drifted.check(rollout)
        if why := plan.why_not_downgrade(rollout.plan, reason):
            raise Refused(why)
        bounds.check_pass(person, rollout)
    with transaction.atomic():
        approvals.decide(
            rollout.request, by=person, yes=yes, reason=reason, digest=digest, has_right=True, now=now, actor=actor
        )
        if yes:
            bounds.record_pass(rollout, actor=actor, now=now)
    hint_all(engine.advance(rollout.pk, now=now), rollout.pk)


def promote(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Let the next wave start, or a wave without a pass go on; the second needs a reason."""
    check_asked(rollout, "promote", actor=actor, seen_version=seen_version)
    approval.check_use(rollout, now=now)
    wave = rollout.waves.exclude(state__in=[W.PASSED, W.ROLLED_BACK]).first()
    if wave is None:
        raise Refused("Every wave has passed; there is nothing to promote.")
    go = Change(rollout, R.UPGRADING, reason or f"Wave {wave.number} was promoted.")
    if wave.state == W.PLANNED:
        moved([go, Change(wave, W.UPGRADING, go.reason)], actor=actor, now=now)
        return
    if not reason:
        raise Refused(f"Wave {wave.number} has no pass. Say why it may go on all the same.")
    looked = look(rollout.pk, now=now)
    if wave.stage + 1 < len(wave.weights):
        step = engine.next_share(looked, wave.pk, reason)
    else:
        step = [Change(looked.waves[wave.pk], W.COMMITTING, reason)]
    moved([go, *step], actor=actor, now=now)


def hold(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Stop going on: the step in hand ends, watching continues, nobody is cut."""
    person = check_asked(rollout, "hold", actor=actor, seen_version=seen_version)
    change = Change(rollout, R.HELD, reason or f"Held by {person.username}.", columns={"held_from": rollout.state})
    moved([change], actor=actor, now=now)


def resume(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Go on from where it was held; steps that said no are tried again."""
    person = check_asked(rollout, "resume", actor=actor, seen_version=seen_version)
    approval.check_use(rollout, now=now)
    failed = Upgrade.objects.filter(wave__rollout=rollout, state=U.FAILED).select_related("wave", "gateway")
    with transaction.atomic():
        # The rollout before its steps, as `move` takes them: the other way round is a deadlock on PostgreSQL.
        Rollout.objects.select_for_update().filter(pk=rollout.pk).first()
        again = [change for upgrade in failed if (change := journal.retry(upgrade, now=now))]
        back = Change(
            rollout, R(rollout.held_from), reason or f"Resumed by {person.username}.", columns={"held_from": ""}
        )
        moved([back, *again], actor=actor, now=now)
        drop_question(rollout, reason="The rollout was resumed.", actor=actor, now=now)
