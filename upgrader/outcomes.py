"""What became of two releases in the rollouts that brought them, beside each other. Reads only."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count

from approvals.models import User
from fleet.phrases import count, listed
from releases.models import Release
from releases.showing import Difference
from upgrader import complaint_pages, selectors
from upgrader.models import Upgrade, Verdict
from upgrader.states import Outcome, R, U
from upgrader.words import ROLLOUT

UPGRADES_MOST = 5_000  # gateways whose sessions are added up


def beside(old: Release, new: Release, user: User, *, now: datetime) -> list[Difference]:
    """A line a question: how often it was rolled out, how that ended, users kept and cut, verdicts, complaints."""
    was, becomes = (_of(release, user, now) for release in (old, new))
    return [Difference(name, was[name], becomes[name]) for name in was]


def _of(release: Release, user: User, now: datetime) -> dict[str, str]:
    mine = selectors.rollouts_for(user).filter(release=release)
    states = dict(mine.order_by().values_list("state").annotate(number=Count("pk")))
    ids = list(mine.order_by("-pk").values_list("pk", flat=True))
    return {
        "rollouts": _states(states),
        "gateways": _gateways(ids),
        "users": _users(ids),
        "verdicts": _verdicts(ids),
        "complaints": str(complaint_pages.of_release(release, user, now)["complaints_say"]),
    }


def _states(states: dict[str, int]) -> str:
    if not states:
        return "none that you may see"
    ended = [f"{number} {ROLLOUT[R(state)].say.lower()}" for state, number in sorted(states.items())]
    return f"{count(sum(states.values()), 'rollout')}: {listed(ended, 6)}"


def _gateways(rollouts: list[int]) -> str:
    rows = Upgrade.objects.filter(wave__rollout__in=rollouts).order_by()
    found = dict(rows.values_list("state").annotate(number=Count("pk")))
    done = sum(found.get(state, 0) for state in (U.DONE, U.DRAINING))
    back, failed = found.get(U.ROLLED_BACK, 0), found.get(U.FAILED, 0)
    return f"{done} carried it, {back} went back, {failed} failed" if found else "none"


def _users(rollouts: list[int]) -> str:
    rows = Upgrade.objects.filter(wave__rollout__in=rollouts, kept__isnull=False).order_by("-pk")
    found = list(rows.values_list("before", "kept", "left", "cut")[:UPGRADES_MOST])
    if not found:
        return "not measured"
    before, kept = sum(len(row[0]) for row in found), sum(row[1] or 0 for row in found)
    left, cut = sum(len(row[2]) for row in found), sum(len(row[3]) for row in found)
    most = f" (the newest {UPGRADES_MOST:,} gateways)" if len(found) == UPGRADES_MOST else ""
    return f"kept {kept} of {before}, {left} signed out, {cut} cut{most}"


def _verdicts(rollouts: list[int]) -> str:
    rows = Verdict.objects.filter(wave__rollout__in=rollouts, final=True).order_by()
    found = dict(rows.values_list("outcome").annotate(number=Count("pk")))
    said = [f"{found[outcome]} {outcome.replace('_', ' ')}" for outcome in map(str, Outcome) if outcome in found]
    return ", ".join(said) if said else "none that moved a wave"
