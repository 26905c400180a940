"""Is this gateway as the plan saw it, and which slot is free? Read only."""

from fleet.errors import GiveUp
from fleet.ports import Facts, Gateway, SlotFacts, SlotRelease
from upgrader.steps import front
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    facts = gateway.facts()
    committed = as_planned(job, facts)
    if not job.reloads:
        front.refuse_strange(job, facts)
    if job.reloads:
        return Done(
            f"{job.gateway} serves {committed.release} from slot {committed.slot}, which will read its configuration.",
            columns={"from_slot": committed.slot, "to_slot": committed.slot},
            facts=facts.raw,
        )
    slot = free_slot(job, facts)
    return Done(
        f"{job.gateway} serves {committed.release} from slot {committed.slot}; slot {slot} is free.",
        columns={"from_slot": committed.slot, "to_slot": slot},
        facts=facts.raw,
    )


def as_planned(job: Job, facts: Facts) -> SlotRelease:
    """Return what serves now. Give up, with the sentence, where the gateway is not what was approved."""
    if facts.committed is None:
        raise GiveUp(f"{job.gateway} has no committed slot. Enrol it anew, then resume.", code="nothing_committed")
    if facts.committed.release == job.release and (not job.conf or facts.agreed_conf == job.conf):
        what = f"{job.release} with this configuration" if job.conf else job.release
        raise GiveUp(f"{job.gateway} already serves {what}. Leave it out of the plan.", code="already_there")
    if facts.committed.release != job.from_release:
        raise GiveUp(
            f"{job.gateway} serves {facts.committed.release}, and the plan that was approved says {job.from_release}."
            " Draft the rollout anew.",
            code="not_as_planned",
        )
    if facts.conf_changed and (facts.raw.get("conf") or {}).get("sha256") != job.over:
        raise GiveUp(
            f"ocserv.conf on {job.gateway} was edited after it was agreed. Nothing was changed there."
            " Put the agreed file back or adopt this one, then resume.",
            code="conf_changed",
        )
    if facts.trial is not None and ours(job, facts) is None:
        raise GiveUp(
            f"{job.gateway} has a trial of somebody else running. Wait for its end, then resume.", code="trial"
        )
    return facts.committed


def ours(job: Job, facts: Facts) -> SlotFacts | None:
    """The slot that already runs what we bring: an earlier run of ours started it."""
    return next((slot for slot in facts.slots if slot.state != "idle" and is_ours(job, facts, slot)), None)


def is_ours(job: Job, facts: Facts, slot: SlotFacts) -> bool:
    """Whether this slot runs the release, with the configuration, that the plan says."""
    if facts.committed is not None and facts.committed.slot == slot.slot:
        return job.reloads
    # An ocgate from before configurations travelled says nothing of them.
    return slot.release == job.release and (not slot.conf or slot.conf == (job.conf or facts.agreed_conf))


def free_slot(job: Job, facts: Facts) -> int:
    if running := ours(job, facts):
        return running.slot
    idle = [slot.slot for slot in facts.slots if slot.state == "idle"]
    if idle:
        return min(idle)
    in_the_way = ", ".join(f"slot {slot.slot} with {slot.sessions} users on {slot.release}" for slot in facts.slots)
    raise GiveUp(f"{job.gateway} has no free slot: {in_the_way}. Wait for a drain, then resume.", code="no_slot_free")
