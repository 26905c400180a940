"""CMS signatures (.p7s) by certificates of a pinned company CA, verified by openssl, which is asked for little.

Its default purpose refuses codeSigning certificates and `-purpose any` takes an e-mail certificate of the same CA
(reference/security 1.4, measured with 3.0), so the extended key usage is looked at here; so are the digest, the number
of signers, and which revocation list there is. No revocation list, or an old one, is a no.
"""

from __future__ import annotations

import base64
import re
import tempfile
from pathlib import Path
from typing import Dict, Tuple

from . import der
from .errors import Refused
from .policy import Ca, Policy
from .run import run

# In the order in which they are worth telling.
REASONS: Tuple[Tuple[str, str], ...] = (
    ("certificate revoked", "the certificate was revoked by its CA"),
    ("CRL has expired", "the CA's revocation list has expired; bring a newer one"),
    ("unable to get certificate CRL", "there is no revocation list of its CA"),
    ("CRL signature failure", "the CA's revocation list is not signed by it"),
    ("certificate has expired", "the certificate has expired"),
    ("certificate is not yet valid", "the certificate is not valid yet"),
    ("CA md too weak", "the certificate is signed with a digest that is too weak"),
    ("CA cert does not", "it was issued by something that is no CA"),
    ("invalid CA certificate", "it was issued by something that is no CA"),
    ("EE certificate key too weak", "the certificate's key is too weak"),
)
_ARMOUR = re.compile(r"-----BEGIN (?P<kind>CMS|PKCS7)-----\n(?P<body>[A-Za-z0-9+/=\n]+)-----END (?P=kind)-----\n")
# The last is a CA that only bears the same name.
STRANGER = (
    "unable to get local issuer",
    "self-signed certificate",
    "unable to get issuer",
    "certificate signature failure",
)


def signer(text: str, signature: Dict[str, str], policy: Policy, trust: Path) -> Tuple[str, str]:
    """(identity, group) of the one who signed `text`; refused when anything about the signature is not right."""
    name = signature["name"]
    data = _checked(name, signature["text"])
    if not policy.cas:
        raise Refused("signer_unknown", f"{name} is a CMS signature, and no CA is pinned on this gateway.")
    with tempfile.TemporaryDirectory(prefix="ocgate-cms-") as scratch:
        folder = Path(scratch)
        (folder / "content").write_bytes(text.encode())
        (folder / "signature").write_bytes(data)
        for ca in policy.cas:
            said = _verify(folder, trust / ca.file, trust / ca.crl)
            if not said:
                return _identity(name, folder / "signer.pem", trust / ca.file), ca.group
            if not any(words in said for words in STRANGER):
                raise Refused("signature_bad", f"{name} does not hold: {_reason(said)}.")
    raise Refused("signer_unknown", f"{name} is signed with a certificate of no CA that is pinned on this gateway.")


def pinned(ca: Ca, trust: Path) -> Dict[str, str]:
    """Subject, SHA-256 (of the root's DER, upper-case hex) and until when its revocation list holds, for people."""
    said = _x509(trust / ca.file, "-subject", "-fingerprint", "-sha256", "-nameopt", "RFC2253")
    until = run(["openssl", "crl", "-in", str(trust / ca.crl), "-noout", "-nextupdate"], timeout=10).out
    fingerprint = re.search(r"(?i)fingerprint=([0-9A-F:]+)", said)
    return {
        "subject": _subject(said),
        "sha256": fingerprint[1].replace(":", "") if fingerprint else "",
        "crl_next_update": until.partition("=")[2].strip(),
    }


