"""Two releases beside each other: manifests, tests, options, and what became of them in rollouts."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from releases.models import MatrixCell, MatrixRun
from tests import factories as f
from tests.scenes import scene
from tests.web.conftest import assert_clean
from upgrader.models import Upgrade

Browse = Callable[[str], Client]


def test_what_was_tested_and_what_became_of_it(browse: Browse) -> None:
    made = scene("done")
    new, old = made.rollout.release, f.release("1.1.6-2", counter=1_001_006)
    Upgrade.objects.filter(wave__rollout=made.rollout).update(before=["a", "b", "c"], kept=2, left=["c"], cut=[])
    about = {"part": "functional", "state": MatrixRun.State.DONE, "started_at": f.NOON, "ended_at": f.NOON}
    for release, verdict in ((old, "green"), (new, "red")):
        run = MatrixRun.objects.create(release=release, **about)
        MatrixCell.objects.create(run=run, test="certificate", verdict=verdict, say="refused the certificate")
        MatrixCell.objects.create(run=run, test="password", verdict="green", say="came in")
    page = browse("oncall").get(f"/releases/{old.pk}/compare/{new.pk}/")
    assert_clean(page)
    text = page.content.decode()
    for said in ("Kept 8 of 12, 4 signed out, 0 cut", "1 rollout: 1 done", "None that you may see", "Refused the"):
        assert said in text
    for said in ("2 tests: 1 green, 1 red, 0 unclear", "1 test with the same verdict", "4 carried it, 0 went back"):
        assert said in text
    assert "Options of ocserv.conf" in text
    assert browse("stranger").get(f"/releases/{old.pk}/compare/{new.pk}/").status_code == 404
