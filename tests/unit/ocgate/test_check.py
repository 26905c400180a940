"""What `check` says of a configuration, it says without the operator's secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleet.ocgate import check
from fleet.ocgate.call import Call
from fleet.ocgate.findings import Finding
from tests.unit.ocgate.values import config, paths


def test_a_finding_that_quotes_a_secret_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, place = replace(config(), ocserv_conf=tmp_path / "ocserv.conf"), paths(tmp_path)
    own.ocserv_conf.write_text('camouflage_secret = "hunter2"\n')
    program = place.release("1.3.0-2") / "sbin/ocserv"
    program.parent.mkdir(parents=True)
    program.touch()
    for part in ("_programs", "_configuration", "_host"):
        monkeypatch.setattr(check, part, lambda *_: [])
    said = [Finding("warning", "ocserv_warns", "ocserv -t says: near 'hunter2' something is odd.")]
    monkeypatch.setattr(check, "_lower", lambda *_: said)
    asked = Call(place, own, {"release": "1.3.0-2", "slot": 1}, fence=0, send=lambda _line: None)
    assert check.check(asked)["findings"][0]["say"] == "ocserv -t says: near '(masked)' something is odd."
