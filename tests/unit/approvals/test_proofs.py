"""Step-up by method: what a session's notes are worth, and what deciding asks of whom."""

from __future__ import annotations

from runpy import run_path

import pytest

from approvals.passkeys import grows
from approvals.policy_spec import STRENGTHS
from approvals.proofs import PASSKEY, PASSWORD, RANKS, SECOND_FACTOR, SECONDS, asked, best, of_company, read
from upgrader import signin_settings

NOW = 1_800_000_000.0


def note(method: str, ago: float = 60, **more: object) -> dict[str, object]:
    return {"method": method, "at": NOW - ago, **more}


NOTES = {
    PASSWORD: note("password"),
    SECOND_FACTOR: note("mfa", type="totp"),
    PASSKEY: note("mfa", type="webauthn"),
}


@pytest.mark.parametrize("wanted", RANKS)
@pytest.mark.parametrize("had", NOTES)
def test_a_proof_is_good_for_what_is_weaker(had: str, wanted: str) -> None:
    [proof] = read([NOTES[had]])
    assert proof.fresh(wanted, NOW) is (RANKS[had] >= RANKS[wanted])


def test_a_proof_ends_after_a_quarter_of_an_hour() -> None:
    [old, future] = read([note("mfa", SECONDS, type="webauthn"), note("mfa", -1, type="webauthn")])
    assert not old.fresh(PASSWORD, NOW)
    assert not future.fresh(PASSWORD, NOW)
    assert not read([NOTES[PASSKEY]])[0].fresh("a word that nobody knows", NOW)


@pytest.mark.parametrize("broken", [note("mfa", type="sms"), {"method": "password"}, {"at": NOW}, note("magic")])
def test_what_cannot_be_read_proves_nothing(broken: dict[str, object]) -> None:
    assert read([broken]) == []


def test_the_record_has_the_strongest_that_is_still_good() -> None:
    notes = [note("mfa", 800, type="webauthn"), note("password", 5)]
    best_now, best_later = best(read(notes), NOW), best(read(notes), NOW + 200)
    assert best_now
    assert best_now.said() == "passkey at 2027-01-15T07:46:40Z"
    assert best_later
    assert best_later.method == "password"
    assert best([], NOW) is None


@pytest.mark.parametrize(
    ("setting", "factor", "password", "wanted"),
    [
        ("", False, True, ""),
        ("", True, True, SECOND_FACTOR),
        ("", False, False, SECOND_FACTOR),
        (PASSWORD, False, True, PASSWORD),
        (PASSWORD, True, True, SECOND_FACTOR),
        (PASSWORD, False, False, SECOND_FACTOR),
        (SECOND_FACTOR, False, True, SECOND_FACTOR),
        (PASSKEY, True, True, PASSKEY),
    ],
)
def test_what_deciding_asks(setting: str, factor: bool, password: bool, wanted: str) -> None:
    assert asked(setting, has_factor=factor, has_password=password) == wanted


@pytest.mark.parametrize(
    ("claims", "worth"),
    [
        ({"amr": ["pwd", "mfa"]}, None),
        ({"auth_time": True, "amr": ["mfa"]}, None),
        ({"auth_time": int(NOW) + 3600, "amr": ["mfa"]}, None),
        ({"auth_time": int(NOW) - 5, "amr": ["pwd"]}, PASSWORD),
        ({"auth_time": int(NOW) - 5, "amr": "mfa"}, PASSWORD),
        ({"auth_time": int(NOW) - 5, "amr": ["pwd", "otp"]}, SECOND_FACTOR),
        ({"auth_time": int(NOW) - 5, "acr": "phrh"}, PASSKEY),
    ],
)
def test_what_the_word_of_a_company_is_worth(claims: dict[str, object], worth: str | None) -> None:
    said = of_company(claims, NOW)
    assert (said[0] if said else None) == worth


def test_a_session_at_the_company_since_this_morning_is_no_proof() -> None:
    said = of_company({"auth_time": int(NOW) - 8 * 3600, "amr": ["mfa"]}, NOW)
    assert said
    [proof] = read([{"method": "socialaccount", "strength": said[0], "at": said[1]}])
    assert not proof.fresh(PASSWORD, NOW)
    assert read([note("socialaccount")])[0].fresh(PASSWORD, NOW) is False, "allauth's own note says no method"


def test_one_list_of_strengths() -> None:
    assert ("", *RANKS) == STRENGTHS


def test_a_counter_only_grows() -> None:
    assert [grows(0, 0), grows(0, 1), grows(7, 8)] == [True] * 3
    assert [grows(7, 7), grows(7, 3), grows(7, 0)] == [False] * 3


def test_a_word_that_is_not_understood_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOVER_STEP_UP", "second factor")
    with pytest.raises(ValueError, match="HANDOVER_STEP_UP"):
        run_path(signin_settings.__file__)
    monkeypatch.setenv("HANDOVER_STEP_UP", "second-factor")
    assert run_path(signin_settings.__file__)["STEP_UP"] == SECOND_FACTOR
