"""ssh-audit plays the server and judges what our client offers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.errors import Unfinished
from fleet.gateways.session import Session
from tests.gateway.ssh.sshd import Sshd, free_port, until

pytestmark = pytest.mark.gateway


def test_our_client_has_no_fault(sshd: Sshd, tmp_path: Path) -> None:
    port, report = free_port(), tmp_path / "report"
    words = ["-m", "ssh_audit", "-c", "-4", "-j", "-p", str(port), "-t", "20"]

    def knock() -> bool:
        # ssh-audit breaks off after the list of algorithms; before it listens there is nobody.
        with contextlib.suppress(Unfinished):
            Session(sshd.target(port=port), sshd.key)
        return audit.poll() is not None

    with report.open("wb") as out, subprocess.Popen([sys.executable, *words], stdout=out) as audit:
        try:
            until(knock, "ssh-audit did not end", seconds=20)
        finally:
            audit.kill()
    said = json.loads(report.read_text())
    faults = [
        (kind, item["algorithm"], item["notes"]["fail"])
        for kind in ("kex", "key", "enc", "mac")
        for item in said[kind]
        if item.get("notes", {}).get("fail")
    ]
    assert faults == []
    assert {item["algorithm"] for item in said["enc"]} >= {"aes256-gcm@openssh.com"}
