"""Go back to the release that served before, then verify that it does."""

from typing import Any, Literal

from fleet.errors import GiveUp, RetryLater
from fleet.ports import Facts, Gateway, Probed, Restored
from upgrader.steps import front
from upgrader.steps.job import Done, Job, NotYet, Outcome
from upgrader.steps.parted import parted
from upgrader.steps.presence import presence, said
from upgrader.steps.third import by_steps, remembers

LOGINS = 3  # in a row that fail until a person is called


def run(job: Job, gateway: Gateway) -> Outcome:
    if not job.from_slot or not job.to_slot:
        return Done(f"Nothing was started on {job.gateway}.")
    restored = gone_back(job, gateway)
    if isinstance(restored, NotYet):
        return restored
    facts = gateway.facts()
    verified(job, facts)
    cut: dict[str, Any] = {"cut": [list(pair) for pair in (*job.cut, *restored.cut)]} if restored.cut else {}
    told = [*job.earlier.get("cut", []), *parted(restored.cut)]  # without addresses: a way back asks nothing first
    user, password = job.probe
    probed = gateway.probe(restored.slot, user=user, password=password)
    if not probed.ok:
        return NotYet(
            1, no_login(job, restored, probed), columns=cut, result={**counted(job), "cut": told}, facts=facts.raw
        )
    front.home(job, gateway, slot=restored.slot)
    columns = presence(job, gateway) | cut
    return Done(
        f"{job.gateway} serves {restored.release} again: login {probed.login_ms:.0f} ms, {said(job, columns)}.",
        columns={**columns, "trial_until": None},
        result={
            "applied_at": restored.applied_at,
            "already": restored.already,
            "started": restored.started,
            "cut": told,
        },
        facts=facts.raw,
    )


def gone_back(job: Job, gateway: Gateway) -> Restored | NotYet:
    # Before a commit was asked for there is one answer; after it the gateway is asked which one is true.
    before = gateway.facts() if job.committed else None
    to_previous = before is not None and is_committed(job, before)
    front.back(job)
    if to_previous and before is not None and not remembers(job, before):
        return by_steps(job, gateway, before)
    try:
        to: Literal["previous", "committed"] = "previous" if to_previous else "committed"
        return gateway.restore(to, fence=job.fence, cut_at_most=job.args.get("cut_at_most"))
    except GiveUp as no:
        if no.code != "has_sessions":
            raise
        return too_many(job, gateway, no)


def too_many(job: Job, gateway: Gateway, no: GiveUp) -> NotYet:
    """More users are on it than people agreed to cut. First their number is noted, for the question names it."""
    if not job.earlier.get("too_many"):
        return NotYet(0, f"{no.say} Nobody was cut.", result={"too_many": True}, facts=gateway.facts().raw)
    say = f"{no.say} Nobody was cut. Roll back again: the question then names them all."
    raise GiveUp(say, code=no.code) from no


def counted(job: Job) -> dict[str, Any]:
    return {"failed_logins": int(job.earlier.get("failed_logins", 0)) + 1}


def no_login(job: Job, restored: Restored, probed: Probed) -> str:
    """What is wrong, while it is tried again: users are back already, and one login alone may fail by chance.

    Measured on a machine that had much to do: 1 handshake of 8 timed out. Give up after LOGINS.
    """
    failed = counted(job)["failed_logins"]
    came = f"a login there came as far as {probed.stage}: {probed.say}"
    say = f"{job.gateway} went back to {restored.release}, and {came}"
    if failed < LOGINS:
        return f"{say} It is tried again."
    raise GiveUp(f"{say} Tried {failed} times. A person is needed.", code="not_verified")


def is_committed(job: Job, facts: Facts) -> bool:
    if facts.committed is None:
        return False
    if job.reloads:
        return facts.agreed_conf == job.conf
    # The release alone says nothing where only the configuration is new.
    return facts.committed.release == job.release and (not job.conf or facts.committed.slot == job.to_slot)


def verified(job: Job, facts: Facts) -> None:
    """The old release is committed, runs, and takes all new clients; else ask again."""
    if facts.committed is None or facts.committed.release != job.from_release:
        raise RetryLater(f"{job.gateway} does not say yet that it is back on {job.from_release}.", code="not_back")
    if job.conf and conf_of(facts) == job.conf:
        raise RetryLater(f"{job.gateway} does not say yet that the old configuration is back.", code="not_back")
    if dict(facts.weights).get(facts.committed.slot, 0) != 100:
        raise RetryLater(f"{job.gateway} still sends new users elsewhere.", code="not_back")


def conf_of(facts: Facts) -> str:
    """SHA-256 of the configuration that the committed slot runs with."""
    committed = facts.committed.slot if facts.committed else 0
    return next((slot.conf for slot in facts.slots if slot.slot == committed), "")
