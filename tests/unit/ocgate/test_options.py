"""Which options each version knows, and whether a difference needs a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.ocgate import optiondata, options
from tests.unit.ocgate.values import RECORDED

LISTS = sorted((RECORDED / "options").glob("*.txt"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_each_version_knows_what_its_parser_said(path: Path) -> None:
    assert options.known(path.stem) == set(path.read_text().split())


def test_there_is_a_list_for_each_measured_version() -> None:
    assert [path.stem for path in LISTS] == list(optiondata.MEASURED)


@pytest.mark.parametrize(
    ("version", "nearest"),
    [("1.3.0-2", "1.3.0"), ("1.4.1", "1.3.0"), ("1.6.0", "1.5.0"), ("1.0.0", "1.1.6"), ("1.10.1", "1.5.0")],
)
def test_another_version_takes_the_nearest_list_below(version: str, nearest: str) -> None:
    assert options.measured(version) == nearest


def test_between_the_lists_the_change_log_says_when_an_option_came() -> None:
    assert "ban-time" in options.known("1.4.1")
    assert "ban-time" not in options.known("1.4.0")
    assert "camouflage" in options.known("1.2.0")
    assert "cgroup" not in options.known("1.5.0")


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ("dpd = 90\n", "dpd = 90 # the same\n", "none"),
        ("dpd = 90\n", "dpd = 60\n", "reload"),
        ("dpd = 90\n", "", "reload"),
        ("server-cert = /a\n", "server-cert = /b\n", "restart"),
        ("route = 1\nroute = 2\n", "route = 2\nroute = 1\n", "reload"),
        ("[vhost:a]\ndpd = 1\n", "[vhost:a]\ndpd = 2\n", "reload"),
        ("", "[vhost:a]\n", "restart"),
        ("", "nobody-knows = 1\n", "restart"),
    ],
)
def test_a_difference_is_reloaded_where_ocserv_can(old: str, new: str, way: str) -> None:
    assert options.way(old, new) == way


def test_differences_are_named_with_their_virtual_host() -> None:
    old, new = "dpd = 90\n[vhost:a]\nbanner = x\n", "dpd = 60\n[vhost:a]\nbanner = y\n[vhost:b]\n"
    assert options.names(options.changed(old, new)) == ["dpd", "[vhost:a] banner", "[vhost:b]"]
