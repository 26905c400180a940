"""A probe host of the lab: a machine on the wan with probegate for the controller."""

from __future__ import annotations

from pathlib import Path

from fleet.probes.build import build
from lab.networks import Networks
from lab.outpost import Outpost


class ProbeHost(Outpost):
    """`ca`: the file of the authority that signed the gateways' certificates."""

    def __init__(self, networks: Networks, host: int, *, key: str, ca: Path) -> None:
        super().__init__(networks, f"probe{host}", host, key=key)
        self._ca = ca

    def up(self) -> None:
        self.plug()
        program = build(self.folder / "probegate.pyz")
        self.start_ssh(f"/usr/bin/python3 -I {program} serve --cafile {self._ca}")

    @property
    def public6(self) -> str:
        """Where gateways see it come from over IPv6: in no network of theirs, so ocserv may ban it."""
        return f"2001:db8:2:{self.corner.host}::1"
