"""Two pools of two real gateways behind two real HAProxies: all new users go to the other pool, and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guardian.shortcuts import assign_perm

from fleet import balancers, sealed
from fleet import services as fleet_services
from fleet.models import Balancer, BalancerPeer, Gateway, Pool
from fleet.traffic.rows import BALANCER_KEY
from lab.commands import wait_until
from lab.fleet import Lab
from lab.haproxy import BACKEND, Target, names
from lab.vpn import Vpn
from tests.db.upgrader.paired import SPEC
from tests.db.upgrader.world import NEW, OLD
from tests.gateway.ocgate import guests
from tests.gateway.upgrader.world import RealFleet
from upgrader import together
from upgrader.models import Strategy
from upgrader.states import R

SHORT = {"observe_seconds": 5, "limits": {"login_success_min": 0.98, "min_logins": 3, "restarts_max": 0}}
BLUE, GREEN = ("gw1", "gw2"), ("gw3", "gw4")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(gateways=4, users=0, say=lambda _text: None, kind="balanced") as standing:
        weights = dict.fromkeys(BLUE, 100) | dict.fromkeys(GREEN, 0)
        targets = [Target(one.name, one.public, weight=weights[one.name]) for one in standing.gateways]
        for balancer in standing.balancers:
            balancer.kill()
            balancer.configure(targets, peers=names(standing.balancers))
            balancer.start()
        yield standing


class PairedFleet(RealFleet):
    """Blue serves and green stands idle, as HAProxy's configuration has it."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.blue, self.green = self.pool, Pool.objects.create(name="green", channel=self.pool.channel)
        Pool.objects.filter(pk=self.blue.pk).update(name="blue")
        for machine, pool in zip(lab.gateways[1:], (self.blue, self.green, self.green), strict=True):
            self.machine, self.pool = machine, pool
            self.enrol()
        self._stand(lab)
        for right in ("submit_rollout", "promote_rollout", "hold_rollout", "rollback_rollout"):
            assign_perm(right, self.ola, self.green)
        assign_perm("approve_rollout", self.cal, self.green)
        self.strategy = Strategy.objects.create(name="between", title="Between", spec={**SPEC, **SHORT})

    def _stand(self, lab: Lab) -> None:
        sealed.seal(BALANCER_KEY, lab.controller_key.read_bytes())
        balancer = Balancer.objects.create(name="front", pool=self.blue)
        balancer.shared_with.add(self.green)
        for one in lab.balancers:
            (kind, key), *_ = one.host_keys
            where = {"address": one.address, "port": one.port, "ssh_user": one.user}
            BalancerPeer.objects.create(balancer=balancer, name=one.name, key_kind=kind, key=key, **where)
        for row in Gateway.objects.all():
            Gateway.objects.filter(pk=row.pk).update(front=balancer, backend=BACKEND, servers={"": row.name})
            row.refresh_from_db()
            assert fleet_services.look(row, now=self.now()), row.state_reason
        assert balancers.look(balancer, now=self.now()), balancer.seen


def comes(lab: Lab, host: int, *, through: int) -> tuple[Vpn, str]:
    """A guest through this balancer, and the gateway on which he is."""
    before = everybody(lab)
    vpn = guests.sign_in(lab, lab.gateways[0], host, server=lab.balancers[through].public)
    wait_until(lambda: len(everybody(lab)) > len(before), seconds=20, what="The guest's session")
    (session,) = set(everybody(lab)) - set(before)
    return vpn, everybody(lab)[session]


def everybody(lab: Lab) -> dict[str, str]:
    """Session → gateway, by each occtl; without the controller's own logins."""
    return {
        session["id"]: gateway.name
        for gateway in lab.gateways
        for session in gateway.sessions()
        if session["user"] == "guest1"
    }


def weights(lab: Lab) -> list[dict[str, int]]:
    """Server → weight, as each HAProxy says."""
    found = []
    for balancer in lab.balancers:
        header, *rows = [line for line in balancer.tell(f"show servers state {BACKEND}").splitlines()[1:] if line]
        columns = header[2:].split()
        said = [dict(zip(columns, row.split(" "), strict=False)) for row in rows]
        found.append({one["srv_name"]: int(one["srv_uweight"]) for one in said})
    return found


def test_new_users_go_to_the_other_pool_and_back_and_nobody_is_cut(
    lab: Lab, controller: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "LEAD_SECONDS", 0.5)  # one thread does all the work here
    first = [comes(lab, 161 + at, through=at) for at in (0, 1)]
    assert {gateway for _, gateway in first} <= set(BLUE)
    fleet, sessions = PairedFleet(lab), set(everybody(lab))
    fleet.take()
    rollout = fleet.go(fleet.started(), R.DRAINING)
    assert weights(lab) == [dict.fromkeys(BLUE, 0) | dict.fromkeys(GREEN, 100)] * 2
    _, where = comes(lab, 163, through=0)
    assert where in GREEN
    fleet.act("roll_back", rollout)
    fleet.go(rollout, R.ROLLED_BACK)
    assert weights(lab) == [dict.fromkeys(BLUE, 100) | dict.fromkeys(GREEN, 0)] * 2
    assert comes(lab, 164, through=1)[1] in BLUE
    assert sessions < set(everybody(lab))
    assert [up.from_release for up in rollout.waves.get().upgrades.order_by("gateway__name")] == [OLD] * 4
    served = {row.name: row.release for row in Gateway.objects.all()}
    assert served == dict.fromkeys(BLUE, OLD) | dict.fromkeys(GREEN, NEW), "somebody is on green"
    guests.all_leave()
