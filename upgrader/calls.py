"""What calls a person, besides drift: questions that wait, holds that nothing but a person ends, an emergency that
passes a freeze, a budget that outages alone have used up. Read anew at each tick, so that a killed worker forgets none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.urls import reverse

from approvals.models import Request
from fleet import alerts
from fleet.alerts import Call
from fleet.models import Balancer, Gateway, Pool
from fleet.phrases import count, listed, sentence
from fleet.quiet import selectors as quiet
from upgrader import bounds, budgets, copied_keys, live, reminders
from upgrader.budget import SAID, Tally, allows, sessions_say
from upgrader.decide.stops import PERSON
from upgrader.late import unanswered
from upgrader.models import Rollout
from upgrader.states import R

GRACE = timedelta(seconds=30)  # for a drain whose strategy says itself what becomes of it


def note(*, now: datetime) -> int:
    """Open and end alerts, so that they are what calls a person now; return how many that were."""
    written = alerts.settle(standing(now), now=now)
    if written:
        live.publish("inbox")
    return written


def standing(now: datetime) -> list[Call]:
    """Everything that calls a person now."""
    asked = (*rollbacks(now), *drains(now), *reminders.undecided(now), *reminders.unreviewed(now))
    return [*asked, *copied_keys.standing(), *holds(), *freezes(now), *overruns(), *quarrels(), *quiet.calls()]


def rollbacks(now: datetime) -> Iterator[Call]:
    """Somebody asked to roll back what one person may not roll back alone."""
    asked = rollouts().filter(back_request__state=Request.State.OPEN, back_request__expires_at__gt=now)
    for rollout in asked.select_related("back_request__requested_by"):
        if (request := rollout.back_request) is None:
            continue
        gateways = count(len(request.summary["gateways"]), "gateway")
        say = f"{request.requested_by.username} asks to take {gateways} back. {sentence(request.summary['why'])}"
        yield call("rollback", rollout, say.strip(), do="agree-back")


def drains(now: datetime) -> Iterator[Call]:
    """The time of a drain is over with users on the old slot, and nobody has said what becomes of them."""
    rules = "wave__rollout__strategy__spec__drain__at_deadline"
    of: dict[int, list[tuple[str, bool]]] = {}
    rows = unanswered(now).values_list("wave__rollout", "gateway__name", "drain_until", rules, "cut_request__state")
    for rollout_id, name, until, rule, request in rows.order_by("gateway__name"):
        if until <= now - GRACE or rule in (None, "ask"):
            of.setdefault(rollout_id, []).append((name, request == Request.State.OPEN))
    for rollout in rollouts().filter(pk__in=of):
        names = [name for name, _ in of[rollout.pk]]
        asked = any(is_asked for _, is_asked in of[rollout.pk])
        over = f"The time to drain {listed(names)} is over."
        say = (
            "Say whether those who are left may be cut." if asked else "Give it more hours, or ask to cut who is left."
        )
        yield call("drain", rollout, f"{over} {say}", do="agree-cut" if asked else "extend")


def holds() -> Iterator[Call]:
    """The old release is no better, or a rollback did not succeed: nothing goes on without a person."""
    for rollout in rollouts().filter(Q(state=R.HELD, reason__endswith=PERSON) | Q(state=R.FAILED)):
        yield call("hold", rollout, rollout.reason, do="roll-back")


def freezes(now: datetime) -> Iterator[Call]:
    """A rollout goes on through a freeze."""
    through = {it.rollout: it.say for it in bounds.through(Rollout.objects.order_by("pk"), now=now)}
    for rollout in rollouts().filter(pk__in=through):
        yield call("freeze", rollout, f"It {through[rollout.pk]}")


def overruns() -> Iterator[Call]:
    """Outages alone have used up more than a budget allows."""
    if not Gateway.objects.filter(state__in=budgets.DOWN).exists():
        return
    pools = {pool.pk: pool for pool in Pool.objects.all()}
    for pool_id, tally in budgets.used().items():
        down = [use for use in tally.uses if use.what != "hand"]
        if down and (say := too_many(tally)):
            who = ", ".join(
                f"{listed(sorted(names))} {words[len(names) > 1]}"
                for what, words in SAID.items()
                if (names := [use.name for use in down if use.what == what])
            )
            pool = pools.get(pool_id or 0)
            first = Gateway.objects.only("pk").get(pk=min(down, key=lambda use: use.name).gateway)
            yield Call(
                kind="budget",
                subject=f"budget:{pool_id or 'fleet'}",
                about=pool.name if pool else "The fleet",
                say=f"{say}: {who}. Nothing begins until they are back.",
                link=reverse("bounds"),
                pool=pool,
                gateway=first,
            )


def quarrels() -> Iterator[Call]:
    """The peers of a balancer that do not do the same: no upgrade begins behind them before that is put right."""
    for balancer in Balancer.objects.select_related("pool").order_by("pk"):
        seen = balancer.seen.get("gateways", {})
        differ = [say for one in seen.values() for say in one.get("differences", ())]
        if not differ:
            continue
        more = f" And {len(differ) - 1} more." if len(differ) > 1 else ""
        say = f"Its peers disagree. {differ[0]}{more} Put them right; no upgrade begins there before."
        yield Call("peers", f"balancer:{balancer.pk}", balancer.name, say, reverse("balancers"), pool=balancer.pool)


def too_many(tally: Tally) -> str:
    """Which of the two limits is passed; "" when none is. Equal is allowed."""
    limit = tally.limit
    if limit.gateways is not None and tally.out > limit.gateways:
        return f"{count(tally.out, 'gateway')} are out, and {allows(limit)}"
    if limit.sessions is not None and tally.sessions > limit.sessions:
        return f"{count(tally.sessions, 'session')} are at risk, and {sessions_say(limit)}"
    return ""


def call(kind: str, rollout: Rollout, say: str, *, do: str = "") -> Call:
    page = f"{reverse('decision', args=[rollout.pk])}?do={do}" if do else reverse("rollout", args=[rollout.pk])
    about = f"{rollout.release.product} {rollout.release.name} to {rollout.pool.name}"
    return Call(kind, f"rollout:{rollout.pk}", about, say, page, pool=rollout.pool)


def rollouts() -> QuerySet[Rollout]:
    """Rollouts without their plans: those are long."""
    return Rollout.objects.select_related("release", "pool").defer("plan").order_by("pk")
