"""`trust` and `crl`: new keys into /etc/ocgate/trust, when the old signers want it, as many as the old policy needs.

The folder is replaced as a whole: new files in a folder beside it, then two names are exchanged in one step.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

from . import locks, openpgp, policy, statement, trust
from . import state as states
from .call import Call, Result
from .errors import Refused
from .paths import Paths
from .run import run

FIELDS = frozenset({"serial", "threshold", "group", "openpgp", "cas", "approvers"})
RENAME_EXCHANGE = 2
AT_FDCWD = -100
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CRL = re.compile(r"-----BEGIN X509 CRL-----\n[A-Za-z0-9+/=\n]+-----END X509 CRL-----\n?")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?")


def repin(call: Call) -> Result:
    """Verb `trust`: pin what the statement says, when the old signers signed it."""
    text, folder = call.args["statement"], call.paths.trust
    with locks.held(call.paths.run, "trust", wait=2.0):
        states.admit(call.paths, call.fence)
        old = policy.read(folder)
        fields = statement.read(text, folder, kind="trust")
        trust.verify(text, call.args["signatures"], folder, what="trust statement")
        files = wanted(fields, gateway=old.gateway)
        if files == _present(folder):
            return _result(call.paths, already=True)
        if fields["serial"] <= old.serial:
            say = f"This gateway has trust serial {old.serial} and was offered {fields['serial']}; nothing was changed."
            raise Refused("trust_old", say)
        _exchange(call.paths, files)
    return _result(call.paths, already=False)


def crl(call: Call) -> Result:
    """Verb `crl`: a newer revocation list of a pinned CA. It only takes trust away: nobody need sign it but the CA."""
    with locks.held(call.paths.run, "trust", wait=2.0):
        states.admit(call.paths, call.fence)
        pinned = policy.read(call.paths.trust)
        files = _present(call.paths.trust)
        lists = _CRL.findall(call.args["crl"])
        if not lists or _CRL.sub("", call.args["crl"]).strip():
            raise Refused("crl_bad", "This is no revocation list in PEM.")
        changed = False
        for new in lists:
            changed = _take(new, pinned, files) or changed
        if changed:
            _exchange(call.paths, files)
    return _result(call.paths, already=not changed)


def wanted(fields: Dict[str, Any], *, gateway: str) -> Dict[str, bytes]:
    """The files of the trust folder that a statement wants; refused when they could not be read afterwards."""
    if set(fields) != FIELDS | statement.COMMON:
        raise Refused("statement_bad", f"A trust statement has exactly: {', '.join(sorted(FIELDS))}.")
    files: Dict[str, bytes] = {}
    try:
        signers, keyring = _keys(fields["openpgp"])
        cas = [_ca(row, number, files) for number, row in enumerate(fields["cas"], start=1)]
        raw = {
            "format": 2,
            "serial": policy.number(fields["serial"], "serial", least=1),
            "gateway": gateway,
            "threshold": fields["threshold"],
            "group": fields["group"],
            "openpgp": signers,
            "cas": cas,
            "approvers": fields["approvers"],
        }
        policy.parse(raw)
    except (openpgp.Malformed, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise Refused("statement_bad", f"The trust statement can't be used: {failure}.") from failure
    files["openpgp.gpg"] = keyring
    files["policy.json"] = (json.dumps(raw, indent=1, sort_keys=True) + "\n").encode()
    return files


def _keys(rows: Any) -> Tuple[List[Dict[str, str]], bytes]:
    """Signers for policy.json, and the keyring; a row is an armoured key, or {"key","group"}."""
    signers, keyring = [], b""
    for row in rows:
        row = {"key": row} if isinstance(row, str) else row
        fingerprint, data = openpgp.public_key(row["key"])
        signers.append({"fingerprint": fingerprint, "group": row.get("group", "release")})
        keyring += data
    return signers, keyring


def _ca(row: Any, number: int, files: Dict[str, bytes]) -> Dict[str, str]:
    """One CA's files and its entry. Its certificates must read, and its revocation lists be its own."""
    pem, lists = row["pem"], row["crl"]
    certificates = _CERTIFICATE.findall(pem)
    if not certificates or _CERTIFICATE.sub("", pem).strip() or _CRL.sub("", lists).strip():
        raise ValueError(f"CA {number} is not certificates and revocation lists in PEM")
    for one in _CRL.findall(lists):
        if not _signed_by(one, pem):
            raise ValueError(f"a revocation list of CA {number} is not signed by it")
    if not lists.strip():
        raise ValueError(f"CA {number} has no revocation list")
    entry = {"file": f"ca-{number}.pem", "crl": f"ca-{number}.crl", "group": row.get("group", "release")}
    files[entry["file"]], files[entry["crl"]] = pem.encode(), lists.encode()
    return entry


