"""The kinds of changes to gateways that need a second person, and what their scopes name."""

from __future__ import annotations

from approvals.changes import KINDS, Change
from approvals.rights import SCOPES
from fleet import balancers, enrolment, errands, remedies, rotation
from fleet.models import Pool
from fleet.probes import hosts as probe_hosts

SCOPES["pool"] = Pool

ASK, CONFIRM = "fleet.enrol_gateway", "fleet.approve_gateway"
KINDS[enrolment.ENROL] = Change(ASK, CONFIRM, apply=enrolment.confirmed, rejected=enrolment.declined)
KINDS[enrolment.LEAVE] = Change(ASK, CONFIRM, apply=enrolment.left)
KINDS[enrolment.HOST_KEY] = Change(ASK, CONFIRM, apply=enrolment.repinned)
KINDS[remedies.ADOPT] = Change(ASK, CONFIRM, apply=remedies.apply_adopted)

errands.KINDS |= {"agree": remedies.put_conf_back, "adopt_conf": remedies.adopt_conf}
KINDS[rotation.BEGIN] = Change(ASK, CONFIRM, apply=rotation.begun)
KINDS[rotation.SWITCH] = Change(ASK, CONFIRM, apply=rotation.switched)
errands.KINDS["authorize"] = rotation.authorize
KINDS[balancers.ADD] = Change(ASK, CONFIRM, apply=balancers.added)
KINDS[balancers.ATTACH] = Change(ASK, CONFIRM, apply=balancers.placed)
KINDS[balancers.REMOVE] = Change(ASK, CONFIRM, apply=balancers.removed)
KINDS[probe_hosts.ADD] = Change(ASK, CONFIRM, apply=probe_hosts.added)
KINDS[probe_hosts.REMOVE] = Change(ASK, CONFIRM, apply=probe_hosts.removed)
