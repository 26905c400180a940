"""Debian packages of another suite, by a private apt that never touches the host's packages."""

from __future__ import annotations

import os
from pathlib import Path

from lab.commands import LabError, run, tried

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
RETRIES = 3
MIRROR = "http://deb.debian.org/debian"


class Suite:
    """One Debian suite with its own sources, lists, cache and (empty) status file under `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder.resolve()

    def _write(self) -> None:
        for part in ("lists/partial", "cache/archives/partial", "empty"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {self.name} main\n")
        here = self.folder
        # Read with -c, so after the host's apt.conf.d: a site's proxy stays in force, its hooks do not.
        (self.folder / "apt.conf").write_text(
            "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n#clear DPkg::Post-Invoke;\n"
            f'Dir::Etc::sourcelist "{here}/sources.list";\nDir::Etc::sourceparts "{here}/empty";\n'
            f'Dir::Etc::preferences "{here}/none";\nDir::Etc::preferencesparts "{here}/empty";\n'
            f'Dir::State::lists "{here}/lists";\nDir::State::status "{here}/status";\n'
            f'Dir::State::extended_states "{here}/extended_states";\n'
            f'Dir::Cache "{here}/cache";\nDir::Log "{here}";\nAPT::Sandbox::User "root";\n'
            f'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAcquire::Retries "{RETRIES}";\n'
            'Acquire::http::Timeout "20";\nAPT::Get::Assume-Yes "true";\nDebug::NoLocking "true";\n'
        )

    def _apt(self, *words: str) -> str:
        env = {**os.environ, "LC_ALL": "C"}
        return run(["apt-get", "-q", "-c", str(self.folder / "apt.conf"), *words], seconds=300, env=env).decode()

    def download(self, package: str) -> list[Path]:
        """Fetch `package` and all that it depends on; the .deb files, sorted. LabError when there is no network."""
        self._write()
        try:
            # apt exits 0 with only a warning when the lists could not be fetched: ask for an error.
            tried(lambda: self._apt("update", "-o=APT::Update::Error-Mode=any"), times=4, pause=3)
            tried(lambda: self._apt("--download-only", "install", package), times=4, pause=3)
        except LabError as failure:
            raise LabError(
                f"Debian's suite {self.name} could not be downloaded from {MIRROR} after 4 tries; "
                f"the lab needs the network once, for about 30 MB. apt said: {str(failure)[-200:]}"
            ) from failure
        return sorted((self.folder / "cache/archives").glob("*.deb"))
