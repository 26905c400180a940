"""What an upgrade or a rollback would change without a word, in both directions."""

from __future__ import annotations

import pytest

from fleet.ocgate.silent import silent_changes

SET = (
    "".join(
        f"{name} = 1\n"
        for name in (
            "auth-timeout",
            "ban-reset-time",
            "cookie-timeout",
            "dpd",
            "keepalive",
            "max-ban-score",
            "mobile-dpd",
        )
    )
    + "rekey-time = 1\nswitch-to-tcp-timeout = 1\nlimit-worker-memory = true\n"
)


def said(text: str, old: str, new: str) -> dict[str, str]:
    return {found.code: found.say for found in silent_changes(text, old, new)}


def test_a_default_that_moved_is_told_when_the_option_is_not_set() -> None:
    up = said(SET.replace("cookie-timeout = 1\n", ""), "1.1.6", "1.4.2")
    down = said(SET.replace("cookie-timeout = 1\n", ""), "1.5.0", "1.3.0")
    assert up == {
        "default_changes": "cookie-timeout is not set: it is 120 with ocserv 1.1.6 and becomes 300 with ocserv 1.4.2."
        " Write it down to keep it."
    }
    assert "it is 300 with ocserv 1.5.0 and becomes 120 with ocserv 1.3.0" in down["default_changes"]


def test_nothing_is_told_where_nothing_changes() -> None:
    assert silent_changes(SET, "1.1.6", "1.4.2") == []
    assert silent_changes("", "1.1.6", "1.3.0") == []
    assert silent_changes("cgroup = x\n", "1.3.0", "1.3.0-2") == []
    assert silent_changes("cgroup = x\n", "", "1.5.0") == []


@pytest.mark.parametrize(
    ("line", "old", "new", "code"),
    [
        ("cgroup = cpu:x", "1.4.2", "1.5.0", "option_lost"),
        ("cgroup = cpu:x", "1.5.0", "1.4.2", "option_wakes"),
        ("ban-time = 300", "1.4.2", "1.3.0", "option_lost"),
        ("camouflage = true", "1.1.6", "1.3.0", "option_wakes"),
        ("[vhost:a]\nmax-clients = 3", "1.3.0", "1.4.2", "global_in_vhost"),
        ("[vhost:a]\nmax-clients = 3", "1.4.2", "1.3.0", "global_in_vhost"),
        ("[vhost:a]\nbanner = x", "1.4.2", "1.5.0", "vhost_inherits"),
        ("[vhost:a]\nbanner = x", "1.5.0", "1.4.2", "vhost_inherits"),
        ("session-timeout = 3600", "1.3.0", "1.5.0", "session_timeout"),
        ("session-timeout = 3600", "1.5.0", "1.3.0", "session_timeout"),
        ("cert-user-oid = SAN(rfc822name)", "1.5.0", "1.4.0", "auth_bypass"),
        ("ping-leases = true", "1.3.0", "1.4.0", "ping_leases"),
        ("config-per-user = /etc/ocserv/users/", "1.5.0", "1.5.1", "user_files"),
    ],
)
def test_what_changes_is_told(line: str, old: str, new: str, code: str) -> None:
    assert code in said(SET + line + "\n", old, new)


def test_what_stops_a_start_is_an_error() -> None:
    (found,) = silent_changes("[vhost:a]\nmax-clients = 3\n", "1.4.1", "1.4.2")[-1:]
    assert (found.level, found.code) == ("error", "global_in_vhost")


def test_the_memory_limit_of_workers_comes_and_goes() -> None:
    text = SET.replace("limit-worker-memory = true\n", "")
    assert "limits the memory" in said(text, "1.4.2", "1.5.0")["worker_memory"]
    assert "does not limit" in said(text, "1.5.0", "1.4.2")["worker_memory"]
