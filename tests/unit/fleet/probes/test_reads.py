"""What openconnect and ping say, read from what they said."""

from __future__ import annotations

import pytest

from fleet.probes.probegate import reads

# openconnect 9.01 on Debian 12, as it spoke with ocserv 1.1.6 of the lab.
BEGUN = ["POST https://203.0.113.11/", "Connected to 203.0.113.11:443", "SSL negotiation with 203.0.113.11"]
REFUSED = [
    *BEGUN,
    "Connected to HTTPS on 203.0.113.11 with ciphersuite (TLS1.2)-(ECDHE-SECP256R1)-(ECDSA-SHA256)-(AES-256-GCM)",
    "XML POST enabled",
    "Please enter your username.",
    "POST https://203.0.113.11/auth",
    "Please enter your password.",
    "POST https://203.0.113.11/auth",
    "Login failed.",
    "Please enter your password.",
    "Password:",
    "User input required in non-interactive mode",
    "Failed to complete authentication",
]
CUT = [
    *BEGUN,
    "SSL connection failure: The TLS connection was non-properly terminated.",
    "Failed to open HTTPS connection",
]
PING = """PING 10.101.4.1 (10.101.4.1) 56(84) bytes of data.
64 bytes from 10.101.4.1: icmp_seq=1 ttl=64 time=1.00 ms
64 bytes from 10.101.4.1: icmp_seq=3 ttl=64 time=4.00 ms
64 bytes from 10.101.4.1: icmp_seq=2 ttl=64 time=2.00 ms

--- 10.101.4.1 ping statistics ---
4 packets transmitted, 3 received, 25% packet loss, time 601ms
"""


def stages(said: list[str]) -> list[str]:
    return [stage for line in said if (stage := reads.stage_of(line))]


def test_stages_follow_what_it_says() -> None:
    assert stages(REFUSED) == ["connect", "tls", "form", "password", "password", "password", "password", "password"]
    assert stages(["Got CONNECT response: HTTP/1.1 200 CONNECTED"]) == ["tunnel"]
    assert stages(["Got CONNECT response: HTTP/1.1 401 Unauthorized"]) == []


@pytest.mark.parametrize(
    ("stage", "said", "outcome"),
    [
        ("password", REFUSED, ("refused", "Login failed.")),
        ("password", [line for line in REFUSED if line != "Login failed."], ("more", REFUSED[-2])),
        ("tls", CUT, ("closed", CUT[3])),
        (
            "connect",
            [BEGUN[0], "Failed to connect to host 203.0.113.11"],
            ("down", "Failed to connect to host 203.0.113.11"),
        ),
        ("form", [*BEGUN, "Unexpected 403 result from server"], ("banned", "Unexpected 403 result from server")),
        (
            "tls",
            [*BEGUN, "Server certificate verify failed: signer not found"],
            ("certificate", "Server certificate verify failed: signer not found"),
        ),
        ("form", BEGUN, ("failed", BEGUN[-1])),
        ("form", [*BEGUN, "Unexpected 404 result from server"], ("hidden", reads.HIDES)),
    ],
)
def test_why_a_sign_in_ended(stage: str, said: list[str], outcome: tuple[str, str]) -> None:
    assert reads.outcome_of(stage, said, late=False) == outcome
    if outcome[0] == "hidden":
        assert reads.outcome_of(stage, said, late=False, secret=True) == ("hidden", reads.HIDES_STILL)


def test_late_is_late_wherever_it_hangs_and_a_word_of_refusal_is_none_the_less() -> None:
    assert reads.outcome_of("tls", BEGUN, late=True)[0] == "late"
    assert reads.outcome_of("password", REFUSED, late=True)[0] == "refused"


def test_pings_are_read_in_the_order_they_were_sent() -> None:
    assert reads.echoes(PING) == (4, 3, [1.0, 2.0, 4.0])
    assert reads.echoes("ping: connect: Network is unreachable") == (0, 0, [])
    assert (reads.median([1, 2, 4]), reads.median([1, 3]), reads.jitter([1, 2, 4]), reads.jitter([7])) == (2, 2, 1.5, 0)
