"""A whole small lab: users, traffic, outages, newcomers, and a bad release that shows under traffic."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.commands import LabError, wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.state import Place

pytestmark = pytest.mark.gateway


def rows(lab: Lab) -> dict[str, dict[str, Any]]:
    return {row["user"]: row for row in lab.clients.report()}


def test_every_user_is_connected_and_nothing_is_lost(lab: Lab) -> None:
    wait_until(lambda: all(row["sent"] > 40 for row in lab.clients.report()), seconds=10, what="Traffic")
    assert [(row["connected"], row["lost"]) for row in lab.clients.report()] == [(True, 0)] * 4


def test_occtl_and_the_lab_agree_on_who_is_where(lab: Lab) -> None:
    for gateway in lab.gateways:
        seen = {(one["user"], one["remote"], one["slot"]) for one in lab.occtl_sessions(gateway)}
        mine = [client for client in lab.clients.all if client.gateway == gateway.name]
        assert seen == {(client.user, client.vpn.corner.address, 1) for client in mine}


def test_the_controllers_key_reaches_ocgate_and_nothing_else(lab: Lab, tmp_path: Path) -> None:
    gateway = lab.gateways[0]
    pinned = tmp_path / "known_hosts"
    pinned.write_text("".join(f"{gateway.address} {key}\n" for key in gateway.host_keys))
    options = ["-i", str(lab.controller_key), "-o", f"UserKnownHostsFile={pinned}", "-o", "BatchMode=yes"]
    argv = ["ssh", *options, f"{gateway.user}@{gateway.address}"]
    asked = '{"v":2,"id":"1","verb":"facts","args":{}}\n'
    done = subprocess.run(argv, input=asked, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["result"]["committed"]["release"].startswith("1.1.6")
    shell = subprocess.run([*argv, "id"], input="", capture_output=True, text=True, check=False)
    assert "uid=" not in shell.stdout


def test_a_cut_connection_comes_back_with_the_same_session(lab: Lab) -> None:
    client = lab.clients.all[0]
    before = {one["user"]: one["id"] for one in lab.gateways[0].sessions()}
    client.cut()
    wait_until(lambda: rows(lab)[client.user]["reconnects"] >= 1, seconds=15, what="The reconnect")
    assert {one["user"]: one["id"] for one in lab.gateways[0].sessions()} == before


def test_a_user_who_roams_goes_on_from_the_new_address(lab: Lab) -> None:
    client = lab.clients.all[1]
    old, known = client.vpn.corner.address, rows(lab)[client.user]["reconnects"]
    client.roam()
    wait_until(lambda: rows(lab)[client.user]["reconnects"] > known, seconds=15, what="The reconnect")
    seen = {one["user"]: one["remote"] for one in lab.gateways[1].sessions()}
    assert seen[client.user] == client.vpn.corner.address != old


def test_newcomers_are_counted_and_use_many_addresses(lab: Lab) -> None:
    tried = lab.churn.report()["tried"]
    lab.churn.start(3.0)
    remotes: set[str] = set()

    def enough() -> bool:
        remotes.update(one["remote"] for one in lab.gateways[0].sessions() if one["user"].startswith("guest"))
        return lab.churn.report()["tried"] >= tried + 10 and len(remotes) >= 4

    wait_until(enough, seconds=30, what="Ten sign-ins", every=0.3)
    lab.churn.stop()
    assert lab.churn.report()["failed"] == 0


def test_the_bad_release_passes_its_first_logins_and_fails_under_traffic(
    lab: Lab, ask: Callable[..., dict[str, Any]], stage: Callable[[Gateway, Path], dict[str, Any]]
) -> None:
    gateway, release = lab.gateways[1], next(name for name in lab.releases if name.endswith("+bad"))
    assert stage(gateway, lab.releases[release])["ok"]
    assert ask(gateway, "check", {"release": release, "slot": 2})["result"]["ok"]
    assert ask(gateway, "start", {"release": release, "slot": 2})["ok"]
    login = {"slot": 2, "user": gateway.probe.user, "password": gateway.probe.password}
    assert ask(gateway, "probe", login)["result"]["ok"]
    assert ask(gateway, "shift", {"weights": {"2": 100}, "seconds": 120})["ok"]
    before = {row["user"]: row["connected"] for row in lab.clients.report()}
    lab.churn.start(3.0, gateways=[gateway.name])
    failed = lab.churn.report()["failed"]
    wait_until(lambda: lab.churn.report()["failed"] > failed + 3, seconds=40, what="A failing login", every=0.3)
    lab.churn.stop()
    assert {row["user"]: row["connected"] for row in lab.clients.report()} == before
    assert ask(gateway, "restore", {"to": "committed"})["ok"]


def test_the_dying_release_starts_and_is_gone_soon_after(
    lab: Lab, ask: Callable[..., dict[str, Any]], stage: Callable[[Gateway, Path], dict[str, Any]]
) -> None:
    gateway, folder = lab.gateways[0], lab.bad_release("dies")
    assert stage(gateway, folder)["ok"]
    assert ask(gateway, "start", {"release": folder.name, "slot": 3})["ok"]
    wait_until(
        lambda: ask(gateway, "facts", {})["result"]["slots"][2]["restarts"] > 0, seconds=30, what="Its end", every=0.5
    )
    gateway.run(["systemctl", "stop", "ocgate-slot@3.service"])
    assert all(row["connected"] for row in lab.clients.report())


def test_down_leaves_a_lab_alone_that_a_process_uses(lab: Lab) -> None:
    assert lab.place.in_use()
    assert "takes it down when it ends" in lab.place.taken_by()
    with pytest.raises(LabError, match="A lab is already up"):
        lab.place.claim()


def test_a_lab_whose_process_is_killed_is_taken_down(tmp_path: Path) -> None:
    source = (
        "import os\nfrom lab.fleet import Lab\nlab = Lab(gateways=1, users=1, say=lambda line: None)\n"
        "lab.up()\nprint(lab.place.number, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    place = Place(int(done.stdout))
    wait_until(lambda: not place.folder.exists(), seconds=15, what="The clean-up")
    left = [path.name for path in Path("/run/netns").iterdir() if path.name.startswith(place.prefix)]
    links = [path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(place.prefix)]
    assert (left, links) == ([], [])
    assert str(place.folder) not in Path("/proc/mounts").read_text()


def test_two_labs_stand_side_by_side(lab: Lab) -> None:
    with Lab(gateways=1, users=1, say=lambda line: None) as other:
        assert other.place.number != lab.place.number
        assert other.gateways[0].address != lab.gateways[0].address
        assert all(row["connected"] for row in other.clients.report())
    assert all(row["connected"] for row in lab.clients.report())
