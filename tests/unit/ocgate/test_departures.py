"""Who left by his own doing, from lines that ocserv 1.1.6 wrote."""

from __future__ import annotations

from fleet.ocgate.departures import parse

SIGNED_OUT = """
ocserv[206]: worker[user1]: 203.0.113.40 received BYE packet; exiting
ocserv[181]: sec-mod: invalidating session of user 'user1' (session: N0aewW)
ocserv[170]: main[user1]:203.0.113.40:40112 user disconnected (reason: user disconnected, rx: 48, tx: 96)
""".splitlines()
CUT = """
ocserv[180]: sec-mod: temporarily closing session for user2 (session: Pg8PvF)
ocserv[170]: main[user2]:203.0.113.41:40200 user disconnected (reason: unspecified error, rx: 132, tx: 180)
""".splitlines()


def by_user(lines: list[str]) -> dict[object, object]:
    return {one["session"]: one["by_user"] for one in parse(lines)}


def test_a_goodbye_is_the_users_own_doing() -> None:
    assert by_user(SIGNED_OUT) == {"N0aewW": True}


def test_a_cut_connection_is_not() -> None:
    assert by_user(CUT) == {"Pg8PvF": False}


def test_two_processes_may_write_in_either_order() -> None:
    assert by_user(list(reversed(SIGNED_OUT))) == {"N0aewW": True}


def test_a_log_whose_beginning_is_cut_off_pairs_from_the_end() -> None:
    again = [line.replace("N0aewW", "ZZZZZZ") for line in SIGNED_OUT]
    lines = [*SIGNED_OUT[3:], *[line.replace("user2", "user1") for line in CUT], *again]
    assert by_user(lines) == {"ZZZZZZ": True, "Pg8PvF": False}
