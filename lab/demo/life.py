"""What the demonstration's users do on their own: some come while a release is observed, all go home when it drains."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from lab.clients import Client
from lab.commands import LabError
from lab.demo.pages import Browser, PageError
from lab.fleet import Lab
from lab.spaces import FIRST_CLIENT, FIRST_ROAMED

EVERY = 4.0  # seconds between two arrivals, and between two that go home
CARRYING = ("observing", "committing", "draining")  # states of a gateway that gives new users the new release
WORKDAY = 20.0  # seconds of draining before the first goes home


class Life:
    """The users who come later, and the going home of all. Watches the rollouts as the auditor does."""

    def __init__(self, lab: Lab, auditor: Browser, *, later: int) -> None:
        self.tried = self.failed = 0
        self.go_home = True
        self._lab, self._auditor = lab, auditor
        self._later = lab.clients.all[-later:]
        self._since: dict[str, float] = {}  # when each user came, as far as we saw it
        self._newest = 0
        self._draining = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        for client in self._later:
            lab.clients.disconnect(client)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._ending.wait(EVERY):
            # A page that does not answer is somebody else's to report.
            with contextlib.suppress(PageError):
                self._turn(self._rollout())

    def _rollout(self) -> dict[str, Any]:
        """The newest rollout, {} before the first."""
        while self._auditor.get(f"/api/rollouts/{self._newest + 1}/").status == 200:
            self._newest += 1
        return self._auditor.data(f"/api/rollouts/{self._newest}/") if self._newest else {}

    def _turn(self, rollout: dict[str, Any]) -> None:
        state, now = rollout.get("state"), time.monotonic()
        if state != "draining":
            self._draining = 0.0
        elif not self._draining:
            self._draining = now
        elif self.go_home and now - self._draining > WORKDAY:
            self._one_goes_home()
        carrying = {row["gateway"] for row in rollout.get("upgrades", []) if row["state"] in CARRYING}
        if state == "upgrading" and carrying:
            self._one_comes(carrying)

    def _one_comes(self, gateways: set[str]) -> None:
        """Somebody signs in where the new release is: so whoever was there before is still told apart."""
        waiting = [client for client in self._later if client.gateway in gateways and not client.vpn.running]
        if waiting:
            self._sign_in(waiting[0])

    def _one_goes_home(self) -> None:
        """One who came before the drain signs out, and in again from another place."""
        for client in self._lab.clients.all:
            if client.vpn.running and self._since.get(client.name, 0.0) < self._draining:
                self._lab.clients.disconnect(client)
                self._sign_in(client)
                return

    def _sign_in(self, client: Client) -> None:
        # From an address that no gateway has learnt: whoever keeps his address keeps his slot.
        corner = client.vpn.corner
        corner.move(corner.host + (FIRST_ROAMED - FIRST_CLIENT) * (1 if corner.host < FIRST_ROAMED else -1))
        self.tried += 1
        self._since[client.name] = time.monotonic()
        try:
            self._lab.clients.connect([client], seconds=20)
        except LabError:
            self.failed += 1
            client.vpn.stop()
