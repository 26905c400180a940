"""Rows for the pages of signers and of one release: a statement half way, a CA, a release with a red test."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from approvals.models import Actor
from fleet.models import Errand, Gateway
from releases import signers, statements
from releases.models import MatrixCell, MatrixRun, Release, TrustedSigner, TrustStatement
from tests import factories
from tests.unit.releases import company, desk

SET_UP = Actor.machine("set-up")


def trust() -> int:
    """Kim and a company CA joined; the release desk has to sign. Returns the id of a candidate."""
    now = timezone.now()
    known = signers.known()
    kim = signers.read(desk.public(desk.key("kim")), label="Kim, release desk", now=now)
    ca = signers.read(company.authority().pem, label="Code CA", group="company", crl=company.crl(), now=now)
    with transaction.atomic():
        for proposed in (kim, ca):
            signers.trust(proposed, actor=SET_UP, now=now)
        statements.draw(before=known, actor=SET_UP, now=now)
    gone = signers.read(desk.public(desk.key("eve")), label="Eve, left in June", now=now)
    signers.distrust(signers.trust(gone, actor=SET_UP, now=now), reason="left", actor=SET_UP, now=now)
    return candidate().pk


def sent() -> int:
    """The same statement signed and on its way; two gateways have not followed."""
    row = TrustStatement.objects.get(state="waiting")
    data = desk.signature(desk.key("release-desk"), row.text.encode())
    statements.sign(row, data, kind="asc", actor=SET_UP, now=timezone.now())
    slow = list(Gateway.objects.order_by("name").values_list("pk", flat=True)[:2])
    Errand.objects.filter(subject="trust:1").exclude(gateway__in=slow).update(state="done")
    Errand.objects.filter(subject="trust:1", gateway=slow[0]).update(
        attempts=4, say="no answer for 30 s; asked again in 60 s"
    )
    return TrustedSigner.objects.count()


def candidate() -> Release:
    """A release that names its makers, with a red and a missing test."""
    made = factories.release(
        "1.4.0-1",
        channel="candidate",
        counter=1_004_000,
        provenance={"builder": "Release desk", "source": "debian forky ocserv 1.4.0-1", "place": "build-03"},
        contents={"files": 41, "unpacked": 9_400_000, "libraries": ["libgnutls.so.30", "libnettle.so.8", "libev.so.4"]},
    )
    Release.objects.filter(name="1.3.0-2").update(contents={"libraries": ["libgnutls.so.30", "libnettle.so.8"]})
    at = timezone.now() - timedelta(hours=3)
    run = MatrixRun.objects.create(
        release=made, part="static", state="done", say="1 of 2 green", started_at=at, ended_at=at
    )
    MatrixCell.objects.create(run=run, test="linked libraries", verdict="green", say="All 3 come with it.")
    MatrixCell.objects.create(run=run, test="hardening", verdict="red", say="sbin/ocserv has no full RELRO.")
    return made