def _take(new: str, pinned: policy.Policy, files: Dict[str, bytes]) -> bool:
    """Put a revocation list in the place of its older one; whether it was another."""
    name, issued, until = _crl_facts(new)
    for ca in pinned.cas:
        if not _signed_by(new, files.get(ca.file, b"").decode()):
            continue
        if until <= time.time():
            raise Refused("crl_bad", f"The revocation list of {name} has expired already.")
        kept, older = [], False
        for one in _CRL.findall(files.get(ca.crl, b"").decode()):
            its_name, its_issued, _ = _crl_facts(one)
            if one.strip() == new.strip():
                return False
            if its_name == name and issued <= its_issued:
                older = True
            if its_name != name:
                kept.append(one)
        if older:
            raise Refused("crl_bad", f"This gateway has a newer revocation list of {name}; nothing was changed.")
        files[ca.crl] = "".join(text if text.endswith("\n") else text + "\n" for text in [*kept, new]).encode()
        return True
    raise Refused("crl_bad", f"No CA that is pinned on this gateway signed the revocation list of {name}.")


def _signed_by(one: str, pem: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="ocgate-crl-") as folder:
        path, ca = Path(folder, "crl.pem"), Path(folder, "ca.pem")
        path.write_text(one)
        ca.write_text(pem)
        argv = [
            "openssl",
            "crl",
            "-in",
            str(path),
            "-noout",
            "-CAfile",
            str(ca),
            "-no-CApath",
            "-no-CAstore",
            "-verify",
        ]
        done = run(argv, timeout=10)
    return done.code == 0 and "verify OK" in done.err + done.out


def _crl_facts(one: str) -> Tuple[str, float, float]:
    """(issuer, when it was made, until when it holds) of a revocation list; epoch seconds."""
    argv = ["openssl", "crl", "-noout", "-issuer", "-lastupdate", "-nextupdate", "-nameopt", "RFC2253"]
    done = run(argv, timeout=10, stdin=one)
    said = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
    if done.code != 0 or not {"issuer", "lastUpdate", "nextUpdate"} <= set(said):
        raise Refused("crl_bad", "This revocation list can't be read, or says no time until which it holds.")
    return said["issuer"].strip(), openssl_time(said["lastUpdate"]), openssl_time(said["nextUpdate"])


def openssl_time(text: str) -> float:
    """Epoch seconds of "Nov 23 07:00:00 2026 GMT"; 0 when it is none. Pure."""
    found = re.fullmatch(r"\s*([A-Z][a-z]{2})\s+(\d{1,2}) (\d\d:\d\d:\d\d) (\d{4}) GMT\s*", text)
    if found is None or found[1] not in MONTHS:
        return 0.0
    return statement.moment(f"{found[4]}-{MONTHS.index(found[1]) + 1:02d}-{int(found[2]):02d}T{found[3]}Z")


def _present(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _exchange(paths: Paths, files: Dict[str, bytes]) -> None:
    """Put a new folder in the place of the old one. A crash leaves one of the two, whole."""
    new = paths.trust.with_name(paths.trust.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o755)
    for name, data in files.items():
        (new / name).write_bytes(data)
        (new / name).chmod(0o644)
    policy.read(new)
    os.sync()
    _swap(new, paths.trust)
    shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, old: Path) -> None:
    """renameat2 with RENAME_EXCHANGE, which Python has no name for."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(old), RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(old))


def _result(paths: Paths, *, already: bool) -> Result:
    pinned = policy.read(paths.trust)
    return {"serial": pinned.serial, "sha256": policy.sha256_of(paths.trust), "already": already}
