"""A lab on a machine where systemd can't be PID 1: ocgate supervises its slots itself."""

from __future__ import annotations

import pytest

from lab.commands import wait_until
from lab.fleet import Lab

pytestmark = pytest.mark.gateway


def test_gateways_work_and_reboot_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOVER_LAB_INIT", "plain")
    with Lab(gateways=1, users=1, say=lambda line: None) as lab:
        gateway = lab.gateways[0]
        assert "systemd" not in gateway.run(["cat", "/proc/1/comm"])
        assert [one["slot"] for one in gateway.sessions()] == [1]
        lab.clients.disconnect(lab.clients.all[0])
        gateway.reboot()
        wait_until(lambda: (gateway.machine.live / "run/ocgate/1/occtl.sock").exists(), seconds=20, what="The slot")
        lab.clients.connect(lab.clients.all)
        assert [one["user"] for one in gateway.sessions()] == ["user1"]
