from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from approvals.errors import Refused
from approvals.models import AuditEvent
from releases import services, signers
from releases.models import Release, TrustedSigner
from tests.db.releases.cast import NOW, OLA, take_in, trust
from tests.unit.releases import desk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("li")]


@pytest.fixture
def release(tmp_path: Path, li: TrustedSigner) -> Release:
    return take_in(desk.release(tmp_path / "in", desk.key("li")))


def say(release: Release) -> str:
    with pytest.raises(Refused) as refusal:
        services.files(release, now=NOW)
    return refusal.value.say


class TestFiles:
    def test_gives_the_exact_texts(self, release: Release, tmp_path: Path) -> None:
        given, folder = services.files(release, now=NOW), tmp_path / "in"
        assert given.manifest.encode() == (folder / "manifest.json").read_bytes()
        assert given.sums.encode() == (folder / "SHA256SUMS").read_bytes()
        assert given.changelog.encode() == (folder / "CHANGELOG.md").read_bytes()
        assert given.signatures == (("SHA256SUMS.asc", (folder / "SHA256SUMS.asc").read_text()),)
        assert given.bundle.read_bytes() == (folder / "bundle.tar.zst").read_bytes()
        assert (given.release, given.digest, given.sha256) == ("1.3.0-2", release.digest, release.sha256)

    def test_refuses_a_release_without_its_bundle(self, release: Release) -> None:
        services.files(release, now=NOW).bundle.unlink()
        assert say(release).startswith("The bundle of 1.3.0-2 in the repository has 0 of ")
        assert say(release).endswith(" bytes, so nothing was sent. Add the release again, then resume.")

    def test_a_damaged_bundle_is_mended_by_adding_the_release_again(self, release: Release, tmp_path: Path) -> None:
        bundle = services.files(release, now=NOW).bundle
        whole = bundle.read_bytes()
        bundle.write_bytes(whole[:-1])
        again = services.take_in(tmp_path / "in", by=None, actor=OLA, now=NOW)
        assert (again.pk, services.files(release, now=NOW).bundle.read_bytes()) == (release.pk, whole)
        assert AuditEvent.objects.filter(verb="release.mended").count() == 1

    def test_refuses_when_the_signer_is_not_trusted_any_more(self, release: Release, li: TrustedSigner) -> None:
        signers.distrust(li, reason="lost laptop", actor=OLA, now=NOW)
        assert say(release).startswith(
            "1.3.0-2 has signatures of 0 signers that count today, but the channel candidate"
        )
        assert "SHA256SUMS.asc is signed by Li, who is not trusted any more" in say(release)

    @pytest.mark.parametrize(("threshold", "answer"), [(2, "needs 2"), (0, "asks for 0 signers")])
    def test_refuses_when_more_are_needed_now(
        self, release: Release, settings: Settings, threshold: int, answer: str
    ) -> None:
        settings.RELEASE_THRESHOLD = threshold
        assert answer in say(release)


class TestYank:
    def test_no_gateway_gets_it_any_more(self, release: Release) -> None:
        services.yank(release, reason="crashes", actor=OLA, now=NOW)
        assert say(release) == "1.3.0-2 was withdrawn: crashes. Choose another release."

    def test_it_does_not_come_in_again(self, release: Release, tmp_path: Path) -> None:
        services.yank(release, reason="crashes", actor=OLA, now=NOW)
        with pytest.raises(Refused, match="1.3.0-2 was withdrawn: crashes"):
            take_in(tmp_path / "in")

    def test_records_who_and_why_once(self, release: Release) -> None:
        for reason in ("crashes", "again"):
            assert services.yank(release, reason=reason, actor=OLA, now=NOW).state_reason == "crashes"
        event = AuditEvent.objects.get(verb="release.yanked")
        assert (event.subject, event.actor, event.reason) == (f"release:{release.pk}", "ola", "crashes")

    def test_demands_a_reason(self, release: Release) -> None:
        with pytest.raises(Refused, match="Say why"):
            services.yank(release, reason=" ", actor=OLA, now=NOW)
        assert services.files(release, now=NOW)


class TestSigners:
    def test_trusting_is_recorded_once(self, li: TrustedSigner) -> None:
        assert trust("li") == li
        event = AuditEvent.objects.get(verb="signer.trusted")
        assert (event.subject, event.actor) == (f"signer:{li.pk}", "ola")
        assert li.fingerprint in event.body

    def test_distrust_is_recorded_once_with_why(self, li: TrustedSigner) -> None:
        for _ in range(2):
            signers.distrust(li, reason="lost laptop", actor=OLA, now=NOW)
        assert AuditEvent.objects.get(verb="signer.distrusted").reason == "lost laptop"

    def test_distrust_demands_a_reason(self, li: TrustedSigner) -> None:
        with pytest.raises(Refused, match="Say why"):
            signers.distrust(li, reason="", actor=OLA, now=NOW)

    def test_can_be_trusted_again(self, li: TrustedSigner) -> None:
        signers.distrust(li, reason="lost laptop", actor=OLA, now=NOW)
        assert trust("li").active
        assert AuditEvent.objects.filter(verb="signer.renewed").count() == 1

    def test_a_revoked_key_is_refused_even_without_its_revocation(self, li: TrustedSigner) -> None:
        tsk = desk.key("li")
        li.public_key = desk.revoked(tsk)
        li.save()
        with pytest.raises(Refused, match="was revoked"):
            trust("li")
