"""What a person may ask for. Each call checks the right, the state and the version seen, and records who and why.

The one address for callers: what is written elsewhere is handed on here.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import Actor, User
from upgrader import approval, between, bounds, drifted, engine, journal, plan, policy_kinds, rights, start_time
from upgrader.asking import check_asked, hint_all, moved
from upgrader.drafting import Also as Also
from upgrader.drafting import draft as draft
from upgrader.drafting import plan_for as plan_for
from upgrader.drains import ask_cut as ask_cut
from upgrader.drains import decide_cut as decide_cut
from upgrader.drains import extend as extend
from upgrader.journal import Change
from upgrader.models import Rollout, Upgrade, Wave
from upgrader.one_gateway import retry as retry
from upgrader.one_gateway import skip as skip
from upgrader.one_gateway import take_in as take_in
from upgrader.reach import drop_question, lock
from upgrader.see import look
from upgrader.states import Outcome, R, U, W
from upgrader.taking_back import abort as abort
from upgrader.taking_back import decide_back as decide_back
from upgrader.taking_back import roll_back as roll_back
from upgrader.until import why_not_migration

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
        scopes=policy_kinds.scopes(rollout),
        start_at=start_time.of(rollout.plan),
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
        check_yes(rollout, person, reason, actor=actor, now=now)
    with transaction.atomic():
        approvals.decide(
            rollout.request, by=person, yes=yes, reason=reason, digest=digest, has_right=True, now=now, actor=actor
        )
        if yes:
            bounds.record_pass(rollout, actor=actor, now=now)
    hint_all(engine.advance(rollout.pk, now=now), rollout.pk)


def check_yes(rollout: Rollout, person: User, reason: str, *, actor: Actor, now: datetime) -> None:
    """Refuse a yes to what may not begin whoever says so, or not with these words."""
    between.refuse_stranger(rollout.plan, actor, "approve")
    approval.check_release(rollout, now=now)
    approval.check_gateways(rollout)
    drifted.check(rollout)
    migrates = bool(rollout.plan["release"].get("state_migration"))
    if why := plan.why_not_downgrade(rollout.plan, reason) or why_not_migration(migrates, reason):
        raise Refused(why)
    bounds.check_pass(person, rollout)


def promote(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime, through: int = 0) -> None:
    """Let the next wave start, or a wave without a pass go on; the second needs a reason.

    `through`: the last wave that starts without another word; 0 is the one that waits.
    """
    check_asked(rollout, "promote", actor=actor, seen_version=seen_version)
    approval.check_use(rollout, now=now)
    wave = rollout.waves.exclude(state__in=[W.PASSED, W.ROLLED_BACK]).first()
    if wave is None:
        raise Refused("Every wave has passed; there is nothing to promote.")
    planned = wave.state == W.PLANNED
    most = max(through, rollout.promoted_to, wave.number if planned else 0)
    said = reason or (f"Wave {wave.number} was promoted." if most <= wave.number else f"Waves to {most} were promoted.")
    go = Change(rollout, R.UPGRADING, said, columns={"promoted_to": most})
    moved([go] if planned else [go, *onwards(rollout, wave, reason, now=now)], actor=actor, now=now)


def onwards(rollout: Rollout, wave: Wave, reason: str, *, now: datetime) -> list[Change]:
    """The next share of a wave that is observed, or its commit. Without a pass somebody has to say why."""
    looked = look(rollout.pk, now=now)
    judged = looked.judgements.get(wave.pk)
    if judged is not None and judged.outcome is Outcome.FAIL:
        raise Refused(f"Wave {wave.number} fails, and no word makes that a pass: {judged.sentence}")
    if not reason and (judged is None or judged.outcome is not Outcome.PASS):
        raise Refused(f"Wave {wave.number} has no pass. Say why it may go on all the same.")
    said = reason or (judged.sentence if judged else "")
    if wave.stage + 1 < len(wave.weights):
        bounds.refuse_beginning(rollout, "The next share may be promoted after that.", now=now)
        return engine.next_share(looked, wave.pk, said)
    return [Change(looked.waves[wave.pk], W.COMMITTING, said)]


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
        # Rows before steps before the record's tail, as all take them: the other way round is a deadlock on PostgreSQL.
        lock(rollout)
        again = [change for upgrade in failed if (change := journal.retry(upgrade, now=now))]
        approval.check_again(rollout, again, now=now)
        back = Change(
            rollout, R(rollout.held_from), reason or f"Resumed by {person.username}.", columns={"held_from": ""}
        )
        drop_question(rollout, reason="The rollout was resumed.", actor=actor, now=now)
        moved([back, *again], actor=actor, now=now)
