"""What every test shares."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase

from approvals import triggers


@pytest.fixture(scope="session", autouse=True)
def _record_can_be_emptied_between_tests() -> Any:
    """Tests with real transactions end with a flush, which the record's triggers refuse: lift them for it only."""
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]  # private, so the stubs lack it

    def flush_without_triggers(case: TransactionTestCase) -> None:
        triggers.remove(connection)
        flush(case)
        triggers.install(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", flush_without_triggers)
        yield
