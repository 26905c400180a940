"""Who of those that were on before is still on, and who has signed out since by his own doing."""

from __future__ import annotations

from typing import Any

from fleet.ports import SHORT_ID, Gateway
from upgrader.steps.job import Job


def presence(job: Job, gateway: Gateway) -> dict[str, Any]:
    """Return the upgrade's columns `kept` (a count) and `left` (session ids).

    Kept-session ratio: |before ∩ after| / |before| over `Full session`. Who signed out himself is left out of both.
    """
    here = {session.id for session in gateway.sessions()}
    missing = [session for session in job.before if session not in here]
    left = [session for session in missing if session in job.left]
    if len(left) < len(missing):
        signed_out = gateway.signed_out()
        left = [session for session in missing if session in job.left or session[:SHORT_ID] in signed_out]
    return {"kept": len(job.before) - len(missing), "left": left}


def said(job: Job, columns: dict[str, Any]) -> str:
    """The same as a phrase."""
    stayed = len(job.before) - len(columns["left"])
    gone = len(columns["left"])
    out = f", {gone} signed out by {'himself' if gone == 1 else 'themselves'}" if gone else ""
    return f"{columns['kept']} of {stayed} sessions kept{out}"
