"""Two real HAProxies in namespaces of their own, reached through real SSH."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.labs import mark, pytest_configure
from tests.gateway.reach import controller

__all__ = ["controller", "pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)
