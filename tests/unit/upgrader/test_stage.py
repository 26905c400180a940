"""A gateway that fetches its bundle itself, and what happens when that fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.bundles import Download, source
from fleet.errors import GiveUp, RetryLater
from fleet.ports import ReleaseFiles, Staged
from upgrader.steps import stage
from upgrader.steps.job import Done

FETCHED = ReleaseFiles(
    *("1.3.0-2", "d1", "{}", "", "", ()), Path("none"), 5, "f" * 64, download=Download("http://192.0.2.1/b", "ticket")
)


class Peer:
    """Says `no` to a download, takes what is sent."""

    def __init__(self, no: Exception | None) -> None:
        self.no = no
        self.asked: list[str] = []

    def stage(self, files: ReleaseFiles, *, fence: int, progress: Any) -> Staged:
        self.asked.append(str(source(files.download)["kind"]))
        if files.download and self.no:
            raise self.no
        return Staged("1.3.0-2", "d1", "1.3.0", False)


def run(peer: Peer) -> Any:
    job: Any = SimpleNamespace(
        files=lambda: FETCHED, fence=1, progress=None, gateway="gw-1", release="1.3.0-2", digest="d1"
    )
    gateway: Any = peer
    return stage.run(job, gateway)


def test_a_download_is_all_it_takes() -> None:
    done = run(peer := Peer(None))
    assert isinstance(done, Done)
    assert (peer.asked, done.say) == (["url"], "1.3.0-2 is verified and unpacked on gw-1.")


@pytest.mark.parametrize("code", ["download_stalled", "bundle_cut_short"])
def test_a_download_that_fails_is_sent_instead_and_says_so(code: str) -> None:
    done = run(peer := Peer(RetryLater("gw-1: The download stalled.", code=code)))
    assert peer.asked == ["url", "ssh"]
    assert done.say.endswith("Its own download failed (gw-1: The download stalled), so the rest went over SSH.")


@pytest.mark.parametrize("no", [RetryLater("gone", code="no_answer"), GiveUp("no", code="bundle_hash")])
def test_other_failures_stay_what_they_are(no: Exception) -> None:
    with pytest.raises(type(no)):
        run(peer := Peer(no))
    assert peer.asked == ["url"]
