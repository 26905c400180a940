"""The kit for a machine without an ocserv brings the release that it begins with."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import Actor
from fleet import kit, sealed, sshca
from fleet.models import Gateway
from fleet.ocgate import stage
from releases import kit as kits
from releases import services
from releases.models import Release, TrustedSigner
from tests import factories
from tests.db.fleet.test_kit import CONFIG
from tests.db.releases.cast import NOW, take_in
from tests.unit.releases import desk

pytestmark = pytest.mark.django_db
LI = desk.key("li")
CURL = Actor.machine("curl")


@pytest.fixture
def gateway(li: TrustedSigner, tmp_path: Path) -> Gateway:
    """A confirmed machine of a pool that takes candidates; two releases are kept."""
    sealed.seal("ssh-key", sshca.make())
    for number, name in ((1_001_006, "1.1.6-3"), (1_003_000, "1.3.0-2")):
        take_in(desk.release(tmp_path / name, LI, release=name, counter=number))
    made = factories.gateway("fra-gw-01")
    made.config = CONFIG
    made.save()
    made.pool.channel = "candidate"
    made.pool.save()
    return made


def unpacked(made: kit.Kit, to: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(made.data)) as archive:
        archive.extractall(to)  # noqa: S202 - made a moment ago by our own code
    return to


def test_it_is_the_newest_as_ocgate_takes_it(gateway: Gateway, tmp_path: Path) -> None:
    folder = unpacked(kit.kit_of(gateway, adopt=False), tmp_path / "kit")
    args: dict[str, Any] = stage.from_folder(folder / "first")
    sent = services.files(Release.objects.get(name="1.3.0-2"), now=NOW)
    assert (args["release"], args["manifest"], args["sums"]) == ("1.3.0-2", sent.manifest, sent.sums)
    assert [(one["name"], one["text"]) for one in args["signatures"]] == list(sent.signatures)
    assert (args["size"], args["sha256"]) == (sent.size, sent.sha256)
    assert not (unpacked(kit.kit_of(gateway), tmp_path / "adopting") / "first").exists()


def test_the_command_and_its_ticket_say_so(gateway: Gateway) -> None:
    made = kit.kit_of(gateway, adopt=False)
    assert "--first first" in kit.command(gateway, made, adopt=False)
    word = kit.ticket(gateway, made, adopt=False)
    assert kit.opened(word, actor=CURL, now=NOW).data == made.data
    services.yank(Release.objects.get(name="1.3.0-2"), reason="It leaks", actor=CURL, now=NOW)
    with pytest.raises(Refused, match="has changed since"):
        kit.opened(word, actor=CURL, now=NOW)
    assert b"1.1.6-3" in kit.kit_of(gateway, adopt=False).data


def test_without_one_that_may_go_there_it_says_so(gateway: Gateway) -> None:
    gateway.pool.channel = "production"
    with pytest.raises(Refused, match=r"No release may go to .* \(channel production\) yet.* Add one, and pass it on"):
        kit.kit_of(gateway, adopt=False)


def test_one_that_is_too_large_for_a_kit_is_named(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kits, "FIRST_MOST", 10)
    with pytest.raises(Refused, match=r"1\.3\.0-2 has [\d,]+ bytes, too many for a kit\. .* --first FOLDER"):
        kit.kit_of(gateway, adopt=False)
