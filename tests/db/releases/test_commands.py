from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.unit.releases import desk

pytestmark = pytest.mark.django_db
LI = desk.key("li")


def run(*arguments: object) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def add_signer(folder: Path) -> str:
    (folder / "li.asc").write_text(desk.public(LI))
    return run("signer", "add", folder / "li.asc", "--label", "Li")


def test_from_key_to_listed_release(tmp_path: Path) -> None:
    assert add_signer(tmp_path) == f"Signatures of Li count from now on: {desk.fingerprint(LI)}.\n"
    assert run("signer", "list") == f"{desk.fingerprint(LI)}\ttrusted\tLi\n"
    assert run("release", "add", desk.release(tmp_path / "in", LI)).startswith("1.3.0-2 is in the repository, digest ")
    assert run("release", "list").startswith("1.3.0-2\tocserv\tready\t")
    assert run("release", "yank", "1.3.0-2", "--reason", "crashes").startswith("1.3.0-2 was withdrawn")
    assert run("release", "list").startswith("1.3.0-2\tocserv\tyanked\t")


def test_a_refusal_is_the_commands_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no folder with a release"):
        run("release", "add", tmp_path / "none")
    (tmp_path / "x").write_text("hello")
    with pytest.raises(CommandError, match="not one OpenPGP public key"):
        run("signer", "add", tmp_path / "x", "--label", "X")
    with pytest.raises(CommandError, match="can't be read as a key"):
        run("signer", "add", tmp_path / "none", "--label", "X")


def test_a_signer_can_be_dropped(tmp_path: Path) -> None:
    add_signer(tmp_path)
    run("signer", "drop", desk.fingerprint(LI).lower(), "--reason", "lost laptop")
    assert "not trusted" in run("signer", "list")
    with pytest.raises(CommandError, match="is signed by Li, who is not trusted any more"):
        run("release", "add", desk.release(tmp_path / "in", LI))


def test_unknown_names_are_errors() -> None:
    with pytest.raises(CommandError, match="No release is called x"):
        run("release", "yank", "x", "--reason", "y")
    with pytest.raises(CommandError, match="No signer has the fingerprint x"):
        run("signer", "drop", "x", "--reason", "y")
