"""What `ocserv -t` lets pass in a derived configuration: numbers, files, key and certificate, users, pool size."""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import re
from pathlib import Path
from typing import Callable, Dict, List

from . import derive, optioncheck, options
from .findings import Finding
from .run import run

KINDS = frozenset({"file", "folder", "script"})
PASSWORDS = re.compile(r'(?:passwd|otp)=([^,\]"]+)')


def findings(text: str, version: str) -> List[Finding]:
    """Findings in the text of one slot's ocserv.conf for ocserv `version`; reads files and accounts of this host."""
    given = derive.options(text)
    return [
        *optioncheck.problems(text, version, processors=os.sysconf("SC_NPROCESSORS_ONLN")),
        *_files(text),
        *_accounts(given),
        *_pool(given),
        *_certificate(given),
    ]


def _files(text: str) -> List[Finding]:
    found = []
    for line in derive.parse(text):
        option = options.OPTIONS.get(line.name)
        if option is not None and option.kind in KINDS and line.value.startswith("/"):
            found += _there(line.name, line.value, option.kind)
        if line.name in ("auth", "enable-auth", "acct"):
            for path in PASSWORDS.findall(line.value):
                found += _there(line.name, path, "file")
    return found


def _there(name: str, path: str, kind: str) -> List[Finding]:
    say = f"The option {name} names {path}, which does not exist."
    if not (Path(path).is_dir() if kind == "folder" else Path(path).is_file()):
        return [Finding("error", "file_missing", say)]
    if kind == "script" and not Path(path).stat().st_mode & 0o111:
        return [Finding("error", "not_a_program", f"The option {name} names {path}, which may not be run.")]
    return []


def _accounts(given: Dict[str, str]) -> List[Finding]:
    asked: Dict[str, Callable[[str], object]] = {"run-as-user": pwd.getpwnam, "run-as-group": grp.getgrnam}
    found = []
    for name, look_up in asked.items():
        if name in given:
            try:
                look_up(given[name])
            except KeyError:
                found.append(
                    Finding(
                        "error",
                        "account_missing",
                        f"The option {name} names {given[name]!r}, which does not exist.",
                    )
                )
    return found


def _pool(given: Dict[str, str]) -> List[Finding]:
    network = ipaddress.ip_network(given["ipv4-network"], strict=False)
    most = int(given["max-clients"]) if given.get("max-clients", "").isdigit() else 0
    room = network.num_addresses - 3
    if most and room < most:
        return [
            Finding(
                "warning",
                "pool_small",
                f"The slot's pool {network} has {room} addresses for max-clients = {most}.",
            )
        ]
    return []


def _certificate(given: Dict[str, str]) -> List[Finding]:
    cert, key = given.get("server-cert", ""), given.get("server-key", "")
    if not (cert.startswith("/") and key.startswith("/") and Path(cert).is_file() and Path(key).is_file()):
        return []
    found = []
    if run(["openssl", "x509", "-checkend", "0", "-noout", "-in", cert], timeout=5).code == 1:
        found.append(Finding("error", "certificate_expired", f"The server certificate {cert} has expired."))
    elif run(["openssl", "x509", "-checkend", str(7 * 86400), "-noout", "-in", cert], timeout=5).code == 1:
        found.append(Finding("warning", "certificate_expires", f"The server certificate {cert} expires within 7 days."))
    ours = run(["openssl", "x509", "-pubkey", "-noout", "-in", cert], timeout=5)
    theirs = run(["openssl", "pkey", "-pubout", "-in", key], timeout=5)
    if ours.code == 0 and theirs.code == 0 and ours.out.split() != theirs.out.split():
        found.append(Finding("error", "key_differs", f"The key {key} does not belong to the certificate {cert}."))
    return found
