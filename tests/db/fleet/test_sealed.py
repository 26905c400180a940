"""Secrets at rest."""

from __future__ import annotations

from typing import Any

import pytest

from fleet import sealed
from fleet.models import Credential

pytestmark = pytest.mark.django_db
SECRET = b"a very private key"


def row(name: str) -> Credential:
    return Credential.objects.get(name=name)


def test_what_was_sealed_comes_back_and_is_not_readable() -> None:
    sealed.seal("ssh-key", SECRET)
    assert sealed.unseal("ssh-key") == SECRET
    assert SECRET not in bytes(row("ssh-key").sealed)


def test_the_same_secret_never_looks_the_same() -> None:
    sealed.seal("a", SECRET)
    first = bytes(row("a").sealed)
    sealed.seal("a", SECRET)
    assert bytes(row("a").sealed) != first
    assert Credential.objects.count() == 1


def test_there_may_be_none() -> None:
    assert sealed.unseal_or_none("nobody") is None
    with pytest.raises(Credential.DoesNotExist):
        sealed.unseal("nobody")


def test_a_ciphertext_that_was_moved_to_another_row_does_not_open() -> None:
    sealed.seal("probe:gw-1", SECRET)
    sealed.seal("probe:gw-2", b"other")
    Credential.objects.filter(name="probe:gw-2").update(sealed=row("probe:gw-1").sealed)
    with pytest.raises(sealed.Unreadable, match="not what was sealed in this row"):
        sealed.unseal("probe:gw-2")


@pytest.mark.parametrize("at", [0, 1, 20, 70, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    sealed.seal("a", SECRET)
    changed = bytearray(row("a").sealed)
    changed[at] ^= 1
    Credential.objects.update(sealed=bytes(changed))
    with pytest.raises(sealed.Unreadable):
        sealed.unseal("a")


@pytest.mark.parametrize("length", [0, 1, 13, 61, 72])
def test_a_cut_ciphertext_is_noticed(length: int) -> None:
    sealed.seal("a", SECRET)
    Credential.objects.update(sealed=bytes(row("a").sealed)[:length])
    with pytest.raises(sealed.Unreadable):
        sealed.unseal("a")


def test_rotation_is_online_and_ends(settings: Any) -> None:
    sealed.seal("a", SECRET)
    settings.SEALING_KEYS_OLD, settings.SEALING_KEY = [settings.SEALING_KEY], "a new long and random key"
    sealed.seal("b", b"other")
    assert sealed.unseal("a") == SECRET
    assert [list(sealed.rotate()), list(sealed.rotate())] == [["a"], []]
    settings.SEALING_KEYS_OLD = []
    assert (sealed.unseal("a"), sealed.unseal("b")) == (SECRET, b"other")


def test_without_its_key_a_secret_stays_sealed(settings: Any) -> None:
    sealed.seal("a", SECRET)
    settings.SEALING_KEY = "another"
    with pytest.raises(sealed.Unreadable, match="which is not configured"):
        sealed.unseal("a")
    with pytest.raises(sealed.Unreadable, match="HANDOVER_SEALING_KEYS_OLD"):
        list(sealed.rotate())


def test_rotation_may_be_broken_off_anywhere_and_goes_on(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "BATCH", 2)
    for number in range(7):
        sealed.seal(f"probe:gw-{number}", b"secret %d" % number)
    settings.SEALING_KEYS_OLD, settings.SEALING_KEY = [settings.SEALING_KEY], "a new long and random key"
    broken_off = sealed.rotate()
    assert [next(broken_off) for _ in range(3)] == ["probe:gw-0", "probe:gw-1", "probe:gw-2"]
    broken_off.close()
    assert sealed.waiting() == 4
    assert [sealed.unseal(f"probe:gw-{number}") for number in range(7)] == [b"secret %d" % n for n in range(7)]
    assert len(list(sealed.rotate())) == 4
    settings.SEALING_KEYS_OLD = []
    assert [sealed.unseal(f"probe:gw-{number}") for number in range(7)] == [b"secret %d" % n for n in range(7)]


def test_a_secret_that_changes_during_the_rotation_is_not_lost(settings: Any) -> None:
    sealed.seal("a", b"first")
    sealed.seal("b", b"other")
    old = settings.SEALING_KEY
    settings.SEALING_KEYS_OLD, settings.SEALING_KEY = [old], "a new long and random key"
    rotation = sealed.rotate()
    assert next(rotation) == "a"  # b was read with its batch already
    settings.SEALING_KEY = old
    sealed.seal("b", b"newer")
    settings.SEALING_KEY = "a new long and random key"
    assert list(rotation) == []
    assert (sealed.waiting(), sealed.unseal("b")) == (1, b"newer")
    assert list(sealed.rotate()) == ["b"]


def test_one_row_without_its_key_does_not_stop_the_others(settings: Any) -> None:
    settings.SEALING_KEY = "lost for ever"
    sealed.seal("a", SECRET)
    settings.SEALING_KEY = "old"
    sealed.seal("b", SECRET)
    settings.SEALING_KEYS_OLD, settings.SEALING_KEY = ["old"], "new"
    rotation = sealed.rotate()
    assert next(rotation) == "b"
    with pytest.raises(sealed.Unreadable, match=r"1 credentials can't be opened: a \(key"):
        next(rotation)
