"""ssh-audit judges what our client offers, and the sshd profile that we recommend."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import Unfinished
from fleet.gateways.session import Session
from tests.gateway.ssh.sshd import Sshd, answers, free_port, make_key, until

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
    assert faults_in(said) == []
    assert {item["algorithm"] for item in said["enc"]} >= {"aes256-gcm@openssh.com"}


def faults_in(said: Any) -> list[tuple[str, str, list[str]]]:
    """(kind, algorithm, why) of everything that ssh-audit calls a failure, in JSON's own words."""
    return [
        (kind, item["algorithm"], item["notes"]["fail"])
        for kind in ("kex", "key", "enc", "mac")
        for item in said[kind]
        if item.get("notes", {}).get("fail")
    ]


PROFILE = Path(__file__).parents[3] / "contrib" / "sshd" / "ocgate.conf"


@pytest.fixture
def profiled(tmp_path: Path) -> Iterator[int]:
    """A sshd with the profile that we recommend and the lab's gateways have; its port."""
    make_key(tmp_path / "host")
    port = free_port()
    text = PROFILE.read_text().replace("/etc/ssh/ssh_host_ed25519_key", str(tmp_path / "host"))
    own = f"Port {port}\nListenAddress 127.0.0.1\nUsePAM no\nPidFile {tmp_path / 'pid'}\n"
    (tmp_path / "sshd_config").write_text(own + text)
    Path("/run/sshd").mkdir(exist_ok=True)
    words = [shutil.which("sshd") or "sshd", "-D", "-e", "-f", str(tmp_path / "sshd_config")]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(words, stderr=log) as server:
        try:
            until(lambda: answers(port), "sshd does not answer")
            yield port
        finally:
            server.terminate()


def test_the_profile_has_no_fault(profiled: int) -> None:
    words = [sys.executable, "-m", "ssh_audit", "-4", "-j", "--skip-rate-test", "-p", str(profiled), "127.0.0.1"]
    said = json.loads(subprocess.run(words, capture_output=True, check=False, timeout=60).stdout)
    assert faults_in(said) == []
    assert {item["algorithm"] for item in said["key"]} == {"ssh-ed25519"}


def test_the_profile_takes_keys_and_certificates_only(profiled: int) -> None:
    words = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    words += ["-o", "PubkeyAuthentication=no", "-p", str(profiled), "root@127.0.0.1", "id"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 255
    assert "Permission denied (publickey)." in done.stderr
