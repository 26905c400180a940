"""What docs/security.md promises of the settings, and that no exception stands without its reason."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("approvals", "fleet", "releases", "upgrader")


def test_the_deploy_check_has_nothing_to_say(tmp_path: Path) -> None:
    env = {**os.environ, "HANDOVER_STATE": str(tmp_path), "HANDOVER_HTTPS": "1", "HANDOVER_HOSTS": "dash.example"}
    words = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues (0 silenced)" in done.stdout


@pytest.mark.parametrize("app", OURS)
def test_every_exception_has_a_reason(app: str) -> None:
    bare = re.compile(r"#\s*nosec(?!\s+B\d+(,? B\d+)*\s+# .{8})")
    found = [
        f"{path}:{number}"
        for path in (ROOT / app).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


def test_keys_that_the_product_makes_are_its_owners_alone(tmp_path: Path) -> None:
    env = {**os.environ, "HANDOVER_STATE": str(tmp_path / "state"), "HANDOVER_SEALING_KEY": ""}
    subprocess.run([sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, check=True)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir() if path.is_file()}
    assert modes["sealing-key"] == modes["secret-key"] == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
