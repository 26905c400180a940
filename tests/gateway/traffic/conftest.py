"""Two real HAProxies in namespaces of their own, reached through real SSH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import gateways
from tests.gateway.labs import mark, pytest_configure
from upgrader import flow, hint

__all__ = ["pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture
def controller(transactional_db: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folders of its own; no broker, for the test does the worker's part."""
    settings.REPOSITORY, settings.SNAPSHOTS = tmp_path / "repository", tmp_path / "snapshots"
    monkeypatch.setattr(hint, "send", lambda *_: None)
    monkeypatch.setattr(flow, "RETRY_SECONDS", (0.2, 0.4, 0.8))
    yield
    gateways.close_all()
