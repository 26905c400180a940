"""Probe hosts as a gateway knows them: told once, kept, and found on a list of bans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.ocgate import metrics, schema
from fleet.ocgate.errors import Refused
from tests.unit.ocgate import values


def test_of_an_ipv6_address_the_network_is_banned() -> None:
    ours = frozenset({"203.0.113.9", "2001:db8:2:235::1", "fd5a:6f63::1", "fd5a:6f63::2"})
    assert metrics.as_banned(ours) == {"203.0.113.9", "2001:db8:2:235::", "fd5a:6f63::"}


def test_before_anybody_said_so_there_is_none(tmp_path: Path) -> None:
    paths = values.paths(tmp_path)
    assert metrics.probe_hosts(paths) == frozenset()
    paths.run.mkdir(parents=True)
    paths.probes.write_text('{"addresses": ["203.0.113.9"]}')
    assert metrics.probe_hosts(paths) == {"203.0.113.9"}


@pytest.mark.parametrize("probes", ["192.0.2.1", ["probe.example.org"], [], ["192.0.2.1"] * 17, [1]])
def test_what_is_no_list_of_addresses_is_refused(probes: object) -> None:
    line = {"v": 3, "id": "1", "verb": "metrics", "args": {"probes": probes}}
    with pytest.raises(Refused):
        schema.parse(json.dumps(line).encode())
