"""What the folders with a lab of their own say to pytest, in their conftest."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # The lab's own processes and logs outlive the objects that made them; the lab ends them by its record.
    config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")


def mark(items: list[pytest.Item], folder: Path) -> None:
    """Mark every test below the folder as one that needs a real gateway."""
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.gateway)
