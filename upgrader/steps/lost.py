"""Has the gateway left the trial by itself, and why? Pure."""

from __future__ import annotations

from datetime import timedelta

from fleet.phrases import count
from fleet.ports import Facts
from upgrader.steps.job import Job


def lost(job: Job, facts: Facts, *, waited: float) -> str:
    """The sentence when the gateway no longer carries the trial, else nothing. `waited`: seconds for its answer."""
    slot = next((slot for slot in facts.slots if slot.slot == job.to_slot), None)
    runs = slot is not None and slot.release == job.release and slot.state not in ("idle", "failed")
    steered = facts.trial is not None or bool(dict(facts.weights).get(job.to_slot))
    other = slot is not None and bool(job.conf) and slot.conf != job.conf
    if runs and steered and not other:
        return ""
    if rebooted(job, facts, waited=waited):
        return (
            f"{job.gateway} rebooted, and every session on it ended with that, {count(len(job.before), 'session')} from"
            f" before the rollout among them. It serves {job.from_release} again; its users sign in anew."
        )
    if not runs and job.way == "in_place" and job.trial_until is not None and job.now >= job.trial_until:
        return (
            f"{job.gateway} heard nothing from us for {job.spec.trial_seconds} s and put {job.from_release} back by"
            " itself, as agreed; who was on it then was cut and signs in anew."
        )
    if not runs:
        return f"{job.release} ended by itself in slot {job.to_slot} of {job.gateway}, and sessions there with it."
    if other and job.reloads and job.trial_until is not None and job.now >= job.trial_until:
        say = f"{job.gateway} heard nothing from us for {job.spec.trial_seconds} s, and slot {job.to_slot} went back to"
        return f"{say} the configuration before by itself, as agreed; no session was touched."
    if other:
        say = f"Slot {job.to_slot} of {job.gateway} no longer runs with the new configuration"
        return f"{say}: somebody put the old one back, or it was started anew."
    if job.trial_until is not None and job.now >= job.trial_until:
        return (
            f"{job.gateway} heard nothing from us for {job.spec.trial_seconds} s and went back to {job.from_release} by"
            " itself, as agreed; no session was touched."
        )
    return f"Somebody on {job.gateway} ended its trial; it went back to {job.from_release} and no session was touched."


def rebooted(job: Job, facts: Facts, *, waited: float) -> bool:
    """Whether it is another boot than the last time we looked; before the first look: a shorter one than its trial.

    Lengths of time only: the clocks of two machines are not compared.
    """
    if known := job.earlier.get("boot_id"):
        return bool(known != facts.boot_id)
    uptime = facts.raw.get("uptime")
    if job.trial_until is None or not isinstance(uptime, int | float):
        return False
    renewed = job.trial_until - timedelta(seconds=job.spec.trial_seconds)
    return float(uptime) < (job.now - renewed).total_seconds() + waited
