"""Rows as the product makes them: people, a fleet, releases, and a rollout in each state. Real models, real plans."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.db import transaction
from guardian.shortcuts import assign_perm

from approvals import audit
from approvals.models import Actor, Decision, Request, User
from fleet.models import Gateway, HostKey, Pool, Sample
from releases.models import Release, Signature, TrustedSigner
from tests.browser.site import PASSWORD
from tests.unit.releases import desk
from upgrader import plan
from upgrader.models import Budget, Rollout, StepRun, Strategy, Upgrade, Verdict, Wave
from upgrader.states import UPGRADE_IDLE, Outcome, R, S, U, W

SHARED = ("view_pool", "promote_rollout", "hold_rollout", "rollback_rollout", "set_bounds")
OPERATOR = (*SHARED, "submit_rollout", "propose_config", "enrol_gateway")
ONCALL = (*SHARED, "approve_rollout", "approve_config", "approve_gateway", "approve_bounds", "pass_freeze")
# Rights over what may run are not a pool's.
ASKS = ("add_release", "pass_release", "yank_release", "propose_trust")
DECIDES = ("approve_release", "approve_trust")
BOUNDS = {"operator": ("set_bounds",), "oncall": ("set_bounds", "approve_bounds")}  # of the whole fleet
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

SPEC: dict[str, Any] = {
    "waves": [{"title": "canary", "count": 1, "weights": [25, 100]}, {"title": "rest", "rest": True}],
    "observe_seconds": 600,
    "poll_seconds": 5,
    "trial_seconds": 900,
    "at_once": 2,
    "promote": "hand",
    "limits": {"login_success_min": 0.98, "min_logins": 20, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def hashed() -> str:
    """PASSWORD, hashed once: it takes a second of work by design."""
    return make_password(PASSWORD)


def pool(name: str = "eu-west") -> Pool:
    # A transactional test begins without the rows that migrations make.
    Budget.objects.get_or_create(pool=None, defaults={"gateways_percent": 25, "made_at": NOON})
    return Pool.objects.get_or_create(name=name)[0]


def person(name: str, rights: tuple[str, ...] = (), on: Pool | None = None) -> User:
    """A person with rights on one pool."""
    user = User.objects.get_or_create(username=name, defaults={"password": hashed()})[0]
    for right in rights:
        assign_perm(f"fleet.{right}", user, on or pool())
    return user


def cast() -> dict[str, User]:
    """One who asks, one who approves, one who may only look at everything, one who may nothing."""
    operator, oncall = person("operator", OPERATOR), person("oncall", ONCALL)
    auditor = person("auditor")
    everywhere = [("fleet", "view_pool"), ("approvals", "view_auditevent")]
    for app, codename in everywhere:
        auditor.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    desk = Permission.objects.filter(codename__in=("add_strategy", "change_alarmrule", "change_contact"))
    operator.user_permissions.add(*desk)
    keys = Permission.objects.filter(codename__in=("add_approverkey", "change_approverkey"))
    for user, names in ((operator, ASKS), (oncall, DECIDES)):
        over = Permission.objects.filter(content_type__app_label="releases", codename__in=names)
        bounds = Permission.objects.filter(content_type__app_label="fleet", codename__in=BOUNDS[user.username])
        user.user_permissions.add(*over, *bounds, *keys)
    return {"operator": operator, "oncall": oncall, "auditor": auditor, "stranger": person("stranger")}


def release(name: str = "1.3.0-2", **columns: Any) -> Release:
    tsk = desk.key("release-desk")
    about = {"label": "Release desk", "public_key": desk.public(tsk), "added_at": NOON}
    signer, _ = TrustedSigner.objects.get_or_create(fingerprint=desk.fingerprint(tsk), defaults=about)
    manifest = f'{{"format":1,"product":"ocserv","release":"{name}"}}'
    made = Release.objects.create(
        name=name,
        product="ocserv",
        version=name.partition("-")[0],
        counter=columns.pop("counter", 1_003_000),
        architecture="amd64",
        digest=sha(manifest),
        manifest=manifest,
        sums=f"{sha(manifest)}  manifest.json\n",
        changelog=f"# ocserv {name}\n\n- Sessions survive a reload of the configuration.\n- DTLS 1.2 by default.\n",
        bundle=f"{name}/bundle.tar.zst",
        size=4_812_331,
        sha256=sha(name),
        source=f"debian trixie ocserv {name}",
        added_at=NOON - timedelta(days=2),
        **{"channel": "production", **columns},
    )
    text = desk.signature(tsk, made.sums.encode()).decode()
    who = {"signer": signer, "identity": signer.fingerprint, "verified_at": NOON, "signed_at": NOON}
    Signature.objects.create(release=made, name="SHA256SUMS.asc", text=text, **who)
    return made


def strategy(**spec: Any) -> Strategy:
    return Strategy.objects.get_or_create(
        name="canary", version=1, defaults={"title": "One, then the rest", "spec": SPEC | spec}
    )[0]


def slot(number: int, state: str, release_name: str = "", *, sessions: int = 0, weight: int = 0) -> dict[str, Any]:
    return {
        "slot": number,
        "state": state,
        "release": release_name,
        "version": release_name.partition("-")[0],
        "pid": 400 + number,
        "sessions": sessions,
        "weight": weight,
        "since": (NOON - timedelta(days=3) + timedelta(hours=number)).timestamp(),
        "restarts": 0,
    }


def facts(name: str, slots: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    return {
        "ocgate": "0.1.0",
        "protocol": 1,
        "hostname": name,
        "now": now.timestamp(),
        "kernel": "6.1.0-38-amd64",
        "committed": {"slot": 1, "release": slots[0]["release"]},
        "slots": slots,
        "releases": [{"release": "1.1.6-2", "version": "1.1.6", "digest": sha("1.1.6-2")}],
        "disk": {"free": 21_400_000_000, "total": 40_000_000_000},
        "conf": {"path": "/etc/ocserv/ocserv.conf", "changed": False},
    }


def gateway(name: str, *, sessions: int = 12, now: datetime = NOON, on: Pool | None = None) -> Gateway:
    """A gateway that serves 1.1.6-2 in slot 1, with a pinned host key."""
    slots = [slot(1, "serving", "1.1.6-2", sessions=sessions, weight=100), slot(2, "idle")]
    made = Gateway.objects.create(
        name=name,
        pool=on or pool(),
        adapter=Gateway.Adapter.SSH,
        address=f"{name}.example.net",
        public_address="203.0.113.11",
        failure_domain=name[:3],
        facts=facts(name, slots, now),
        facts_at=now,
        release="1.1.6-2",
        sessions=sessions,
    )
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIGZ1Y2sgdGhpcyBpcyBub3QgYSByZWFsIGtleSEh"
    HostKey.objects.create(gateway=made, kind="ssh-ed25519", key=key, pinned_at=now)
    return made


def fleet(now: datetime = NOON, on: Pool | None = None) -> list[Gateway]:
    names = {"fra-gw-01": 4, "fra-gw-02": 31, "ams-gw-01": 12, "ams-gw-02": 27}
    return [gateway(name, sessions=sessions, now=now, on=on) for name, sessions in names.items()]


def draft(by: User, *, to: Release | None = None, now: datetime = NOON, on: Pool | None = None) -> Rollout:
    """A planned rollout over every gateway of the pool, as services.draft makes it."""
    where, what, how = on or pool(), to or release(), strategy()
    targets = [
        plan.Target(row.pk, row.name, row.release, row.sessions, row.failure_domain) for row in where.gateways.all()
    ]
    about = {"name": what.name, "version": what.version, "digest": what.digest, "state_migration": False}
    how_said = {"name": how.name, "version": how.version, "title": how.title, "spec": how.spec}
    made = plan.build(release=about, pool=where.name, strategy=how_said, targets=targets)
    rollout = Rollout.objects.create(
        **{"release": what, "strategy": how, "pool": where, "plan": made, "digest": plan.digest(made)},
        **{"since": now, "reason": "Planned.", "created_by": by, "created_at": now},
    )
    for said in made["waves"]:
        wave = Wave.objects.create(rollout=rollout, number=said["number"], weights=said["weights"], since=now)
        for target in said["gateways"]:
            Upgrade.objects.create(wave=wave, gateway_id=target["id"], from_release=target["from"], since=now)
    told("rollout.drafted", rollout, by=by, at=now)
    return rollout


def told(verb: str, rollout: Rollout, *, by: User | None = None, at: datetime = NOON, **said: Any) -> None:
    """One event of the record about a rollout."""
    actor = Actor(kind="person", name=by.username, user_id=by.pk) if by else Actor.machine("controller")
    reason = said.pop("reason", "")
    with transaction.atomic():
        subject = said.pop("subject", f"rollout:{rollout.pk}")
        audit.append(verb, subject=subject, actor=actor, at=at, reason=reason, details={"rollout": rollout.pk, **said})


def put(rollout: Rollout, state: R, reason: str, *, at: datetime = NOON, by: User | None = None) -> None:
    """Move the rollout as the journal would, with its event; the tables of moves are not asked."""
    before, rollout.state, rollout.reason, rollout.since = rollout.state, state, reason, at
    rollout.version += 1
    rollout.save()
    told("rollout.moved", rollout, by=by, at=at, reason=reason, before=str(before), after=str(state))


def put_wave(wave: Wave, state: W, *, at: datetime = NOON, reason: str = "", **columns: Any) -> None:
    before, wave.state, wave.since, wave.reason = wave.state, state, at, reason
    for name, value in columns.items():
        setattr(wave, name, value)
    wave.save()
    subject = f"wave:{wave.pk}"
    told("wave.moved", wave.rollout, at=at, subject=subject, reason=reason, before=str(before), after=str(state))


def put_upgrade(upgrade: Upgrade, state: U, *, at: datetime = NOON, **columns: Any) -> Upgrade:
    upgrade.state, upgrade.since, upgrade.busy = state, at, state not in UPGRADE_IDLE
    for name, value in columns.items():
        setattr(upgrade, name, value)
    upgrade.save()
    return upgrade


def two_slots(upgrade: Upgrade, *, old: int, new: int, weight: int, now: datetime) -> None:
    """The gateway with the new release in slot 2 beside the old one in slot 1."""
    row, to = upgrade.gateway, upgrade.wave.rollout.release.name
    state = "draining" if weight == 100 else "serving"
    slots = [
        slot(1, state, "1.1.6-2", sessions=old, weight=100 - weight),
        slot(2, "serving", to, sessions=new, weight=weight),
    ]
    row.facts, row.facts_at, row.sessions = facts(row.name, slots, now), now, old + new
    row.save()


def step(upgrade: Upgrade, name: str, state: S = S.DONE, *, at: datetime = NOON, **columns: Any) -> StepRun:
    ordinal = upgrade.steps.count() + 1
    ends = {"finished_at": at} if state in (S.DONE, S.FAILED, S.DROPPED) else {}
    return StepRun.objects.create(
        upgrade=upgrade, ordinal=ordinal, name=name, state=state, due_at=at, started_at=at, **ends, **columns
    )


def probes(upgrade: Upgrade, *, since: datetime, number: int, fail_from: int | None = None) -> None:
    """A login probe each 5 s on both slots; from probe `fail_from` on, every third fails on the new release."""
    to = upgrade.wave.rollout.release.name
    rows = []
    for turn in range(number):
        for side, name in ((1, upgrade.from_release), (2, to)):
            bad = side == 2 and fail_from is not None and turn >= fail_from and turn % 3 == 0
            values = {"sessions": 8, "probe_ok": not bad, "probe_stage": "password" if bad else "done", "login_ms": 210}
            at = since + timedelta(seconds=5 * turn)
            rows.append(Sample(gateway=upgrade.gateway, slot=side, release=name, at=at, values=values))
    Sample.objects.bulk_create(rows)


def ask(rollout: Rollout, by: User, *, now: datetime = NOON) -> Request:
    """The open question for approval of this rollout."""
    rollout.request = Request.objects.create(
        **{"kind": "rollout.start", "subject": f"rollout:{rollout.pk}", "scope": f"pool:{rollout.pool_id}"},
        **{"permission": "fleet.approve_rollout", "digest": rollout.digest, "summary": rollout.plan},
        **{"requested_by": by, "requested_at": now},
        **{"expires_at": now + timedelta(hours=24), "use_until": now + timedelta(days=7)},
    )
    put(rollout, R.WAITING_APPROVAL, f"Submitted by {by.username}.", at=now, by=by)
    return rollout.request


def answer(request: Request, by: User, *, yes: bool, reason: str, at: datetime) -> None:
    """One person's answer, which decides: one yes is enough in these scenes."""
    digest, asker = request.digest, request.requested_by
    Decision.objects.create(request=request, requested_by=asker, by=by, yes=yes, reason=reason, digest=digest, at=at)
    request.state = Request.State.APPROVED if yes else Request.State.REJECTED
    request.version += 1
    request.save()


def verdict(wave: Wave, outcome: Outcome, sentence: str, *, at: datetime = NOON, final: bool = False) -> None:
    numbers = {"canary": {"tried": 88, "failed": 0}, "control": {"tried": 88, "failed": 1}, "limit": 0.98}
    Verdict.objects.create(
        wave=wave, stage=wave.stage, outcome=outcome, sentence=sentence, numbers=numbers, at=at, final=final
    )
