from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet import orders
from tests.db.upgrader.world import Fleet
from upgrader import hint


@pytest.fixture
def fleet(transactional_db: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A fleet whose work the test does itself: hints would only be faster, and there is no broker."""
    settings.REPOSITORY, settings.SNAPSHOTS = tmp_path / "repository", tmp_path / "snapshots"
    monkeypatch.setattr(hint, "send", lambda *_: None)
    orders.forget()  # another test's gateway had the same id
    return Fleet()
