"""What is read for `inventory`: who was signed in on the host, and keys as people know them."""

from __future__ import annotations

from fleet.ocgate import inventory, repin

LAST = """\
root     pts/0        192.0.2.9        2026-11-23T07:00:00+00:00 - 2026-11-23T07:10:00+00:00  (00:10)
ann      tty1         0.0.0.0          2026-11-23T08:00:00+0100   still logged in
bob      pts/1        192.0.2.7        2026-11-22T07:00:00+00:00   gone - no logout
user1    vpnsa0       203.0.113.40     2026-11-23T07:00:00+00:00   still logged in
reboot   system boot  0.0.0.0          2026-11-20T07:00:00+00:00   still running

wtmp begins 2025-05-20T00:00:00+00:00
"""


def test_people_on_the_host_are_told_from_users_of_the_vpn_and_boots() -> None:
    found = inventory.logins(LAST)
    assert [(login["user"], login["from"]) for login in found] == [
        ("root", "192.0.2.9"),
        ("ann", "0.0.0.0"),
        ("bob", "192.0.2.7"),
    ]
    assert [login["until"] - login["at"] for login in found[:1]] == [600.0]
    assert found[0]["at"] == found[1]["at"] == 1795417200.0
    assert found[1]["until"] == found[2]["until"] == 0.0


def test_not_more_than_fifty() -> None:
    assert len(inventory.logins((LAST.splitlines()[0] + "\n") * 80)) == 50


def test_a_fingerprint_is_the_one_that_ssh_keygen_shows() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    assert inventory.key_fingerprint(key) == "SHA256:kmYcvdi2GkPeWxB6XLjrZB8JHsy2Hm8luHMFp9GMvqk"


def test_openssl_says_when() -> None:
    assert repin.openssl_time("Nov  3 07:00:00 2026 GMT") == 1793689200.0
    assert repin.openssl_time("next year") == 0.0
