"""What `ocserv -t` lets pass in a derived configuration: numbers, files, key and certificate, users, pool size."""

from __future__ import annotations

import grp
import ipaddress
import pwd
import re
from pathlib import Path
from typing import Callable, Dict, List

from . import derive
from .findings import Finding
from .run import run

# fmt: off
NUMBERS = (
    "max-clients", "max-same-clients", "rate-limit-ms", "server-drain-ms", "keepalive", "dpd", "mobile-dpd", "mtu",
    "switch-to-tcp-timeout", "auth-timeout", "idle-timeout", "mobile-idle-timeout", "session-timeout", "max-ban-score",
    "ban-reset-time", "ban-time", "min-reauth-time", "cookie-timeout", "rekey-time", "tcp-port", "udp-port",
    "server-stats-reset-time", "log-level", "sec-mod-scale", "rx-data-per-sec", "tx-data-per-sec",
)
# fmt: on
FILES = (
    "server-cert",
    "server-key",
    "ca-cert",
    "crl",
    "dh-params",
    "connect-script",
    "disconnect-script",
    "host-update-script",
)
PASSWORDS = re.compile(r'(?:passwd|otp)=([^,\]"]+)')


def findings(text: str) -> List[Finding]:
    """Findings in the text of one slot's ocserv.conf; reads files and accounts of this host."""
    options = derive.options(text)
    return [
        *_numbers(options),
        *_files(text, options),
        *_accounts(options),
        *_pool(options),
        *_certificate(options),
    ]


def _numbers(options: Dict[str, str]) -> List[Finding]:
    return [
        Finding("error", "not_a_number", f"The option {name} is {options[name][:40]!r}, which is no number.")
        for name in NUMBERS
        if name in options and not options[name].isdigit()
    ]


def _files(text: str, options: Dict[str, str]) -> List[Finding]:
    named = [(name, options[name]) for name in FILES if options.get(name, "").startswith("/")]
    for line in derive.parse(text):
        if line.name in ("auth", "enable-auth", "acct"):
            named += [(line.name, path) for path in PASSWORDS.findall(line.value)]
    return [
        Finding("error", "file_missing", f"The option {name} names {path}, which does not exist.")
        for name, path in named
        if not Path(path).is_file()
    ]


def _accounts(options: Dict[str, str]) -> List[Finding]:
    asked: Dict[str, Callable[[str], object]] = {"run-as-user": pwd.getpwnam, "run-as-group": grp.getgrnam}
    found = []
    for name, look_up in asked.items():
        if name in options:
            try:
                look_up(options[name])
            except KeyError:
                found.append(
                    Finding(
                        "error",
                        "account_missing",
                        f"The option {name} names {options[name]!r}, which does not exist.",
                    )
                )
    return found


def _pool(options: Dict[str, str]) -> List[Finding]:
    network = ipaddress.ip_network(options["ipv4-network"], strict=False)
    most = int(options["max-clients"]) if options.get("max-clients", "").isdigit() else 0
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


def _certificate(options: Dict[str, str]) -> List[Finding]:
    cert, key = options.get("server-cert", ""), options.get("server-key", "")
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
