"""Bad days before any user is steered: the rollout is held with a sentence, nobody notices, and there is a way on."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import AuditEvent
from fleet import gateways, services
from fleet.gateways import dial, ssh
from fleet.ports import Progress, ReleaseFiles, Staged
from lab import faults
from releases import repository
from tests.db.upgrader.world import NEW
from tests.gateway.upgrader.world import RealFleet, Users
from upgrader.models import StepRun

STAY = "Users stay where they are until somebody resumes."


def test_an_unreachable_gateway(fleet: RealFleet, users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "CONNECT_SECONDS", 1.0)
    gateways.close_all()
    fleet.take()
    with faults.cut_off(fleet.machine):
        rollout = fleet.go(fleet.started(), "held")
        assert not fleet.look()
    where = f"{fleet.machine.address}:22"
    said = f"gw1 did not answer at {where} within 1 s. Asked 6 times. Users on the gateway were not touched. Resume"
    assert f"{said} asks again. {STAY}" in fleet.page(rollout)
    assert fleet.row.state == "unreachable"
    users.assert_unhurt()
    fleet.act("resume", rollout)
    fleet.go_to_step(rollout, "stage")
    fleet.row.refresh_from_db()
    assert fleet.row.state == "enrolled"


def test_a_full_disk(fleet: RealFleet, users: Users) -> None:
    fleet.take()
    with faults.disk_full(fleet.machine):
        rollout = fleet.go(fleet.started(), "held")
    page = fleet.page(rollout)
    assert "gw1: 1 MiB are free below /var/lib/ocgate, " in page
    assert f" are needed. Nothing was taken. Make room there, then resume. {STAY}" in page
    users.assert_unhurt()
    fleet.act("resume", rollout)
    fleet.go_to_step(rollout, "check")


def test_a_wrong_host_key(fleet: RealFleet, users: Users) -> None:
    fleet.take()
    rollout = fleet.started()
    fleet.go_to_step(rollout, "stage")
    faults.change_host_key(fleet.machine)
    gateways.close_all()
    page = fleet.page(fleet.go(rollout, "held"))
    assert "gw1 shows the ssh-ed25519 host key SHA256:" in page
    assert "Nothing was sent to it. Compare the fingerprint on the machine's console: the gateway's page shows" in page
    assert f"both, and a second person can confirm the new one. Then resume. {STAY}" in page
    assert AuditEvent.objects.filter(verb="gateway.quarantined", subject=f"gateway:{fleet.row.pk}").count() == 1
    with pytest.raises(Refused, match="gw1 is quarantined"):
        fleet.act("resume", rollout)
    users.assert_unhurt()
    services.pin(fleet.row, host_keys=fleet.pins(), actor=fleet.who(fleet.cal), now=fleet.now())
    fleet.act("resume", rollout)
    fleet.go_to_step(rollout, "check")


def test_a_bundle_that_was_cut_short_in_the_repository(fleet: RealFleet, users: Users) -> None:
    release = fleet.take()
    with repository.path_of(release.bundle).open("r+b") as bundle:
        bundle.truncate(1000)
    rollout = fleet.go(fleet.started(), "held")
    said = f"gw1: The bundle of {NEW} in the repository has 1000 of {release.size} bytes, so nothing was sent."
    assert f"{said} Add the release again, then resume. {STAY}" in fleet.page(rollout)
    users.assert_unhurt()
    fleet.take()
    fleet.act("resume", rollout)
    fleet.go_to_step(rollout, "check")


class Tripped:
    """A gateway whose cable is pulled when half of a bundle was sent, once."""

    def __init__(self, fleet: RealFleet) -> None:
        self.fleet, self.port = fleet, gateways.open(fleet.row)
        self.runs: list[list[int]] = []

    def __call__(self, _: object) -> Tripped:
        return self

    def stage(self, files: ReleaseFiles, *, fence: int, progress: Progress) -> Staged:
        self.runs.append([])

        def told(say: str, done: int, total: int) -> None:
            if say == "bundle":
                self.runs[-1].append(done)
                if len(self.runs) == 1 and 2 * done > total:
                    self.fleet.machine.plugged(everything=False, plugged=False)
            progress(say, done, total)

        return self.port.stage(files, fence=fence, progress=told)

    def close(self) -> None:
        """The test closes it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


def test_a_download_that_stalls(fleet: RealFleet, users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "QUIET_SECONDS", 2.0)
    monkeypatch.setattr(ssh, "TELL_SECONDS", 0.0)
    fleet.take()
    rollout = fleet.started()
    tripped: Any = Tripped(fleet)
    fleet.opener = tripped
    try:
        fleet.work_until(lambda: StepRun.objects.filter(name="stage").exclude(error="").exists(), what="The stall")
        page = fleet.page(rollout)
        assert "gw1 has trouble: gw1 showed no sign of life for " in page
        assert f" What it has of {NEW} is kept; sending goes on from there by itself." in page
    finally:
        fleet.machine.plugged(everything=False, plugged=True)
    fleet.go_to_step(rollout, "check")
    assert 2 * tripped.runs[-1][0] > 1 << 20, "it began anew"
    assert tripped.runs[-1][-1] == fleet.release.size
    users.assert_unhurt()


def test_an_operators_edit(fleet: RealFleet, users: Users) -> None:
    fleet.take()
    rollout = fleet.started()
    fleet.go_to_step(rollout, "start")
    faults.edit_ocserv_conf(fleet.machine)
    try:
        page = fleet.page(fleet.go(rollout, "held"))
    finally:
        faults.edit_ocserv_conf(fleet.machine, "dpd = 60", "dpd = 90")
    assert "gw1: /etc/ocserv/ocserv.conf was changed on the host since it was agreed. Nothing was started," in page
    assert "Put the agreed ocserv.conf back there, then resume." in page
    users.assert_unhurt()
    fleet.act("resume", rollout)
    fleet.go_to_step(rollout, "observe")
    users.assert_unhurt()
