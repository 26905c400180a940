"""What a person can do about a gateway's no. Pure; the one place that sees to it that every no ends with a way on."""

from __future__ import annotations

from collections.abc import Mapping

WAY_ON: Mapping[str, str] = {
    "not_enough_disk": "Make room there, then resume.",
    "conf_changed": "Put the agreed ocserv.conf back there, then resume.",
    "bundle_hash": "Add the release again, then resume.",
    "bundle_cut_short": "Add the release again, then resume.",
    "downgrade": "Draw its statement on the release's page, have approvers sign it with their own keys, then resume.",
    "host_key_changed": "Then resume.",
    "auth_refused": "Then resume.",
    "start_failed": "Roll back to keep its log for study, or resume to try it again.",
    "not_ready": "Roll back to keep its log for study, or resume to try it again.",
}
ANYTHING_ELSE = "Resume tries it again; roll back gives it up."
NO_RESUME = frozenset({"restore", "snapshot"})
"""Steps of a rollback: what is to be done when they fail, the rollout's own sentence says."""


def with_way_on(say: str, code: str, *, step: str) -> str:
    """Return the sentence with what to do after it, unless it says so itself."""
    if step in NO_RESUME or "resume" in say.lower():
        return say
    return f"{say} {WAY_ON.get(code, ANYTHING_ELSE)}"
