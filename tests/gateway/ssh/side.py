"""The web process that a gateway downloads from, with a state folder of its own, where the lab's gateways reach it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fleet.bundles import Download
from lab import web
from lab.fleet import Lab
from tests.browser.site import ROOT, child, free_port, wait_for

SLOW = 1_500_000  # bytes a second: a bundle of the lab has some 10 MB


class Side:
    """The web process's side: its state folder, where gateways reach it, and the ticket that it gave."""

    def __init__(self, lab: Lab, state: Path, release: Path) -> None:
        self.host, self.port = lab.clients.networks.controller, free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDOVER_")}
        self.env = {**kept, "HANDOVER_STATE": str(state), "HANDOVER_LOG": "WARNING", "HANDOVER_HOSTS": self.host}
        self.database = state / "handover.sqlite3"
        key = lab.builder.signer.folder / "release-key.asc"
        argv = (sys.executable, "-m", "tests.gateway.ssh.webside", str(key), str(release))
        said = json.loads(subprocess.run(argv, env=self.env, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
        self.download = Download(f"http://{self.host}:{self.port}/bundles/{said['sha256']}", said["ticket"])

    @contextmanager
    def serving(self, *, rate: int = 0) -> Iterator[subprocess.Popen[bytes]]:
        env = {**self.env, "HANDOVER_DOWNLOAD_RATE": str(rate)}
        with child(web.command(self.host, self.port), env) as process:
            wait_for(f"http://{self.host}:{self.port}/livez", process)
            yield process

    def record(self) -> list[tuple[str, int]]:
        """What the record says of downloads, and the byte where each began."""
        with closing(sqlite3.connect(self.database)) as rows:
            found = rows.execute("SELECT verb, body FROM approvals_auditevent WHERE verb LIKE 'bundle.%' ORDER BY seq")
            return [(verb, json.loads(body)["details"]["start"]) for verb, body in found]
