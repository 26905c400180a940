"""The controller's core with a real gateway behind two real HAProxies, and users who come through them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from fleet import sealed
from fleet.models import Balancer, BalancerPeer, Gateway
from fleet.traffic.rows import BALANCER_KEY
from lab.commands import LabError, wait_until
from lab.fleet import Lab
from lab.haproxy import BACKEND
from tests.gateway.upgrader.world import SPEC, RealFleet
from upgrader.models import Rollout, StepRun, Strategy


class FrontedFleet(RealFleet):
    """`servers`: the gateway's names in the backend, as its row has them."""

    def __init__(self, lab: Lab, servers: dict[str, str], **spec: Any) -> None:
        super().__init__(lab)
        sealed.seal(BALANCER_KEY, lab.controller_key.read_bytes())
        balancer = Balancer.objects.create(name="front", pool=self.pool)
        for one in lab.balancers:
            (kind, key), *_ = one.host_keys
            where = {"address": one.address, "port": one.port, "ssh_user": one.user}
            BalancerPeer.objects.create(balancer=balancer, name=one.name, key_kind=kind, key=key, **where)
        Gateway.objects.filter(pk=self.row.pk).update(front=balancer, backend=BACKEND, servers=servers)
        self.row.refresh_from_db()
        assert self.look(), self.row.state_reason
        self.strategy = Strategy.objects.create(name="front", title="Front", spec={**SPEC, **spec})

    def work_until(self, done: Any, *, what: str, seconds: float = 120) -> None:
        """As ever; a failure tells how far it came."""
        try:
            super().work_until(done, what=what, seconds=seconds)
        except LabError as late:
            rollouts = [f"{one.state}: {one.reason} {one.waits}" for one in Rollout.objects.all()]
            steps = [f"{one.name} {one.state} {one.error}{one.result.get('say', '')}" for one in StepRun.objects.all()]
            raise LabError("\n  ".join([str(late), *rollouts, *steps])) from late

    def steps(self, name: str) -> QuerySet[StepRun]:
        return StepRun.objects.filter(name=name).order_by("-ordinal")

    def said(self, name: str) -> str:
        """What the last step of this name said."""
        step = self.steps(name).first()
        return f"{step.result.get('say', '')} {step.error}" if step else ""


def on_slots(lab: Lab) -> dict[str, int]:
    """User → slot, by occtl."""
    return {session["user"]: session["slot"] for session in lab.gateways[0].sessions()}


def sign_in(lab: Lab, *names: str) -> None:
    """Have these users come, through their balancers."""
    lab.clients.connect([client for client in lab.clients.all if client.user in names and not client.vpn.connected])
    wait_until(lambda: set(names) <= set(on_slots(lab)), seconds=30, what=f"The sign-in of {', '.join(names)}")


def sign_out(lab: Lab, *names: str) -> None:
    for client in lab.clients.all:
        if client.user in names:
            lab.clients.disconnect(client)
    wait_until(lambda: not set(names) & set(on_slots(lab)), seconds=30, what=f"The sign-out of {', '.join(names)}")
