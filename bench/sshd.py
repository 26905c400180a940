"""Many gateways that answer by real SSH in one process; bench/streets.py starts it, its wish as JSON on standard input.

Each has an address of 127.0.0.0/8 and a host key of its own behind one listening socket; the forced command is ocgate's
and speaks its JSON lines. It ends when standard input ends, so that nothing outlives who wanted it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Mapping
from typing import Any

import asyncssh

from bench import speak
from bench.collect_street import Measured
from fleet.gateways.crowd import Crowd
from fleet.gateways.machine import Machine
from fleet.gateways.memory import serving
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.simulated_base import World

BACKLOG = 1024
COMMANDS = (None, "ocgate serve")


class Street:
    """The gateways of this process by address, each with its host key."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        world = World()
        self.release, self.authorized = wanted["release"], asyncssh.import_authorized_keys(wanted["authorized"])
        self.gateways: dict[str, MemoryGateway] = {}
        self.keys: dict[str, asyncssh.SSHKey] = {}
        for address, name in wanted["gateways"].items():
            machine = serving(Machine(name, crowd=Crowd(name)), self.release, at=world.clock())
            self.gateways[address] = (Measured if wanted.get("full") else MemoryGateway)(machine, world=world)
            self.keys[address] = asyncssh.generate_private_key("ssh-ed25519")

    def public(self) -> dict[str, str]:
        """Address → its public host key, "ssh-ed25519 AAAA…"."""
        return {address: key.export_public_key().decode().strip() for address, key in self.keys.items()}

    async def meet(self, link: socket.socket) -> None:
        """Serve one connection as the gateway whose address was called."""
        address = link.getsockname()[0]
        gateway = self.gateways[address]
        try:
            connection = await asyncssh.run_server(
                link,
                server_host_keys=[self.keys[address]],
                authorized_client_keys=self.authorized,
                process_factory=lambda process: talk(process, gateway),
                encoding=None,
                compression_algs=None,
                line_editor=False,
                gss_host=None,
                login_timeout=60,
            )
            await connection.wait_closed()
        except (asyncssh.Error, OSError):
            link.close()  # who called has gone


async def talk(process: asyncssh.SSHServerProcess[bytes], gateway: MemoryGateway) -> None:
    """Answer line by line, as `ocgate serve` does."""
    if process.command not in COMMANDS:
        process.stdout.write(line(speak.no(None, "refused", "bad_request", "Only ocgate serve is run here.")))
        process.exit(1)
        return
    while request := await process.stdin.readline():
        asked = json.loads(request)
        if asked.get("verb") == "stage":
            size = int(asked["args"]["size"])
            process.stdout.write(line({"id": asked["id"], "progress": "send", "done": 0, "total": size}))
            await process.stdin.readexactly(size)
        process.stdout.write(line(speak.answer(gateway, asked)))
    process.exit(0)


def line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


async def serve(wanted: Mapping[str, Any]) -> None:
    street, loop = Street(wanted), asyncio.get_running_loop()
    with socket.create_server(("0.0.0.0", 0), backlog=BACKLOG) as door:  # noqa: S104 # nosec B104 - 127.x.y.z are many
        door.setblocking(False)
        print(json.dumps({"port": door.getsockname()[1], "keys": street.public()}), flush=True)
        over = loop.run_in_executor(None, sys.stdin.read)
        talks: set[asyncio.Task[None]] = set()
        while not over.done():
            calling = asyncio.ensure_future(loop.sock_accept(door))
            await asyncio.wait({calling, over}, return_when=asyncio.FIRST_COMPLETED)
            if not calling.done():
                calling.cancel()
                break
            link, peer = calling.result()
            if not peer[0].startswith("127."):
                link.close()
                continue
            task = asyncio.create_task(street.meet(link))
            talks.add(task)
            task.add_done_callback(talks.discard)


def main() -> None:
    asyncssh.set_log_level("ERROR")
    asyncio.run(serve(json.loads(sys.stdin.readline())))
