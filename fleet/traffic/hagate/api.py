"""HAProxy's runtime API behind its socket. Standard library only."""

from __future__ import annotations

import socket
from typing import Any

from .words import Later, Refused

ANSWER_MOST = 8 * 1024 * 1024  # bytes: a stick table may be long
SHOWN_MOST = 400 * 1024  # bytes: two of them must fit into one answer of 1 MiB
SOCKET_SECONDS = 5.0
UWEIGHT, ADMIN_STATE, BE_NAME, SRV_ID, SRV_NAME = "srv_uweight", "srv_admin_state", "be_name", "srv_id", "srv_name"


class Api:
    """One HAProxy. What stands in a command was checked before: names, numbers, our own words."""

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, command: str) -> str:
        """One command of the runtime API, answered. Later when nobody answers at the socket."""
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX) as api:
                api.settimeout(SOCKET_SECONDS)
                api.connect(self._path)
                api.sendall(command.encode() + b"\n")
                while chunk := api.recv(65536):
                    answer += chunk
                    if len(answer) > ANSWER_MOST:
                        raise Refused("too_much", f"HAProxy's answer to “{command}” is too long.")
        except OSError as silent:
            raise Later("haproxy_silent", f"HAProxy does not answer at its socket: {silent.strerror or silent}.")
        if not command.startswith("show table") and len(answer) > SHOWN_MOST:
            raise Refused("too_much", f"HAProxy's answer to “{command}” is too long.")
        return answer.decode("utf-8", "replace")

    def rows(self, backend: str = "") -> list[dict[str, str]]:
        """`show servers state`, of one backend or of all; columns in their order."""
        header, *lines = self._states(backend)
        return [dict(zip(header.split(), line.split(" "))) for line in lines if line]

    def header(self) -> list[str]:
        return self._states("")[0].split()

    def _states(self, backend: str) -> list[str]:
        lines = self.ask(f"show servers state {backend}".strip()).splitlines()
        if len(lines) < 2 or lines[0] != "1" or not lines[1].startswith("# "):
            raise Refused("haproxy_no", (lines or ["HAProxy said nothing."])[0][:200])
        return [lines[1][2:], *lines[2:]]

    def apply(self, backend: str, changes: list[list[Any]]) -> None:
        """Open before closing: while no server takes new users, HAProxy turns them away."""
        for server, admin, weight in sorted(changes, key=lambda change: (change[1] in ("drain", "maint"), -change[2])):
            if weight >= 0:
                self.told(f"set server {backend}/{server} weight {weight}")
            if admin:
                self.told(f"set server {backend}/{server} state {admin}")

    def told(self, command: str) -> None:
        if said := self.ask(command).strip():
            raise Refused("haproxy_no", f"HAProxy does not take “{command}”: {said[:200]}")
