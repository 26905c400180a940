"""The kinds of changes to what may run that need a second person, and of errands that follow from them."""

from __future__ import annotations

from approvals.changes import KINDS, Change
from approvals.rights import SCOPES
from fleet import errands as fleet_errands
from releases import channels, configs, errands, proposals
from releases.models import ChannelPolicy

SCOPES["channel"] = ChannelPolicy

ASK, AGREE = "releases.propose_trust", "releases.approve_trust"
for kind in (proposals.TRUST, proposals.RENEW, proposals.CA_TRUST):
    KINDS[kind] = Change(ASK, AGREE, apply=proposals.apply_trust)
KINDS[proposals.DISTRUST] = Change(ASK, AGREE, apply=proposals.apply_distrust)
KINDS[proposals.POLICY] = Change(ASK, AGREE, apply=proposals.apply_policy)
KINDS[channels.KIND] = Change(channels.ASK, channels.AGREE, apply=channels.apply_pass)
fleet_errands.KINDS["trust"] = errands.trust
fleet_errands.KINDS["crl"] = errands.crl
KINDS[configs.KIND] = Change(configs.PROPOSE, configs.APPROVE, apply=configs.apply_agree, rejected=configs.reject)
