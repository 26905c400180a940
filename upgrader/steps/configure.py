"""Bring the configuration to the gateway, which judges it by its own list and by the approvers pinned there."""

from fleet.errors import GiveUp
from fleet.phrases import listed
from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    if job.config is None:
        raise GiveUp(f"The plan of {job.gateway} has no configuration to bring.", code="no_config")
    text, statement = job.config.text()
    kept = gateway.configure(text, statement=statement, fence=job.fence)
    if kept.sha256 != job.conf:
        raise GiveUp(f"{job.gateway} keeps another configuration than the one that was approved.", code="conf_hash")
    if job.reloads and kept.way == "restart":
        say = f"{job.gateway} has another agreed configuration than the plan was made for: a reload would not notice"
        raise GiveUp(f"{say} {listed(kept.changed, 8)}. Draft the rollout anew.", code="not_reloadable")
    what = f"it changes {listed(kept.changed, 8)}" if kept.changed else "it is the agreed one"
    return Done(
        f"Configuration {job.config.number} is on {job.gateway}; {what}.",
        result={"already": kept.already, "changed": list(kept.changed), "way": kept.way},
    )
