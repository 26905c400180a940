"""A real FreeRADIUS on a gateway of the lab, for accounting: what ocserv told it lies in its `detail` file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.commands import LabError
from lab.gateway import Gateway
from lab.machine import Machine
from lab.networks import Addresses

FOLDER = "/root/radius"
SECRET = "testing123"  # nosec B105 # noqa: S105 - on the loopback of a machine that the lab throws away
CONF = 'acct = "radius[config=/etc/radcli/radiusclient.conf]"\nstats-report-time = 60\n'
CLIENT = f"""nas-identifier lab
authserver 127.0.0.1:1812:{SECRET}
acctserver 127.0.0.1:1813:{SECRET}
dictionary /etc/radcli/dictionary
radius_timeout 3
radius_retries 2
bindaddr *
"""
SERVER = f"""prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {FOLDER}
logdir = {FOLDER}
run_dir = {FOLDER}
radacctdir = {FOLDER}
max_requests = 1024
thread pool {{
  start_servers = 1
  max_servers = 2
  min_spare_servers = 1
  max_spare_servers = 2
}}
client gateway {{
  ipaddr = 127.0.0.1
  secret = {SECRET}
}}
modules {{
  detail {{
    filename = {FOLDER}/detail
    permissions = 0600
    header = "%t"
  }}
}}
server default {{
  listen {{
    type = acct
    ipaddr = 127.0.0.1
    port = 1813
  }}
  accounting {{
    detail
  }}
}}
"""

# ocserv turns everybody away while nobody answers its accounting (401 "Cookie is not acceptable").
UNIT = f"""[Unit]
Before=ocgate-keep.service
[Service]
ExecStart=/usr/sbin/freeradius -f -l stdout -d {FOLDER}
Restart=always
"""


def accounting(cache: Path, lay_out: Callable[[Machine, Addresses], None]) -> Callable[[Machine, Addresses], None]:
    """A `host_files.lay_out` that gives the gateways their own FreeRADIUS, too. CONF goes into their ocserv.conf."""
    radcli = next(cache.glob("packages/*/etc/radcli"), None)
    if radcli is None:
        raise LabError("No release of the lab's cache has radcli; build one first (script/lab up).")

    def lay_out_more(machine: Machine, at: Addresses) -> None:
        lay_out(machine, at)
        for path in radcli.glob("dictionary*"):
            machine.write(f"etc/radcli/{path.name}", path.read_bytes())
        machine.write("etc/radcli/radiusclient.conf", CLIENT)
        machine.write(f"{FOLDER}/radiusd.conf", SERVER)
        machine.write("etc/systemd/system/lab-radius.service", UNIT)
        wants = machine.upper / "etc/systemd/system/multi-user.target.wants"
        (wants / "lab-radius.service").symlink_to("/etc/systemd/system/lab-radius.service")

    return lay_out_more


class Radius:
    """What the FreeRADIUS of a gateway has been told."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def records(self) -> list[Mapping[str, str]]:
        """Attributes of each accounting request, in the order in which they came."""
        text = self._gateway.run(["sh", "-c", f"cat {FOLDER}/detail 2>/dev/null || true"])
        return [dict(re.findall(r'^\t([A-Za-z0-9-]+) = "?([^"\n]*)"?$', block, re.M)) for block in text.split("\n\n")]

    def open_sessions(self) -> dict[str, str]:
        """Sessions that were begun and never ended: Acct-Session-Id → user."""
        found: dict[str, str] = {}
        for record in self.records():
            if record.get("Acct-Status-Type") == "Start":
                found[record["Acct-Session-Id"]] = record["User-Name"]
            elif record.get("Acct-Status-Type") == "Stop":
                found.pop(record["Acct-Session-Id"], None)
        return found

    def stopped(self) -> list[str]:
        """Users whose sessions were ended, one entry a session."""
        return [r["User-Name"] for r in self.records() if r.get("Acct-Status-Type") == "Stop"]
