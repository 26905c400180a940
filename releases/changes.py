"""The kinds of changes to what may run that need a second person."""

from __future__ import annotations

from approvals.changes import KINDS, Change
from releases import channels, proposals

ASK, AGREE = "releases.propose_trust", "releases.approve_trust"
for kind in (proposals.TRUST, proposals.RENEW, proposals.CA_TRUST):
    KINDS[kind] = Change(ASK, AGREE, apply=proposals.apply_trust)
KINDS[proposals.DISTRUST] = Change(ASK, AGREE, apply=proposals.apply_distrust)
KINDS[proposals.POLICY] = Change(ASK, AGREE, apply=proposals.apply_policy)
KINDS[channels.KIND] = Change(channels.ASK, channels.AGREE, apply=channels.apply_pass)
