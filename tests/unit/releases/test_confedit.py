"""One option set, every other byte left."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from releases.confedit import with_option

TEXT = "# ours\ndpd = 60\nroute = 10.0.0.0/8\nroute = 10.1.0.0/16\n\n[vhost:a]\ndpd = 30\n"


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("dpd", "90", TEXT.replace("dpd = 60", "dpd = 90")),
        ("mtu", "1400", TEXT.replace("\n\n[vhost", "\n\nmtu = 1400\n[vhost")),
        ("banner", r"\1 \g<0>", TEXT.replace("\n\n[vhost", "\n\nbanner = \\1 \\g<0>\n[vhost")),
    ],
)
def test_one_line_changes(name: str, value: str, becomes: str) -> None:
    assert with_option(TEXT, name, value) == becomes


def test_a_text_without_a_last_line_end_gets_one() -> None:
    assert with_option("dpd = 60", "mtu", "1400") == "dpd = 60\nmtu = 1400\n"
    assert with_option("", "mtu", "1400") == "mtu = 1400\n"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("route", "10.2.0.0/16", "2 times"),
        ("Dpd", "90", "no name of an option"),
        ("dpd", "90\nconnect-script = /x", "one line"),
        ("dpd", " ", "one line"),
    ],
)
def test_what_can_not_be_is_refused(name: str, value: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        with_option(TEXT, name, value)
