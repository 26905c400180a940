from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from asn1crypto import cms as asn1
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given, settings, strategies

from approvals.errors import Refused
from releases import authority, cms, trust
from releases.signatures import Signed, Signer
from tests.unit.releases import company, desk

NOW = company.START + timedelta(minutes=1)
SUMS = b"the exact bytes\n"
ROOT = company.authority()
LI, KIM = company.person("Li"), company.person("Kim")


def ca(crl: str | None = None, holder: company.Holder = ROOT) -> Signer:
    fingerprint, pem = authority.checked(holder.pem, now=NOW)
    return Signer(fingerprint, "Code CA", pem, True, "ca", company.crl(holder) if crl is None else crl, "company")


def verified(data: bytes, *known: Signer, sums: bytes = SUMS, name: str = "SHA256SUMS.p7s") -> Signed:
    return cms.verified(name, data, sums, authorities=known or [ca()], now=NOW)


def say(data: bytes, *known: Signer, sums: bytes = SUMS) -> str:
    with pytest.raises(Refused) as refusal:
        verified(data, *known, sums=sums)
    return refusal.value.say


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_says_who_and_when(form: str) -> None:
    found = verified(company.signature(LI, SUMS, form=form))
    assert (found.identity, found.group, found.fingerprint) == ("CN=Li,O=Example", "company", ca().fingerprint)
    assert abs(found.signed_at - NOW) < timedelta(hours=1)


def test_is_kept_as_pem() -> None:
    der = company.signature(LI, SUMS, form="DER")
    assert verified(cms.text("x.p7s", der).encode()) == verified(der)


def test_the_same_person_with_two_certificates_is_one() -> None:
    again = company.person("Li")
    files = {"SHA256SUMS.1.p7s": company.signature(LI, SUMS), "SHA256SUMS.2.p7s": company.signature(again, SUMS)}
    with pytest.raises(Refused, match="signatures of 1 trusted signers, but needs 2"):
        trust.verified(SUMS, files, signers=[ca()], threshold=2, now=NOW)
    files["SHA256SUMS.3.p7s"] = company.signature(KIM, SUMS)
    assert len(trust.verified(SUMS, files, signers=[ca()], threshold=2, now=NOW)) == 2


def test_both_kinds_count_together() -> None:
    tsk = desk.key("li")
    openpgp = Signer(desk.fingerprint(tsk), "Li", desk.public(tsk), True)
    files = {"SHA256SUMS.asc": desk.signature(tsk, SUMS), "SHA256SUMS.p7s": company.signature(KIM, SUMS)}
    assert len(trust.verified(SUMS, files, signers=[ca(), openpgp], threshold=2, now=NOW)) == 2
    files["SHA256SUMS.p7s"] = company.signature(KIM, b"other")
    with pytest.raises(Refused, match="SHA256SUMS.p7s does not fit"):
        trust.verified(SUMS, files, signers=[ca(), openpgp], threshold=1, now=NOW)


@pytest.mark.parametrize(
    "purpose", [company.MAIL, ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]
)
def test_another_certificate_of_the_same_ca(purpose: ObjectIdentifier) -> None:
    other = company.person("Li", purposes=[purpose])
    assert "whose certificate is not for signing code (codeSigning)" in say(company.signature(other, SUMS))


def test_a_certificate_without_a_purpose_and_the_ca_itself() -> None:
    assert "not for signing code" in say(company.signature(company.person(purposes=()), SUMS))
    assert "not for signing code" in say(company.signature(ROOT, SUMS))


def test_a_revoked_certificate() -> None:
    assert "whose certificate was revoked on" in say(company.signature(LI, SUMS), ca(company.crl(revoked=[LI])))
    assert verified(company.signature(KIM, SUMS), ca(company.crl(revoked=[LI])))


def test_a_list_of_revoked_certificates_that_is_out_of_date_or_missing() -> None:
    sentence = say(company.signature(LI, SUMS), ca(company.crl(until=company.START)))
    assert "was due for renewal on" in sentence
    assert sentence.endswith("Upload a newer one at Signers.")
    assert "is missing, so none of them counts" in say(company.signature(LI, SUMS), ca(""))


