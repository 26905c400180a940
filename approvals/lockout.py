"""Wrong passwords: who guesses is stopped, who is guessed at is not.

Five wrong ones for a name from one address stop that name from that address for 15 minutes. Twenty for a name from
wherever slow it down to one try in 15 s, except from addresses where that name has signed in before. Names that do not
exist are counted in the same way, so that nobody learns which do. The counting is allauth's, in the cache that all
processes share.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest

from approvals.lockout_rates import MINUTES, PAIR_MOST, SLOW_SECONDS

APP = "allauth.account"  # whose settings name the rates
KNOWN_SECONDS = 30 * 24 * 3600
STOPPED = (
    f"{PAIR_MOST} wrong passwords for this name came from your address. It is stopped for {MINUTES} minutes from here"
    " only; a passkey still works."
)
SLOWED = (
    f"Somebody tries many passwords for this name, so it takes one every {SLOW_SECONDS} seconds from new addresses."
    " Wait so long and try again, or use a passkey."
)


@dataclass
class Attempt:
    """One try for one name from one place (an address or network)."""

    name: str
    place: str
    counted: list[Any] = field(default_factory=list)  # what allauth can take back

    @classmethod
    def of(cls, name: str, place: str) -> Attempt:
        return cls(unicodedata.normalize("NFKC", name).casefold()[:150], place)

    @property
    def pair(self) -> str:
        return f"{self.name}|{self.place}"

    @property
    def known(self) -> str:
        return "sign-in:known:" + hashlib.sha256(self.pair.encode()).hexdigest()


def refusal(request: HttpRequest, tried: Attempt) -> str:
    """Why this try is not even looked at, or "". Each that is looked at counts as wrong until `forgive`."""
    if not ratelimit.consume(request, app=APP, action="sign_in_pair", key=tried.pair):
        return STOPPED
    usage = ratelimit.consume(request, app=APP, action="sign_in_name", key=tried.name)
    if usage:
        tried.counted.append(usage)
        return ""
    known = cache.get(tried.known)
    if known or ratelimit.consume(request, app=APP, action="sign_in_slow", key=tried.name):
        return ""
    return SLOWED


def forgive(request: HttpRequest, tried: Attempt) -> None:
    """The password was right: the place is known, and what it got wrong before is forgotten."""
    cache.set(tried.known, True, KNOWN_SECONDS)
    ratelimit.clear(request, app=APP, action="sign_in_pair", key=tried.pair)
    for usage in tried.counted:
        usage.rollback()


def first_told(tried: Attempt) -> bool:
    """Whether this stop is news: the record has it once, however often somebody knocks on."""
    return bool(cache.add(f"{tried.known}:told", True, MINUTES * 60))
