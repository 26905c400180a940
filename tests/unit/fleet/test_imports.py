"""Lists of gateways as they are found in the world. Pure: nobody is asked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from approvals.errors import Refused
from fleet.imports import Found, parse

INI = """
# the edge
[edge]
fra-gw-[01:03] ansible_user=debian
ams-gw-01 ansible_host=192.0.2.7 ansible_port=2222 handover_failure_domain="rack 4" ; near
[edge:vars]
ansible_port=22022
[europe:children]
edge
[broken group
"""
YAML = """
all:
  vars: {ansible_user: root}
  children:
    edge:
      vars: {ansible_port: 2200}
      hosts:
        fra-gw-01: {ansible_host: 192.0.2.1}
        ams-gw-01:
"""


def places(found: list[Found]) -> dict[str, tuple[str, int]]:
    return {host.asked.name: (host.asked.address, host.asked.port) for host in found if not host.say}


def test_ini_with_ranges_group_variables_and_a_bad_line() -> None:
    found = parse(INI.encode(), "hosts")
    assert places(found) == {
        "fra-gw-01": ("fra-gw-01", 22022),
        "fra-gw-02": ("fra-gw-02", 22022),
        "fra-gw-03": ("fra-gw-03", 22022),
        "ams-gw-01": ("192.0.2.7", 2222),
    }
    assert [host.say for host in found if host.say] == ["line 10: “[broken group” is no group"]
    assert {host.groups for host in found if not host.say} == {("edge",)}
    assert found[-1].asked.failure_domain == "rack 4"


def test_the_login_of_ansible_is_not_the_user_of_the_controller() -> None:
    host = next(host for host in parse(INI.encode(), "hosts") if host.asked.name == "fra-gw-01")
    assert (host.login, host.asked.ssh_user) == ("debian", "ocgate")


def test_yaml_inherits_from_groups() -> None:
    found = parse(YAML.encode(), "inventory.yml")
    assert places(found) == {"fra-gw-01": ("192.0.2.1", 2200), "ams-gw-01": ("ams-gw-01", 2200)}
    assert [host.login for host in found] == ["root", "root"]


def test_json_as_ansible_prints_it() -> None:
    said = {
        "_meta": {"hostvars": {"fra-gw-01": {"ansible_host": "192.0.2.1", "ansible_port": 2200}}},
        "all": {"children": ["edge"]},
        "edge": {"hosts": ["fra-gw-01", "ams-gw-01"]},
    }
    found = parse(json.dumps(said).encode(), "list.json")
    assert places(found) == {"fra-gw-01": ("192.0.2.1", 2200), "ams-gw-01": ("ams-gw-01", 22)}


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_csv_with_its_head_line(sign: str) -> None:
    lines = [("Name", "Address", "Port"), ("fra-gw-01", "192.0.2.1", "2200"), ("ams-gw-01", "192.0.2.2", "no")]
    found = parse("\n".join(sign.join(line) for line in lines).encode(), "list.csv")
    assert places(found) == {"fra-gw-01": ("192.0.2.1", 2200)}
    assert (found[1].line, found[1].say) == (3, "0 is no port.")


def test_the_second_of_a_name_is_refused_and_shown() -> None:
    found = parse(b"name,address\na-gw,192.0.2.1\nA-GW,192.0.2.2\n", "list.csv")
    assert [host.say for host in found] == ["", "a-gw stands there twice"]


@pytest.mark.parametrize(
    ("data", "name", "say"),
    [
        (b"\xff\xfe", "hosts", "is not UTF-8"),
        (b"", "hosts", "no host in this list"),
        (b"{", "list.json", "is no JSON"),
        (b"[1]", "list.json", "not what ansible-inventory"),
        (b"a: [", "list.yml", "is no YAML: line"),
        (b"- a", "list.yml", "no inventory"),
        (b"a: &x {hosts: {b: }}\nc: *x", "list.yml", "aliases"),
        (b"a: !!python/object/apply:os.system [id]", "list.yml", "is no YAML"),
        (b"host,ip\n1,2", "list.csv", "must name its columns"),
        (b"gw[0001:9999]\n" * 1 + b"x" * 1_100_000, "hosts", "are read at most"),
    ],
)
def test_what_is_no_list_is_refused_with_its_reason(data: bytes, name: str, say: str) -> None:
    with pytest.raises(Refused, match=say):
        parse(data, name)


@given(some.binary(max_size=400), some.sampled_from(["hosts", "a.ini", "a.yml", "a.json", "a.csv"]))
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    try:
        said = [host.asked.name for host in parse(data, name)]
    except Refused as refusal:
        said = [refusal.say]
    assert said


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gw[0:1999][0:1999][0:1999]\n", "hosts"),
        ("gw[5:1]\n", "hosts"),
        ("gw[1:3:0]\n", "hosts"),
        ("gw[" + "0" * 100_000 + ":2]\n", "hosts"),
    ],
)
def test_a_range_that_means_nothing_or_too_much_stays_one_bad_line(text: str, name: str) -> None:
    assert [bool(host.say) for host in parse(text.encode(), name)] == [True]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("".join(f"gw{n}-[0:1999]\n" for n in range(500)), "hosts"),
        ("a: {hosts: {" + ", ".join(f"g{n}-[0:1999]: " for n in range(500)) + "}}", "x.yml"),
        ("[" * 100_000, "x.json"),
        ("[" * 5_000, "x.yml"),
        ("a: 2026-99-99", "x.yml"),
        ("name,address\n" + "a" * 200_000 + ",b\n", "x.csv"),
        ('{"a": ' + "1" * 5_000 + "}", "x.json"),
    ],
)
def test_a_list_that_is_made_to_take_long_or_to_break_is_refused(text: str, name: str) -> None:
    with pytest.raises(Refused):
        parse(text.encode(), name)
