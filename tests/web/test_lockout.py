"""Wrong passwords: who guesses is stopped, whoever is guessed at is not, and no header changes who it is."""

from __future__ import annotations

import pytest
from django.test import Client

from approvals import lockout, lockout_rates
from approvals.models import AuditEvent, User
from tests.browser.site import PASSWORD
from tests.web.signing_in import fast  # noqa: F401 - a fixture

HERE, THERE = "198.51.100.7", "203.0.113.9"
pytestmark = pytest.mark.usefixtures("fast")


def attempt(password: str, at: str = HERE, name: str = "oncall", header: str = "") -> int:
    meta = {"REMOTE_ADDR": at, **({"HTTP_X_FORWARDED_FOR": header} if header else {})}
    return Client(**meta).post("/sign-in/", {"username": name, "password": password}).status_code  # type: ignore[arg-type]  # META


def test_five_wrong_ones_stop_the_name_from_there_alone(people: dict[str, User]) -> None:
    assert [attempt("wrong") for _ in range(5)] == [422] * 5
    assert [attempt(PASSWORD), attempt(PASSWORD), attempt(PASSWORD, name="ONCALL")] == [429] * 3
    assert attempt(PASSWORD, at=THERE) == 302, "the person himself is not locked out"
    assert attempt(PASSWORD, name="operator") == 302, "nor is anybody else behind this address"
    assert AuditEvent.objects.filter(verb="session.locked").count() == 1, "the record is not flooded"


def test_a_forged_header_is_no_other_address(people: dict[str, User]) -> None:
    for n in range(5):
        attempt("wrong", header=f"192.0.2.{n}")
    assert attempt(PASSWORD, header="192.0.2.99") == 429
    assert attempt(PASSWORD, at=THERE, header=HERE) == 302, "nor can it put the blame on another"


def test_behind_a_proxy_of_ours_the_last_hop_counts(people: dict[str, User], settings: object) -> None:
    settings.PROXIES = 1  # type: ignore[attr-defined]  # pytest-django's wrapper
    for n in range(5):
        attempt("wrong", at="10.0.0.1", header=f"192.0.2.{n}, {HERE}")
    assert attempt(PASSWORD, at="10.0.0.1", header=f"192.0.2.77, {HERE}") == 429
    assert attempt(PASSWORD, at="10.0.0.1", header=THERE) == 302


def test_many_addresses_slow_a_name_down(people: dict[str, User]) -> None:
    assert attempt(PASSWORD, at=HERE) == 302
    for n in range(lockout_rates.NAME_MOST):
        assert attempt("wrong", at=f"192.0.2.{n}") == 422
    slowed = [attempt("wrong", at=f"192.0.2.{100 + n}") for n in range(3)]
    assert slowed == [422, 429, 429], "one in 15 seconds"
    assert attempt(PASSWORD, at=HERE) == 302, "from where he has signed in before it is as ever"


def test_who_gets_it_right_begins_anew(people: dict[str, User]) -> None:
    for _ in range(3):
        assert [attempt("wrong") for _ in range(4)] == [422] * 4
        assert attempt(PASSWORD) == 302


def test_names_that_do_not_exist_are_counted_too(people: dict[str, User]) -> None:
    assert [attempt("wrong", name="nobody") for _ in range(6)] == [422] * 5 + [429]


def test_one_name_however_it_is_written() -> None:
    assert lockout.Attempt.of("ＯＮＣＡＬＬ", HERE).pair == lockout.Attempt.of("oncall", HERE).pair
