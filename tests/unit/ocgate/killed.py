"""kill -9 between two writes of the gateway's state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fleet.ocgate import state as states


class Killed(BaseException):
    """kill -9."""


@contextmanager
def killed_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let so many files be written whole, and raise Killed at the next."""
    usual, left = states.write_whole, [writes]

    def deadly(*args: Any, **kwargs: Any) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        usual(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(states, "write_whole", deadly)
        yield
