"""A machine of the lab that is no gateway: a namespace on the wan, with an sshd that lets our key do one thing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.commands import run, wait_until
from lab.networks import Networks, batch
from lab.spaces import Corner
from lab.state import started_at


class Outpost:
    """`host` is the last byte of its addresses, on the wan and on the management network. `key`: who may sign in."""

    port = 22
    user = "root"

    def __init__(self, networks: Networks, name: str, host: int, *, key: str) -> None:
        self.name = name
        self.networks, self._host, self._key = networks, host, key
        self.corner = Corner(networks, name, host)
        self.folder = networks.place.disk / name
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Where its SSH listens, on the management network."""
        return f"198.19.{self.networks.place.number}.{self._host}"

    @property
    def public(self) -> str:
        """Its address on the wan."""
        return self.corner.address

    @property
    def host_keys(self) -> list[tuple[str, str]]:
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        return [(kind, key)]

    def plug(self) -> None:
        """Make its folder and its namespace, with both networks."""
        self.folder.mkdir(parents=True)
        self.corner.up()
        port = self.networks.name(self.name)
        self.networks.place.note("link", port)
        batch(
            [
                f"link add {port} type veth peer name mgmt0 netns {self.corner.space}",
                f"link set {port} master {self.networks.bridge} up",
            ]
        )
        batch([f"address add {self.address}/24 dev mgmt0", "link set mgmt0 up"], self.corner.space)

    def freeze(self, *, on: bool) -> None:
        """Its sshd answers nothing, or again."""
        batch([f"link set {self.networks.name(self.name)} {'down' if on else 'up'}"])

    def start_ssh(self, command: str) -> None:
        """Start sshd; who signs in runs this command and nothing else."""
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "host")])
        (self.folder / "authorized_keys").write_text(f'restrict,command="{command}" {self._key}\n')
        options = [
            f"ListenAddress={self.address}:22",
            f"HostKey={self.folder}/host",
            f"AuthorizedKeysFile={self.folder}/authorized_keys",
            "StrictModes=no",
            "UsePAM=no",
            "PasswordAuthentication=no",
            "PermitRootLogin=forced-commands-only",
            f"PidFile={self.folder}/sshd.pid",
            # Bash reads ~/.bashrc for whom sshd starts: what a developer keeps there is none of this machine's.
            f"SetEnv=HOME={self.folder}",
        ]
        Path("/run/sshd").mkdir(exist_ok=True)
        sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin") or "sshd"
        self.run([sshd, "-D", "-e", "-f", "/dev/null", *(w for one in options for w in ("-o", one))], "sshd")
        wait_until((self.folder / "sshd.pid").exists, seconds=10, what=f"The start of {self.name}'s SSH")

    def run(self, argv: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        """Start a program in its namespace; it ends with the lab."""
        with (self.folder / f"{log}.log").open("ab") as out:
            process = subprocess.Popen(
                [*self.corner.enter(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def reap(self) -> None:
        """Collect the processes that the lab's end killed."""
        for process in self._started:
            if started_at(process.pid):
                process.kill()
            process.wait(10)
