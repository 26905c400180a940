"""What openconnect and ping say, as facts. Pure. Sentences are those of openconnect 9 (http.c, gnutls.c, cstp.c)."""

from __future__ import annotations

import re
from typing import Sequence, Tuple

CONNECTED = re.compile(r"Connected to \S+:\d+$")
MARKS = (
    ("connect", re.compile(r"(GET|POST) https?://|Attempting to connect to server")),
    ("tls", CONNECTED),
    ("form", re.compile(r"Connected to HTTPS on ")),
    ("password", re.compile(r"(?i)POST https?://\S+/auth$|please enter your (username|password)")),
    ("tunnel", re.compile(r"Got CONNECT response: HTTP/1\.1 200")),
)
"""A line → the stage that begins with it, in their order."""
STAGES = tuple(stage for stage, _ in MARKS)
DTLS = re.compile(r"Established DTLS connection")
HIDES = "it shows no form: a camouflaged gateway wants its secret in the URL"
HIDES_STILL = "it shows no form: the camouflage secret is not the one that it has"
_SIGNS = (
    ("hidden", re.compile(r"(?i)Unexpected 404 result|requires Basic authentication|Basic authentication failed")),
    ("certificate", re.compile(r"(?i)certificate from VPN server .* failed verification|certificate verify failed")),
    ("banned", re.compile(r"(?i)Unexpected 40[13] result|Got HTTP response: HTTP/1\.1 40[13]")),
    ("refused", re.compile(r"(?i)^Login failed|authentication failed")),
    ("more", re.compile(r"(?i)single-sign-on|SSO |User input required in non-interactive mode")),
)
"""A line → what it means wherever it stands. The first that fits anything decides."""
_TIME = re.compile(r"icmp_seq=(\d+) .*\btime=([0-9.]+) ms")
_SENT = re.compile(r"(\d+) packets transmitted, (\d+)(?: packets)? received")


def stage_of(line: str) -> str:
    """The stage that begins with this line, or ""."""
    return next((stage for stage, mark in reversed(MARKS) if mark.search(line)), "")


def outcome_of(stage: str, said: Sequence[str], *, late: bool, secret: bool = False) -> Tuple[str, str]:
    """Why a sign-in ended at `stage`: a name of docs/probes.md, and the words that say so.

    ocserv closes a banned client's connection before a byte of TLS, which a machine that is down can't do: it says
    `closed`. Whether it is a ban, only the gateway's own list of bans can tell.
    """
    for name, sign in _SIGNS:
        if told := [line for line in said if sign.search(line)]:
            if name == "hidden":
                return name, HIDES_STILL if secret else HIDES
            return name, told[0][:200]
    if late:
        return "late", "no answer in time"
    return {"connect": "down", "tls": "closed"}.get(stage, "failed"), last_words(said)


def last_words(said: Sequence[str]) -> str:
    """The line of openconnect that tells most, for the sentence; its last two only repeat that it failed."""
    told = [line for line in said if not re.match(r"Failed to (open HTTPS|complete auth|obtain Web)|(POST|GET) ", line)]
    return told[-1][:200] if told else ""


def echoes(text: str) -> tuple[int, int, list[float]]:
    """(sent, received, round trips in ms in the order they were sent) of what `ping` said."""
    found = _SENT.search(text)
    if found is None:
        return 0, 0, []
    times = {int(number): float(ms) for number, ms in _TIME.findall(text)}
    return int(found[1]), min(int(found[2]), int(found[1])), [times[number] for number in sorted(times)]


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def jitter(values: Sequence[float]) -> float:
    """The mean difference of neighbouring round trips, ms (as in RFC 3550, without its smoothing)."""
    steps = [abs(later - earlier) for earlier, later in zip(values, values[1:])]
    return sum(steps) / len(steps) if steps else 0.0
