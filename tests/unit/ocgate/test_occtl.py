"""occtl's output as real ones printed it."""

from __future__ import annotations

from fleet.ocgate import occtl
from tests.unit.ocgate.values import RECORDED


def test_the_trailing_commas_of_1_1_6_are_forgiven_and_text_is_left_alone() -> None:
    raw = occtl.loads((RECORDED / "sessions-1.1.6.txt").read_text())
    assert raw[1]["User-Agent"] == "Odd agent ,] with ,} in it"
    cookies = occtl.parse_cookies(raw)
    assert [(c.user, c.remote, c.in_use) for c in cookies] == [
        ("probe", "198.18.0.1", False),
        ("user2", "203.0.113.41", True),
    ]


def test_only_connected_users_count_and_local_time_is_read() -> None:
    users = occtl.parse_users(occtl.loads((RECORDED / "users-1.1.6.txt").read_text()))
    assert [(u.user, u.id, u.worker, u.moved) for u in users] == [
        ("user2", "1JKXj9eiphDljaygwQfejmS8fKE=", 487, 55404 + 56012)
    ]
    assert users[0].since > 1_790_000_000


def test_newer_versions_say_when_the_session_began() -> None:
    item = {"State": "connected", "raw_connected_at": 50, "raw_session_started_at": 40, "Full session": "x"}
    assert occtl.parse_users([item])[0].since == 40


def test_no_users_and_no_json() -> None:
    assert occtl.parse_users(occtl.loads("[\n]")) == []
    assert occtl.loads("error connecting") is None
    assert occtl.parse_users(None) == []


def test_sessions_that_did_not_sign_in_are_no_cookies() -> None:
    items = [{"Full session": "a", "State": state} for state in ("authenticated", "pre-auth", "auth failed")]
    assert [cookie.id for cookie in occtl.parse_cookies(items)] == ["a"]
