"""For pages of the apps below: which rollouts are at work with something of theirs."""

from __future__ import annotations

from django import template
from django.template import Context
from django.utils import timezone

from releases.models import Release
from releases.showing import Difference
from upgrader import outcomes
from upgrader.models import Rollout
from upgrader.states import R

register = template.Library()
AT_WORK = (R.UPGRADING, R.WAITING_PROMOTION, R.DRAINING)


@register.simple_tag
def rollouts_using(release: Release) -> list[Rollout]:
    """Rollouts that would hold at once if the release were withdrawn."""
    return list(Rollout.objects.filter(release=release, state__in=AT_WORK).select_related("pool").order_by("pk")[:50])


@register.simple_tag(takes_context=True)
def outcomes_beside(context: Context, old: Release, new: Release) -> list[Difference]:
    """What became of both in the rollouts that this person may see."""
    return outcomes.beside(old, new, context["request"].user, now=timezone.now())
