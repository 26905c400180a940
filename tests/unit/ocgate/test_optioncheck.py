"""What is wrong with a configuration for a version, by its text."""

from __future__ import annotations

import pytest

from fleet.ocgate.optioncheck import problems, sec_mods


def codes(text: str, version: str = "1.3.0") -> list[tuple[str, str]]:
    return [(found.level, found.code) for found in problems(text, version)]


@pytest.mark.parametrize(
    ("text", "version", "said"),
    [
        ("max-client = 3\n", "1.3.0", "max-client and would skip it; did you mean max-clients?"),
        ("cgroup = cpu:x\n", "1.5.0", "it was removed in 1.5.0."),
        ("ban-time = 3\n", "1.3.0", "it came with 1.4.1."),
        ("zzz = 3\n", "1.4.1", "(By the list of ocserv 1.3.0, the nearest that was measured.)"),
    ],
)
def test_an_unknown_option_is_named_with_a_way_on(text: str, version: str, said: str) -> None:
    (found,) = problems(text, version)
    assert (found.level, found.code) == ("warning", "option_unknown")
    assert said in found.say


@pytest.mark.parametrize(
    "line",
    ["dpd = abc", "server-drain-ms = 15s", "mtu = 70000", "mtu = -3", "cookie-timeout = 99999999999"]
    + ["use-occtl = 1", "compression = on", "rekey-method = foo", "tcp-port = 0", "[vhost:a]\nkeepalive = x"],
)
def test_a_value_that_ocserv_would_misread_is_an_error(line: str) -> None:
    assert codes(line) == [("error", "value_bad")]


@pytest.mark.parametrize(
    "line", ["dpd = 90", "use-occtl = Yes", "rekey-method = ssl", "udp-port = 0", "route = a\nroute = b", "mtu = 1400"]
)
def test_what_is_right_is_let_pass(line: str) -> None:
    assert codes(line) == []


@pytest.mark.parametrize(("version", "level"), [("1.3.0", "warning"), ("1.4.2", "error"), ("1.5.0", "error")])
def test_a_global_option_in_a_virtual_host(version: str, level: str) -> None:
    assert codes("[vhost:a]\nmax-clients = 3\n", version) == [(level, "global_in_vhost")]


@pytest.mark.parametrize("line", ["listen-clear-file = /run/x", "dns = local"])
def test_what_no_version_takes_any_more(line: str) -> None:
    assert codes(line) == [("error", "option_removed")]


def test_of_two_values_one_counts() -> None:
    assert codes("dpd = 3\ndpd = 4\n") == [("warning", "option_doubled")]
    (found,) = problems("key-pin = 1234\nkey-pin = 5678\n", "1.3.0")
    assert "5678" not in found.say


def test_an_old_name_is_a_note() -> None:
    assert codes("min-reauth-time = 3\n") == [("note", "option_deprecated")]


@pytest.mark.parametrize(
    ("line", "level"),
    [("  dpd = 3", "warning"), ("dpd: 3", "warning"), ("tcp-port: 443", "error"), ("[vhost:a] x", "warning")],
)
def test_a_line_that_ocserv_reads_otherwise_is_told(line: str, level: str) -> None:
    assert (level, "line_odd") in codes(line)


def test_an_odd_line_is_named_and_not_quoted() -> None:
    said = " ".join(f.say for f in problems("camouflage_secret: hunter2\ndpd = 9\n  more-hunter2\n", "1.5.0"))
    assert "Line 1 (camouflage_secret) is not plain" in said
    assert "hunter2" not in said


def test_a_name_in_other_letters_is_unknown() -> None:
    assert [f.code for f in problems("Max-Same-Clients = 2\n", "1.5.0")] == ["option_unknown"]


@pytest.mark.parametrize(
    ("text", "processors", "many"),
    [
        ("max-clients = 1000\n", 2, 2),  # as measured in the lab
        ("max-clients = 499\n", 8, 1),
        ("max-clients = 500\n", 8, 2),
        ("max-clients = 0\n", 4, 4),
        ("", 4, 4),
        ("max-clients = 9000\n", 1, 1),
        ("max-clients = 9000\nsec-mod-scale = 1\n", 8, 1),
        ("sec-mod-scale = 3\n", 1, 3),
        ("sec-mod-scale = 0\nmax-clients = 600\n", 4, 2),
    ],
)
def test_how_many_sec_mods_there_would_be(text: str, processors: int, many: int) -> None:
    assert sec_mods(text, processors=processors) == many
    found = [one for one in problems(text, "1.3.0", processors=processors) if one.code == "sec_mods"]
    assert [one.level for one in found] == (["warning"] if many > 1 else [])


@pytest.mark.parametrize(
    ("version", "said"), [("1.1.0", False), ("1.1.6", True), ("1.4.2", True), ("1.5.0", False), ("1.5.1", False)]
)
def test_several_sec_mods_lose_sessions_before_1_5_0(version: str, said: bool) -> None:
    found = [one.say for one in problems("sec-mod-scale = 2\n", version) if one.code == "sec_mods"]
    assert bool(found) is said
    assert all("would run 2 ocserv-sm" in say and "Set sec-mod-scale = 1" in say for say in found)


def test_what_the_host_has_is_not_guessed() -> None:
    assert codes("max-clients = 5000\n") == []
