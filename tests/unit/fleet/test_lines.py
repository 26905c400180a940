"""What a gateway says is shown to people: nothing in it may steer a terminal or turn text around."""

from __future__ import annotations

import pytest

from fleet.errors import GiveUp
from fleet.gateways.dial import STRONG, fingerprint_of, private_key, weak
from fleet.gateways.lines import plain


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[2Jgone", "[2Jgone"),
        ("a\x00b\x07c\x9bd", "abcd"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ({"k\x1b": ["\x7f", 1, None, True]}, {"k": ["", 1, None, True]}),
    ],
)
def test_control_characters_are_taken_out(said: object, shown: object) -> None:
    assert plain(said) == shown


def test_everything_that_is_not_known_as_strong_is_off() -> None:
    off = weak()
    assert {"3des-cbc", "aes256-cbc"} <= set(off["ciphers"])
    assert {"hmac-md5", "hmac-sha1"} <= set(off["macs"])
    assert "ecdh-sha2-nistp256" in off["kex"]
    assert not any(set(names) & set(STRONG[kind]) for kind, names in off.items())


@pytest.mark.parametrize("secret", [b"", b"hunter2", b"\xff\xfe"])
def test_a_key_that_can_not_be_read_is_not_shown(secret: bytes) -> None:
    with pytest.raises(GiveUp) as no:
        private_key(secret)
    assert "hunter2" not in repr(no.value)


def test_fingerprints_look_like_those_of_ssh_keygen() -> None:
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    assert fingerprint_of(key) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