def _checked(name: str, text: str) -> bytes:
    """The bytes of a detached signature by one signer with strong algorithms."""
    try:
        armoured = _ARMOUR.fullmatch(text)
        body = armoured["body"] if armoured else text
        data = base64.b64decode("".join(body.split()), validate=True)
        made = der.cms(data)
    except ValueError as failure:  # base64's, Malformed, and text that is no ASCII
        raise Refused("signature_bad", f"{name} is no CMS signature in base64: {failure}.") from None
    if not made.detached:
        raise Refused("signature_bad", f"{name} is not detached: it carries a text of its own.")
    if len(made.signers) != 1:
        raise Refused("signature_bad", f"{name} has {len(made.signers)} signers; one file is for one signer.")
    for oid, strong in (
        (made.signers[0].digest, der.STRONG_DIGESTS),
        (made.signers[0].signature, der.STRONG_SIGNATURES),
    ):
        if oid not in strong:
            weak = der.DIGEST_NAMES.get(oid, oid)
            raise Refused("signature_bad", f"{name} uses {weak}, which is too weak to trust. Sign again with SHA-256.")
    return data


def _verify(folder: Path, root: Path, crl: Path) -> str:
    """What openssl says against the signature, "" when it holds."""
    trusted = folder / "trusted.pem"
    try:
        trusted.write_bytes(root.read_bytes() + b"\n" + crl.read_bytes())
    except OSError as failure:
        raise Refused("policy_bad", f"The pinned CA can't be read: {failure}.") from failure
    files = ["-in", str(folder / "signature"), "-content", str(folder / "content"), "-CAfile", str(trusted)]
    # Without -no-CApath and -no-CAstore the host's own list of CAs would count as well.
    closed = ["-no-CApath", "-no-CAstore", "-crl_check_all", "-purpose", "any", "-auth_level", "2"]
    out = ["-signer", str(folder / "signer.pem"), "-out", "/dev/null"]
    done = run(["openssl", "cms", "-verify", "-binary", "-inform", "DER", *files, *closed, *out], timeout=20)
    return "" if done.code == 0 else done.err or done.out or "openssl gave no reason"


def _reason(said: str) -> str:
    for words, why in REASONS:
        if words in said:
            return why
    if "verification failure" in said or "digest" in said or "content verify error" in said:
        return "it does not fit what was signed"
    return f"openssl refuses it ({said.strip().splitlines()[-1][-120:]})"


def _identity(name: str, certificate: Path, ca: Path) -> str:
    """CA and subject of the signer, whose certificate must be one for signing code and nothing above it."""
    said = _x509(certificate, "-subject", "-nameopt", "RFC2253", "-ext", "basicConstraints,keyUsage,extendedKeyUsage")
    extended = re.search(r"Extended Key Usage:[^\n]*\n\s*([^\n]*)", said)
    purposes = [word.strip() for word in extended[1].split(",")] if extended else []
    if "Code Signing" not in purposes:
        held = ", ".join(purposes) or "no purpose at all"
        say = f"{name} is signed with a certificate for {held}; it takes one for code signing (codeSigning)."
        raise Refused("signature_bad", say)
    usage = re.search(r"X509v3 Key Usage:[^\n]*\n\s*([^\n]*)", said)
    if usage and "Digital Signature" not in usage[1]:
        raise Refused("signature_bad", f"{name} is signed with a certificate whose key may not sign.")
    if "CA:TRUE" in said:
        raise Refused("signature_bad", f"{name} is signed with the certificate of a CA, not of a signer.")
    fingerprint = re.search(r"(?i)fingerprint=([0-9A-F:]+)", _x509(ca, "-fingerprint", "-sha256"))
    return f"{fingerprint[1].replace(':', '') if fingerprint else ''} {_subject(said)}"


def _subject(said: str) -> str:
    found = re.search(r"(?m)^subject=\s*(.*)$", said)
    return found[1].strip() if found else ""


def _x509(path: Path, *wanted: str) -> str:
    done = run(["openssl", "x509", "-in", str(path), "-noout", *wanted], timeout=10)
    if done.code != 0:
        raise Refused("signature_bad", f"A certificate can't be read: {done.last_line[:160]}.")
    return done.out
