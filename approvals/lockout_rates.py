"""How many wrong passwords, in how long. Pure: the settings read it before Django is there."""

from __future__ import annotations

MINUTES = 15
PAIR_MOST, NAME_MOST, SLOW_SECONDS = 5, 20, 15
RATES = {
    "sign_in_pair": f"{PAIR_MOST}/{MINUTES}m/key",
    "sign_in_name": f"{NAME_MOST}/{MINUTES}m/key",
    "sign_in_slow": f"1/{SLOW_SECONDS}s/key",
}
"""For ACCOUNT_RATE_LIMITS: how often, in how long, for one key."""
