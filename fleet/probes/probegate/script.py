"""openconnect's --script: puts the tunnel's device into the probe's namespace, gives it its address, tells it on."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from typing import Mapping

WANTED = ("INTERNAL_IP4_ADDRESS", "INTERNAL_IP4_NETADDR", "INTERNAL_IP4_MTU")


def main(token: str, pid: str) -> int:
    """Called by openconnect for each event; only `connect` has something to do. The server's words are in the
    environment: nothing of it goes anywhere but an address and a number."""
    given = dict(os.environ)
    if given.get("reason") != "connect":
        return 0
    try:
        told = wired(given, pid)
    except (KeyError, ValueError, OSError, subprocess.SubprocessError) as failure:
        told = {"wrong": f"{type(failure).__name__}: {failure}"[:200]}
    sys.stdout.write(f"{token} {json.dumps(told)}\n")
    sys.stdout.flush()
    return 0


def wired(given: Mapping[str, str], pid: str) -> dict[str, str]:
    """Move the device and set it up; {"address", "net"} of the tunnel."""
    device = given["TUNDEV"]
    if not device.isalnum():
        raise ValueError("openconnect names no device")
    address = str(ipaddress.IPv4Address(given.get("INTERNAL_IP4_ADDRESS") or "none"))
    mtu = min(9000, max(576, int(given.get("INTERNAL_IP4_MTU") or 1280)))
    _run(["ip", "link", "set", device, "netns", pid])
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip"]
    _run([*inside, "link", "set", device, "up", "mtu", str(mtu)])
    _run([*inside, "address", "add", f"{address}/32", "dev", device])
    _run([*inside, "route", "add", "default", "dev", device])
    return {"address": address, "net": given.get("INTERNAL_IP4_NETADDR", "")}


def _run(argv: list[str]) -> None:
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=True)
