"""What fits better stands higher."""

from __future__ import annotations

import pytest

from upgrader.search_rank import Found, Wish, fit, ranked

GATEWAY = Found("gateway", "fra-gw-01", "/", names=("fra-gw-01", "192.0.2.7", "eu-west"))
ROLLOUT = Found("rollout", "Rollout 12", "/", names=("rollout 12", "1.3.0-2"), digests=("abcdef" + "0" * 58,), age=12)


@pytest.mark.parametrize(
    ("text", "found", "fits"),
    [
        ("fra-gw-01", GATEWAY, 0),
        ("FRA-GW-01", GATEWAY, 0),
        ("fra", GATEWAY, 2),
        ("west", GATEWAY, 3),
        ("0.2.7", GATEWAY, 4),
        ("ams", GATEWAY, 9),
        ("12", ROLLOUT, 1),
        ("#12", ROLLOUT, 1),
        ("rollout 12", ROLLOUT, 0),
        ("config 12", ROLLOUT, 9),
        ("abcdef", ROLLOUT, 1),
        ("sha256:abcdef00", ROLLOUT, 1),
        ("abcde", ROLLOUT, 9),
        ("13", ROLLOUT, 9),
    ],
)
def test_how_well_it_fits(text: str, found: Found, fits: int) -> None:
    assert fit(Wish(text), found) == fits


def test_the_best_and_then_the_newest_come_first() -> None:
    older, newer = (
        Found("rollout", "a", "/", names=("1.3.0-2",), age=1),
        Found("rollout", "b", "/", names=("1.3.0-2",), age=2),
    )
    begins = Found("release", "c", "/", names=("1.3.0-20",), age=9)
    assert ranked(Wish("1.3.0-2"), [begins, older, newer], most=2) == [newer, older]
