from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from releases.models import TrustedSigner
from tests.db.releases.cast import trust


@pytest.fixture(autouse=True)
def repository(settings: Settings, tmp_path: Path) -> Path:
    """Return a repository of the test's own, not made yet."""
    settings.REPOSITORY = tmp_path / "repository"
    return tmp_path / "repository"


@pytest.fixture
def li(db: None) -> TrustedSigner:
    """Return Li, the one signer who is trusted."""
    return trust("li")
