"""Lines of authorized_keys: one command each, and a CA is believed for this gateway's name only."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.ocgate.authorize import line
from fleet.ocgate.errors import Refused

PROGRAM = Path("/usr/lib/ocgate/ocgate")
FORCED = 'restrict,command="sudo -n /usr/lib/ocgate/ocgate serve"'
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMq handover"


def written(key: str) -> str:
    return line(key, program=PROGRAM, gateway="fra-gw-01")


def test_a_key_may_run_one_command() -> None:
    assert written(KEY) == f"{FORCED} {KEY}\n"


def test_a_ca_is_believed_for_this_gateway_only() -> None:
    assert written(f"cert-authority {KEY}") == f'{FORCED},cert-authority,principals="fra-gw-01" {KEY}\n'


def test_principals_that_were_signed_for_stay() -> None:
    said = f'cert-authority,principals="ops,fra-gw-01" {KEY}'
    assert written(said) == f"{FORCED},{said}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "ssh-dss AAAA",
        f"{KEY}\nssh-ed25519 BBBB",
        f'command="id" {KEY}',
        f"cert-authority,restrict {KEY}",
        f"{KEY} x y",
    ],
)
def test_anything_else_is_refused(wrong: str) -> None:
    with pytest.raises(Refused, match="no public SSH key"):
        written(wrong)
