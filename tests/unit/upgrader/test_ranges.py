from __future__ import annotations

import pytest

from upgrader.ranges import Unsatisfiable, part


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-", (10, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=99-99", (99, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=20-10", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=1-2", None),
        ("bytes=١-٢", None),
    ],
)
def test_single_ranges(said: str, wanted: tuple[int, int] | None) -> None:
    assert part(said, 100) == wanted


@pytest.mark.parametrize("said", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_behind_the_end(said: str) -> None:
    with pytest.raises(Unsatisfiable):
        part(said, 100)
