"""One who asks and one who confirms."""

from __future__ import annotations

import pytest

from approvals.models import User
from tests import factories


@pytest.fixture
def ola() -> User:
    return factories.person("ola", ("view_pool", "enrol_gateway"))


@pytest.fixture
def ines() -> User:
    return factories.person("ines", ("view_pool", "approve_gateway"))
