"""The kinds of changes to gateways that need a second person, and what their scopes name."""

from __future__ import annotations

from approvals.rights import SCOPES
from fleet.models import Pool

SCOPES["pool"] = Pool
