"""The pure parts, each by what it must get right."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.ocgate import build, check, hostcheck, install, restore, slots, supervise, units, wire
from fleet.ocgate.errors import Refused
from tests.unit.ocgate.values import config


def test_hosts_are_named_once_and_taken_out_again() -> None:
    own = list(config().slots.values())
    hosts = "127.0.0.1 localhost"
    named = slots.with_names(hosts, own)
    assert "fd5a:6f63::2 ocgate-slot-2 " in named
    assert slots.with_names(named, own) == named
    assert slots.with_names(named, []) == hosts + "\n"


@pytest.mark.parametrize(
    ("remote", "key"), [("203.0.113.7", "203.0.113.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::"), ("", ""), ("x", "")]
)
def test_a_client_is_known_by_its_address_or_its_64(remote: str, key: str) -> None:
    assert restore.key_of(remote) == key


def test_a_units_properties() -> None:
    seen = supervise.parse_unit("MainPID=7\nNRestarts=2\nActiveState=failed\nActiveEnterTimestampMonotonic=0\n")
    assert (seen.pid, seen.restarts, seen.failed, seen.since) == (7, 2, True, 0.0)
    assert supervise.parse_unit("").pid == 0
    assert supervise.parse_unit("MainPID=0\nActiveState=activating\n").returning
    assert not supervise.parse_unit("MainPID=0\nActiveState=inactive\n").returning


def test_what_the_new_ocserv_says_of_a_configuration() -> None:
    found = check.parse_test(1, "warning: skipping unknown option 'cgroup'\nconfig file error in line 3\n")
    assert [(f.level, f.code) for f in found] == [("warning", "option_unknown"), ("error", "conf_refused")]
    assert check.parse_test(0, "note: fine\n") == []


def test_routes_of_others_are_told_from_tunnels() -> None:
    routes = "default via 10.0.0.1 dev e0\n10.1.0.0/16 dev e0 proto kernel\n10.9.0.5 dev vpnsa0 scope link\n"
    assert hostcheck.foreign_routes(routes) == [ipaddress.ip_network("10.1.0.0/16")]


def test_an_ipv6_pool_in_which_ocserv_finds_no_second_address_is_told() -> None:
    slot = config().slot(2)
    tight = replace(config(), slots={2: replace(slot, pool6="fd10:2::/112")})
    assert [found.code for found in hostcheck.narrow(tight, 2)] == ["pool6_narrow"]
    assert hostcheck.narrow(config(), 2) == []
    assert hostcheck.narrow(replace(config(), slots={2: replace(slot, pool6=None)}), 2) == []


def test_lines_and_raw_bytes_come_from_one_reader() -> None:
    source, sink = os.pipe()
    os.write(sink, b"one\ntwo\nRAW")
    os.close(sink)
    reader = wire.Reader(source, line_max=10)
    assert [reader.line(), reader.line()] == [b"one", b"two"]
    assert reader.raw(2, timeout=1) == b"RA"
    with pytest.raises(wire.CutShort):
        reader.line()
    os.close(source)


def test_a_build_is_the_same_bytes_and_runs(tmp_path: Path) -> None:
    one, other = build.build(tmp_path / "a"), build.build(tmp_path / "b")
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes().startswith(b"#!/usr/bin/python3\n")
    done = subprocess.run(["/usr/bin/python3", str(one), "--version"], capture_output=True, check=True)
    assert done.stdout.startswith(b"ocgate ")


def test_nothing_is_imported_but_the_standard_library(tmp_path: Path) -> None:
    # -S: no site-packages, so a foreign import fails.
    argv = ["/usr/bin/python3", "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import ocgate.cli"]
    subprocess.run([*argv, str(build.build(tmp_path / "ocgate"))], check=True)


def test_the_sudo_rule_is_one_exact_command() -> None:
    lines = install.sudoers("ocgate").splitlines()
    assert lines[1] == "ocgate ALL=(root) NOPASSWD: /usr/lib/ocgate/ocgate serve"
    assert "env_reset" in lines[0]
    assert "*" not in lines[1]


def test_a_slots_unit_ends_its_main_process_first_and_is_not_restarted_for_ever() -> None:
    text = units.slot_unit(Path("/x"))
    assert "KillMode=mixed" in text
    assert "StartLimitBurst=5" in text


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    there = set(install.PACKAGES)
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    install.refuse_missing(with_cas=True)
    there -= {"openssl"}
    install.refuse_missing(with_cas=False)
    with pytest.raises(Refused, match=r"^openssl must be installed first \(apt-get install openssl\)\.$"):
        install.refuse_missing(with_cas=True)
    there -= {"nft", "ssh-keygen"}
    with pytest.raises(Refused, match=r"^nft and ssh-keygen must be .* \(apt-get install nftables openssh-client\)\.$"):
        install.refuse_missing(with_cas=False)
