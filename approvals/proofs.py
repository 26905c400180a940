"""By what and when a person has shown that it is he, and what that is good for. Pure: records in, answers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SECONDS = 15 * 60  # so long a proof is good for deciding
PASSWORD, SECOND_FACTOR, PASSKEY = "password", "second-factor", "passkey"  # noqa: S105 - kinds of proof
RANKS = {PASSWORD: 1, SECOND_FACTOR: 2, PASSKEY: 3}
"""What may be asked for → how much it says. A stronger proof is good wherever a weaker one is asked for."""
_MFA = {
    "totp": (SECOND_FACTOR, "code"),
    "recovery_codes": (SECOND_FACTOR, "recovery code"),
    "webauthn": (PASSKEY, "passkey"),
}
_ACR_PASSKEY = frozenset({"phr", "phrh"})  # OpenID EAP: phishing-resistant, and in hardware
_AMR_PASSKEY = frozenset({"phr", "phrh", "fido", "webauthn"})
_AMR_SECOND = frozenset({"mfa", "otp", "sc", "hwk", "swk"})  # RFC 8176


@dataclass(frozen=True)
class Proof:
    """One time that somebody proved himself. `at` is in seconds since 1970."""

    strength: str  # of RANKS; "" when it can't be known how he did
    method: str  # as people say it: "passkey", "code", "recovery code", "password", "company sign-in"
    at: float

    def said(self) -> str:
        """For the record: "passkey at 2026-11-23T23:14:05Z"."""
        return f"{self.method} at {datetime.fromtimestamp(self.at, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def fresh(self, strength: str, now: float) -> bool:
        """Whether it is good for what asks for `strength` at `now`."""
        enough = RANKS.get(self.strength, 0) >= RANKS.get(strength, len(RANKS) + 1)
        return enough and 0 <= now - self.at < SECONDS


def read(records: Iterable[Mapping[str, Any]]) -> list[Proof]:
    """Return what allauth's notes in the session amount to; a note that says nothing sure is left out."""
    return [proof for record in records if (proof := _proof(record))]


def best(proofs: Iterable[Proof], now: float) -> Proof | None:
    """The strongest that is still good, or else the latest of all."""
    found = sorted(proofs, key=lambda proof: proof.at)
    good = [proof for proof in found if 0 <= now - proof.at < SECONDS]
    if good:
        return max(good, key=lambda proof: (RANKS.get(proof.strength, 0), proof.at))
    return found[-1] if found else None


def asked(setting: str, *, has_factor: bool, has_password: bool) -> str:
    """What deciding asks of a person: one of RANKS, or "" for nothing.

    `setting` is HANDOVER_STEP_UP. Without it, who has a second factor is asked for it, and so is who has no password
    here: what his company's sign-in asked of him is not known to us unless it says so.
    """
    if setting:
        # A second factor that somebody has is asked for, whatever little the setting says.
        return SECOND_FACTOR if setting == PASSWORD and (has_factor or not has_password) else setting
    return SECOND_FACTOR if has_factor or not has_password else ""


def of_company(claims: Mapping[str, Any], now: float) -> tuple[str, float] | None:
    """Strength and moment that an ID token vouches for; None without auth_time: the sign-in may be of this morning."""
    at = claims.get("auth_time")
    if not isinstance(at, int) or isinstance(at, bool) or at > now + 60:
        return None
    methods = claims.get("amr")
    used = {str(one) for one in methods} if isinstance(methods, list) else set()
    if str(claims.get("acr")) in _ACR_PASSKEY or used & _AMR_PASSKEY:
        return PASSKEY, min(float(at), now)
    return (SECOND_FACTOR if used & _AMR_SECOND else PASSWORD), min(float(at), now)


def _proof(record: Mapping[str, Any]) -> Proof | None:
    at = record.get("at")
    if not isinstance(at, int | float) or isinstance(at, bool):
        return None
    match record.get("method"):
        case "password":
            return Proof(PASSWORD, "password", float(at))
        case "mfa" if record.get("type") in _MFA:
            return Proof(*_MFA[str(record["type"])], float(at))
        case "socialaccount":
            said = str(record.get("strength") or "")
            return Proof(said if said in RANKS else "", "company sign-in", float(at))
        case _:
            return None
