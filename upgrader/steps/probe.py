"""One real login on the new slot before any user is sent there."""

from fleet.errors import GiveUp
from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    user, password = job.probe
    if not user:
        raise GiveUp(f"{job.gateway} has no probe account, so nothing shows that a login works. Add one, then resume.")
    probed = gateway.probe(job.to_slot, user=user, password=password)
    if not probed.ok:
        raise GiveUp(
            f"The login probe on slot {job.to_slot} of {job.gateway} came as far as {probed.stage}: {probed.say}"
            " No user was sent there.",
            code="probe_failed",
        )
    return Done(
        f"Login probe on slot {job.to_slot} of {job.gateway}: {probed.login_ms:.0f} ms.",
        result={"login_ms": probed.login_ms, "handshake_ms": probed.handshake_ms},
    )
