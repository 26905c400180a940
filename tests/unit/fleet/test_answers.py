"""Answers of a gateway: tolerant to what is new, strict to what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.gateways import answers
from fleet.gateways.answers import GatewayBug
from fleet.gateways.memory import MemoryFleet
from fleet.gateways.simulated_facts import raw_facts
from fleet.ports import Finding, SlotRelease


def raw() -> dict[str, Any]:
    gateway = MemoryFleet(clock=lambda: 1000.0).add("fra-gw-01", release="1.1.6")
    return raw_facts(gateway.machine, 1000.0)


def test_facts_are_read_and_kept_raw() -> None:
    facts = answers.facts({**raw(), "moons": 7})
    assert facts.committed == SlotRelease(1, "1.1.6")
    assert facts.raw["moons"] == 7


@pytest.mark.parametrize(
    "field", ["ocgate", "hostname", "now", "boot_id", "fence", "weights", "slots", "releases", "disk"]
)
def test_facts_that_lack_a_field_are_a_bug(field: str) -> None:
    short = raw()
    del short[field]
    with pytest.raises(GatewayBug, match=field):
        answers.facts(short)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("now", "noon"),
        ("now", True),
        ("fence", None),
        ("slots", "none"),
        ("weights", [100]),
        ("slots", [{"slot": "1"}]),
    ],
)
def test_facts_of_a_wrong_type_are_a_bug(field: str, value: Any) -> None:
    with pytest.raises(GatewayBug):
        answers.facts({**raw(), field: value})


def test_findings_come_with_their_level() -> None:
    found = answers.checked({"ok": False, "findings": [{"level": "error", "code": "x", "say": "y", "more": 1}]})
    assert found.findings == (Finding("error", "x", "y"),)


@pytest.mark.parametrize("archive", ["????", "QUJD"])
def test_a_snapshot_must_have_its_hash(archive: str) -> None:
    with pytest.raises(GatewayBug):
        answers.archive({"archive": archive, "sha256": "0" * 64, "files": []})


def test_whole_numbers_may_come_as_fractions() -> None:
    started = {"slot": 2, "release": "a", "version": "1", "pid": 7, "ready_ms": 412.7, "already": False}
    assert answers.started(started).ready_ms == 412
