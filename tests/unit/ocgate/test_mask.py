"""The operator's secrets: whatever holds them, they do not get out, and the rest stays readable."""

from __future__ import annotations

import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fleet.ocgate import known, mask
from tests.unit.ocgate.values import config, paths

# What people write as secrets: no spaces or quotes, which end an unquoted value.
SECRETS = st.text(string.ascii_letters + string.digits + "!$%*+-.:?^_~", min_size=6, max_size=40).filter(
    lambda secret: secret[0].isalnum() and "masked" not in secret and secret not in "camouflage_secret = password"
)
PLACES = [
    "camouflage_secret = {}\n",
    'camouflage_secret = "{}"\n',
    "  key-pin={}\n",
    "srk-pin = {}",
    "x = 1\nradius-secret: {}\n",
    'auth = "radius[config=/etc/radcli.conf,secret={}]"\n',
    "auth = \"plain[passwd=/etc/ocpasswd,password='{}']\"\n",
    "authserver 192.0.2.1:1812:{}\n",
    "proxy-url = http://ann:{}@proxy.example/\n",
    "custom-header = X-Token: {}\n",
    "Authorization: Bearer {}\n",
    '{{"v":1,"id":"1","verb":"probe","args":{{"user":"ann","password":"{}"}}}}',
    '{{"line":"{{\\"password\\":\\"{}\\"}}"}}',
    "worker: POST Cookie: webvpn={}; path=/\n",
    "pkcs11:token=ocserv;pin-value={}\n",
]


@pytest.mark.parametrize("place", PLACES)
@example(secret="NO:000")
@given(secret=SECRETS)
def test_no_place_lets_a_secret_through(place: str, secret: str) -> None:
    assume(secret not in place)  # "server" stands in authserver, and may
    assert secret not in mask.text(f"one = 1\n{place.format(secret)}\ntwo = 2\n").replace(mask.HIDDEN, "")


@given(secret=SECRETS, lines=st.lists(st.text("ab =\n", max_size=20), max_size=4))
def test_a_known_secret_is_taken_out_of_any_text(secret: str, lines: list[str]) -> None:
    known = mask.secrets_in(f"camouflage_secret = {secret}\n")
    assert secret in known
    assert secret not in mask.text(secret.join(["ocserv: ", *lines, " end"]), known)


@given(old=SECRETS, new=SECRETS)
def test_a_diff_shows_that_a_secret_changed_and_not_to_what(old: str, new: str) -> None:
    was, now = mask.pair(f"dpd = 60\ncamouflage_secret = {old}\n", f"dpd = 90\ncamouflage_secret = {new}\n")
    assert old not in was + now
    assert new not in was + now
    assert (was.splitlines()[1] == now.splitlines()[1]) == (old == new)
    assert (was.splitlines()[0], now.splitlines()[0]) == ("dpd = 60", "dpd = 90")


def test_what_is_no_secret_stays() -> None:
    plain = (
        'auth = "plain[passwd=/etc/ocserv/ocpasswd,otp=/etc/otp]"\nserver-key = /etc/ocserv/server.key\ndpd = 90\n'
        "ping-leases = true\nban-points-wrong-password = 10\npin-file = /etc/pin\ncookie-timeout = 300\nmapping = x\n"
    )
    assert mask.text(plain) == plain


def test_a_private_key_goes_whole_even_when_it_is_cut() -> None:
    assert "hunter2" not in mask.text("-----BEGIN EC PRIVATE KEY-----\nhunter2\n")


def test_no_secret_hides_behind_a_long_comment(tmp_path: Path) -> None:
    own, place = replace(config(), ocserv_conf=tmp_path / "ocserv.conf"), paths(tmp_path)
    (tmp_path / "radius").write_text("authserver 192.0.2.1:1812:shared-9x7\n")
    named = f'auth = "radius[config={tmp_path}/radius,groupconfig=true]"\ncamouflage_secret = hunter2\n'
    own.ocserv_conf.write_text("# more\n" * 12_000 + named)
    assert known.secrets(own, place) == {"hunter2", "shared-9x7"}
