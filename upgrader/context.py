"""What every page is given: whether the fleet is simulated, how much waits for the viewer, how its HTTP looks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from approvals import breakglass, changes, duty_pages
from approvals.models import BreakGlass, User
from approvals.people import person
from fleet import alert_pages
from upgrader import bounds, selectors

# The first step of an address → the entry of the row of pages that it belongs to.
SECTIONS = {"": "overview", "decisions": "rollouts", "signers": "releases", "strategies": "rollouts", "keys": "account"}
SECTIONS |= dict.fromkeys(("alerts", "balancers", "configs", "credentials", "errands", "pools", "webhooks"), "gateways")


def house(request: HttpRequest) -> dict[str, Any]:
    """Template context of all pages. The count is asked for only where a page shows it."""
    user = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated
    return {
        "simulated": settings.SIMULATED,
        "section": _section(request.path),
        "emergencies": SimpleLazyObject(lambda: _through(person(request)) if signed_in else []),
        "done_alone": SimpleLazyObject(lambda: _alone(person(request)) if signed_in else []),
        "on_call": SimpleLazyObject(lambda: duty_pages.head_line(person(request), timezone.now()) if signed_in else ""),
        "needs_me": SimpleLazyObject(lambda: _waiting(person(request)) if signed_in else 0),
    }


def _section(path: str) -> str:
    first = path.split("/")[1]
    return SECTIONS.get(first, first)


def _through(user: User) -> list[bounds.Through]:
    """Rollouts that go on through a freeze: that is shouted about on every page."""
    return bounds.through(selectors.rollouts_for(user), now=timezone.now())


def _alone(user: User) -> list[BreakGlass]:
    """What one person did alone and nobody has reviewed: shouted about on every page, too."""
    return [row for row in breakglass.unreviewed()[:5] if breakglass.may_see(row, user)]


def _waiting(user: User) -> int:
    """Rollouts, changes and alerts that wait for this person."""
    waiting = selectors.needs_me(user, now=timezone.now()).count() + len(changes.waiting_for(user))
    return waiting + alert_pages.unanswered_number(user) + len(breakglass.waiting_for(user))
