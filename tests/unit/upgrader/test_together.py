"""Blue-green's common moment: far enough ahead for all to be asked, never so far that a lease ends before it."""

from __future__ import annotations

import pytest

from upgrader import together
from upgrader.flow import LEASE_SECONDS


def test_one_gateway_waits_for_nobody() -> None:
    assert together.lead(1) == 0.0


@pytest.mark.parametrize("gateways", [2, 40, together.MOST, 5_000])
def test_the_moment_comes_before_a_lease_ends(gateways: int) -> None:
    assert together.LEAD_SECONDS < together.lead(gateways) < LEASE_SECONDS["shift"]


@pytest.mark.parametrize(("gateways", "workers"), [(40, 1), (80, 2), (together.MOST, 10)])
def test_what_can_be_kept_is_promised(gateways: int, workers: int) -> None:
    assert together.too_many(range(gateways), workers=workers) == ""


@pytest.mark.parametrize(
    ("ids", "workers", "say"),
    [
        (range(41), 1, "41 gateways in the same second, and 1 worker process waits for 40 at most; one would have 41."),
        (range(0, 82, 2), 2, "and each of 2 worker processes waits for 40 at most; one would have 41."),
        (range(5_000), 200, "5,000 gateways in the same second, and that is kept for 300 at most."),
    ],
)
def test_what_can_not_is_said_with_a_way_on(ids: range, workers: int, say: str) -> None:
    why = together.too_many(list(ids), workers=workers)
    assert say in why
    assert "Choose a rolling strategy" in why
