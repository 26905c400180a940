"""What a person may ask for. Each call checks the right, the state and the version seen, and records who and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn, TypedDict, Unpack

from django.db import IntegrityError, transaction

from approvals import audit
from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.models import Pool
from releases import services as releases
from releases.models import ConfigRevision, Release
from upgrader import approval, drifted, engine, going, hint, journal, plan, rights
from upgrader.decide import NEEDS_ROLLBACK
from upgrader.downgrade import downgraded
from upgrader.journal import Change, LostRace
from upgrader.models import Rollout, StepRun, Strategy, Upgrade, Wave
from upgrader.see import look
from upgrader.states import ACTION_STATES, R, U, W
from upgrader.strategy import SpecError

KIND = "rollout.start"
STATE_WORDS = {
    R.PLANNED: "is planned and not submitted",
    R.WAITING_APPROVAL: "waits for approval",
    R.UPGRADING: "is upgrading",
    R.WAITING_PROMOTION: "waits for a promotion",
    R.HELD: "is on hold",
    R.DRAINING: "is draining old slots",
    R.DONE: "is done",
    R.ROLLING_BACK: "is rolling back",
    R.ROLLED_BACK: "is rolled back",
    R.REJECTED: "was rejected",
    R.FAILED: "could not be rolled back",
}


class Also(TypedDict, total=False):
    """What a plan may have besides. `over_drift`: name the drift that stands on the gateways now, so that the rollout
    may start over exactly that. `config`: a configuration that goes along."""

    over_drift: bool
    config: ConfigRevision | None


def draft(
    *, release: Release, pool: Pool, strategy: Strategy, by: User, now: datetime, **also: Unpack[Also]
) -> Rollout:
    """Compute the plan once and store it. Nothing happens until it is submitted and approved."""
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    rights.demand(actor, "submit", pool)
    planned = plan_for(release, pool, strategy, now=now, **also)
    with transaction.atomic():
        rollout = Rollout.objects.create(
            release=release,
            strategy=strategy,
            pool=pool,
            config=also.get("config"),
            plan=planned,
            digest=plan.digest(planned),
            since=now,
            reason="Planned.",
            created_by=by,
            created_at=now,
        )
        for wave_plan in planned["waves"]:
            wave = Wave.objects.create(
                rollout=rollout, number=wave_plan["number"], weights=wave_plan["weights"], since=now
            )
            Upgrade.objects.bulk_create(
                Upgrade(wave=wave, gateway_id=gateway["id"], from_release=gateway["from"], since=now)
                for gateway in wave_plan["gateways"]
            )
        audit.append(
            "rollout.drafted",
            subject=f"rollout:{rollout.pk}",
            actor=actor,
            at=now,
            details={"digest": rollout.digest, "release": release.name, "pool": pool.name, "rollout": rollout.pk},
        )
    return rollout


def plan_for(
    release: Release, pool: Pool, strategy: Strategy, *, now: datetime, **also: Unpack[Also]
) -> dict[str, Any]:
    """The plan for every gateway of the pool that does not serve this yet. Refused when nothing is to do."""
    if why := releases.why_not_for(release, pool, now):
        raise Refused(why)
    config = also.get("config")
    gateways = going.gateways(release, pool, config)
    targets = [plan.Target(g.pk, g.name, g.release, g.sessions, g.failure_domain) for g in gateways]
    standing = drifted.standing([target.id for target in targets]) if also.get("over_drift") else []
    try:
        return {"drift": standing} | plan.build(
            release={
                "name": release.name,
                "version": release.version,
                "digest": release.digest,
                "state_migration": release.state_migration,
            },
            pool=pool.name,
            strategy={
                "name": strategy.name,
                "version": strategy.version,
                "title": strategy.title,
                "spec": strategy.spec,
            },
            targets=targets,
            downgrade=downgraded(release, gateways),
            config=going.config(release, gateways, config) if config else None,
        )
    except SpecError as unreadable:
        raise Refused(f"Strategy {strategy.title} can't be read: {unreadable}")


def check_asked(rollout: Rollout, action: str, *, actor: Actor, seen_version: int) -> User:
    """Refuse a missing right, an old page and a wrong state, in that order, each with its sentence."""
    person = rights.demand(actor, action, rollout.pool)
    fresh = Rollout.objects.get(pk=rollout.pk)
    if fresh.version != seen_version:
        raise Refused(f"The page you saw is old: the rollout {STATE_WORDS[R(fresh.state)]}. {fresh.reason}")
    if R(fresh.state) not in ACTION_STATES[action]:
        raise Refused(
            f"The rollout {STATE_WORDS[R(fresh.state)]}; there is nothing to {rights.WORD.get(action, action)}."
        )
    rollout.refresh_from_db()
    return person


def moved(changes: Sequence[Change], *, actor: Actor, now: datetime) -> list[StepRun]:
    """Write a person's move and tell the workers; who was slower is told that somebody was faster."""
    try:
        opened = journal.move(changes, actor=actor, now=now)
    except LostRace:
        too_late(changes)
    except IntegrityError:
        raise Refused("Another rollout works on one of these gateways now. Wait for it, or hold it first.")
    hint_all(opened, journal.rollout_of(changes[0].row))
    return opened


def too_late(changes: Sequence[Change]) -> NoReturn:
    row = Rollout.objects.get(pk=journal.rollout_of(changes[0].row))
    raise Refused(f"Somebody was faster: the rollout {STATE_WORDS[R(row.state)]}. {row.reason}")


def hint_all(opened: Sequence[StepRun], rollout_id: int) -> None:
    hint.run_steps(opened)
    if not opened:
        hint.advance(rollout_id)


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
    approvals.decide(
        rollout.request, by=person, yes=yes, reason=reason, digest=digest, has_right=True, now=now, actor=actor
    )
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


def roll_back(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Take back every gateway that this rollout has touched and that no later one has taken since."""
    person = check_asked(rollout, "roll_back", actor=actor, seen_version=seen_version)
    looked = look(rollout.pk, now=now)
    touched = [upgrade for upgrade in looked.upgrades.values() if U(upgrade.state) in NEEDS_ROLLBACK]
    if not touched:
        no_gateway = "No gateway carries this release by this rollout, so there is nothing to roll back."
        raise Refused(no_gateway)
    later = Upgrade.objects.filter(
        gateway__in=[upgrade.gateway_id for upgrade in touched],
        wave__rollout__created_at__gt=rollout.created_at,
    ).exclude(state__in=[U.PLANNED, U.ROLLED_BACK])
    if first := later.select_related("gateway", "wave__rollout__release").first():
        raise Refused(
            f"{first.gateway.name} was upgraded to {first.wave.rollout.release.name} since. Roll that one back first."
        )
    waves = tuple({upgrade.wave_id for upgrade in touched})
    said = reason or f"Rolled back by {person.username}."
    moved(engine.rollback_changes(looked, waves, said), actor=actor, now=now)