def test_a_list_of_another_ca_with_the_same_name() -> None:
    impostor = company._holder("Code CA", None, ca=True, purposes=(), until=company.START + company.DAY)
    assert "does not fit" in say(company.signature(LI, SUMS), ca(company.crl(impostor)))


def test_an_expired_certificate() -> None:
    late = company.person(until=company.START)
    assert "whose certificate expired on" in say(company.signature(late, SUMS))


def test_another_ca_and_one_that_is_not_trusted_any_more() -> None:
    stranger = company.person(by=company.authority("Other CA"))
    assert "whose certificate no trusted CA of this repository gave" in say(company.signature(stranger, SUMS))
    assert "who is not trusted any more" in say(company.signature(LI, SUMS), replace(ca(), active=False))


def test_other_bytes_do_not_fit() -> None:
    assert say(company.signature(LI, SUMS), sums=b"other").startswith("SHA256SUMS.p7s does not fit SHA256SUMS")


def test_a_weak_digest() -> None:
    assert "uses SHA1, which is too weak" in say(company.signature(LI, SUMS, "-md", "sha1"))


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["-nodetach"], "holds a text of its own"),
        (["-nocerts"], "comes without the certificate"),
        (["-noattr"], "does not say once"),
    ],
)
def test_shapes_that_are_refused(options: list[str], answer: str) -> None:
    assert answer in say(company.signature(LI, SUMS, *options))


@pytest.mark.parametrize("data", [b"", b"\xff", b"0", b"hello", b"-----BEGIN CMS-----\nAAAA\n-----END CMS-----\n"])
def test_what_is_no_signature(data: bytes) -> None:
    assert "is no CMS signature" in say(data)


def test_text_around_it() -> None:
    pem = company.signature(LI, SUMS)
    for data in (b"Trust me\n" + pem, pem + b"\n", pem + pem, pem.replace(b"\n", b"\r\n")):
        assert "text around it that nobody signed" in say(data)


def test_attributes_that_nobody_signed_and_a_second_signer() -> None:
    found = asn1.ContentInfo.load(company.signature(LI, SUMS, form="DER"))
    info = found["content"]["signer_infos"][0]
    found["content"]["signer_infos"].append(info.copy())
    assert "holds 2 signatures" in say(found.dump(force=True))
    found["content"]["signer_infos"] = [info]
    info["unsigned_attrs"] = [{"type": "signing_time", "values": [asn1.Time({"utc_time": company.START})]}]
    assert "carries attributes that nobody signed" in say(found.dump(force=True))


def test_a_foreign_certificate_rides_along() -> None:
    found = asn1.ContentInfo.load(company.signature(LI, SUMS, form="DER"))
    found["content"]["certificates"].append(
        asn1.CertificateChoices(
            "certificate", asn1.Certificate.load(base64.b64decode("".join(KIM.pem.splitlines()[1:-1])))
        )
    )
    assert "does not fit" in say(found.dump(force=True))


def test_below_an_intermediate_ca() -> None:
    middle = company.authority("Middle CA", ROOT)
    li = company.person("Li", by=middle)
    crls = company.crl(ROOT) + company.crl(middle)
    fingerprint, chain = authority.checked(ROOT.pem + middle.pem, now=NOW)
    both = Signer(fingerprint, "Code CA", chain, True, "ca", crls)
    assert verified(company.signature(li, SUMS), both).identity == "CN=Li,O=Example"
    gone = replace(both, crl=company.crl(ROOT, [middle]) + company.crl(middle))
    assert "does not fit" in say(company.signature(li, SUMS), gone)


DER = company.signature(LI, SUMS, form="DER")


@settings(max_examples=400, deadline=None)
@given(bit=strategies.integers(0, len(DER) * 8 - 1))
def test_no_flipped_bit_passes(bit: int) -> None:
    flipped = bytearray(DER)
    flipped[bit // 8] ^= 1 << bit % 8
    assert say(bytes(flipped))
