"""What the lab needs of the machine, and the sentence that says what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# Program → the Debian package that brings it.
PROGRAMS = {
    "openconnect": "openconnect",
    "nft": "nftables",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "sudo": "sudo",
    "patchelf": "patchelf",
    "zstd": "zstd",
    "gpg": "gnupg",
    "gpgv": "gpgv",
    "openssl": "openssl",
    "conntrack": "conntrack",
    "haproxy": "haproxy",
    "socat": "socat",
    "curl": "curl",
    "ip": "iproute2",
    "dpkg-deb": "dpkg",
    "/lib/systemd/systemd": "systemd",
}


def lacking() -> list[str]:
    """The Debian packages that are not installed, sorted."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    gone = {
        package
        for name, package in PROGRAMS.items()
        if not (Path(name).exists() if name.startswith("/") else shutil.which(name, path=path))
    }
    return sorted(gone)


def missing() -> str:
    """Why no lab can stand on this machine, as one sentence; "" when it can."""
    if sys.platform != "linux":
        return "The lab needs Linux: its gateways live in network namespaces."
    if os.geteuid() != 0:
        return "The lab must run as root: it makes network namespaces and mounts."
    if not Path("/dev/net/tun").exists():
        return "The lab needs /dev/net/tun, which this machine does not offer."
    if packages := lacking():
        return f"The lab needs Debian packages that are not installed: apt-get install {' '.join(packages)}"
    return ""
