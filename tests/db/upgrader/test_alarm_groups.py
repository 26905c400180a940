"""Which gateways' alarms belong to a rollout's wave."""

from __future__ import annotations

import pytest

from tests import factories
from tests.scenes import scene
from upgrader import alarm_groups
from upgrader.states import R

pytestmark = pytest.mark.django_db


def test_gateways_at_work_are_of_their_wave_and_others_are_not() -> None:
    made = scene("observing")
    found = alarm_groups.groups()
    group = found[made.upgrades(1)[0].gateway_id]
    assert (group.rollout, group.link) == (made.rollout.pk, f"/decisions/{made.rollout.pk}/")
    assert group.about.startswith(f"wave 1 of rollout {made.rollout.pk} (ocserv ")
    assert made.upgrades(2)[0].gateway_id not in found


def test_what_is_over_is_of_no_wave() -> None:
    made = scene("observing")
    factories.put(made.rollout, R.REJECTED, "over")
    assert alarm_groups.groups() == {}
