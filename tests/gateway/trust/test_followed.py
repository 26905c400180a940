"""What the right people said is followed by a real gateway, over the controller's own SSH adapter. Nobody is cut."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import GiveUp
from fleet.gateways.kept import Keeper
from fleet.gateways.ssh import SshGateway
from fleet.ocgate import VERSION, authorize
from fleet.ports import Program, Statement
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.reach import reached
from tests.gateway.trust.host import Json, hashed, statement
from tests.gateway.trust.people import Approver, Keys


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Gateway:
    return lab.gateways[0]


@pytest.fixture(scope="module")
def gateway(lab: Lab, machine: Gateway) -> Iterator[SshGateway]:
    keeper = Keeper()
    yield reached(machine, keeper, lab.controller_key)
    keeper.close_all()


def signed(lab: Lab, folder: Path, text: str) -> Statement:
    """By the lab's signer of releases."""
    path = folder / "statement.json"
    path.write_text(text)
    lab.builder.signer.sign(path)
    return Statement(text, (("statement.asc", Path(f"{path}.asc").read_text()),))


def approved(lab: Lab, text: str) -> Statement:
    row = lab.builder.signer.approve(text)
    return Statement(text, ((row["name"], row["text"]),))


def test_the_inventory_of_a_real_gateway(lab: Lab, gateway: SshGateway, machine: Gateway) -> None:
    found, facts = gateway.inventory(), gateway.facts()
    first = next(name for name in sorted(lab.releases) if name.startswith("1.1.6"))
    assert [(held.release, len(held.tree), held.digest) for held in found.releases] == [
        (first, 64, facts.releases[first])
    ]
    assert found.counter == facts.raw["counter"] == found.releases[0].counter > 0
    exe = f"/var/lib/ocgate/releases/{first}/sbin/ocserv"
    assert [(slot.slot, slot.exe, slot.exe_deleted) for slot in found.slots] == [(1, exe, False)]
    assert found.trust.signers == (lab.builder.signer.fingerprint,)
    assert len(found.trust.approvers) == found.trust.threshold == 1
    sums = machine.run(["sha256sum", "/usr/lib/ocgate/ocgate", "/var/lib/ocgate/home/.ssh/authorized_keys"])
    assert [line[:64] for line in sums.splitlines()] == [found.ocgate_sha256, found.authorized_keys_sha256]
    assert (found.conf.diff, found.conf.sha256) == ("", found.conf.agreed_sha256)


def test_drift_that_was_made_on_the_host_shows(gateway: SshGateway, machine: Gateway) -> None:
    before = gateway.inventory()
    program = before.slots[0].exe
    swap = f"cp -p {program} {program}.was && cp -p {program} {program}.new && printf x >>{program}.new"
    machine.run(["sh", "-c", f"{swap} && mv {program}.new {program}"])
    found = gateway.inventory()
    machine.run(["sh", "-c", f"mv {program}.was {program}"])
    assert found.slots[0].exe_deleted
    assert found.releases[0].tree != before.releases[0].tree
    assert gateway.inventory().releases[0].tree == before.releases[0].tree


def test_new_pins_are_taken_and_an_older_statement_never_again(
    lab: Lab, gateway: SshGateway, machine: Gateway, tmp_path: Path
) -> None:
    keys = Keys(tmp_path / "gnupg")
    keys.make("anna")
    armoured = [(lab.builder.signer.folder / "release-key.asc").read_text(), keys.armoured("anna")]
    keys.stop()
    approver = " ".join(lab.builder.signer.approver_key.with_suffix(".pub").read_text().split()[:2])
    approvers = {"needed": 1, "keys": [{"name": "approver", "key": approver}]}
    pins: Json = {"threshold": 1, "group": "", "openpgp": armoured, "cas": [], "approvers": approvers}
    said = [signed(lab, tmp_path, statement("trust", serial=serial, **pins)) for serial in (4, 5)]
    taken = [gateway.trust(one.text, one.signatures, fence=1) for one in (said[1], said[1])]
    assert [(one.serial, one.already) for one in taken] == [(5, False), (5, True)]
    with pytest.raises(GiveUp, match="trust serial 5") as no:
        gateway.trust(said[0].text, said[0].signatures, fence=1)
    found = gateway.inventory().trust
    assert (no.value.code, len(found.signers), found.sha256) == ("trust_old", 2, taken[0].sha256)
    assert machine.run(["sh", "-c", "ls -d /etc/ocgate/trust*"]).split() == ["/etc/ocgate/trust"]


def test_ocgate_replaces_itself_and_keeps_on(lab: Lab, gateway: SshGateway, machine: Gateway, tmp_path: Path) -> None:
    users = {session["id"] for session in machine.sessions()}
    new = tmp_path / "ocgate"
    new.write_bytes((lab.place.folder / "ocgate").read_bytes())
    with zipfile.ZipFile(new, "a") as archive:
        archive.writestr("NOTE", "a build that differs")
    program = Program(new, new.stat().st_size, hashed(new.read_bytes()))
    said = signed(lab, tmp_path, statement("self", sha256=program.sha256, version=VERSION, serial=2))
    upgraded = [gateway.upgrade_self(program, statement=said, fence=2) for _ in range(2)]
    assert [(one.version, one.already) for one in upgraded] == [(VERSION, False), (VERSION, True)]
    assert gateway.facts().raw["ocgate_sha256"] == program.sha256
    wait_until(lambda: bool(gateway.facts().raw["keep"]["running"]), seconds=20, what="ocgate keep")
    assert {session["id"] for session in machine.sessions()} == users
    assert len(users) == 1


def test_the_controllers_key_is_changed_for_another(
    lab: Lab, gateway: SshGateway, machine: Gateway, tmp_path: Path
) -> None:
    old, new = lab.controller_key.with_suffix(".pub").read_text().strip(), Approver(tmp_path, "controller")
    for keys in ([old, new.public], [old]):
        said = approved(lab, statement("authorize", sha256=authorize.sha256_of(keys)))
        assert not gateway.authorize(keys, statement=said, fence=3).already
        assert signs_in(machine, tmp_path / "controller") == (new.public in keys)
    lines = machine.run(["cat", "/var/lib/ocgate/home/.ssh/authorized_keys"])
    assert hashed(lines.encode()) == gateway.inventory().authorized_keys_sha256


def signs_in(machine: Gateway, key: Path) -> bool:
    """Does the gateway answer to this key?"""
    keeper = Keeper()
    try:
        return reached(machine, keeper, key).facts().hostname == machine.name
    except GiveUp:
        return False
    finally:
        keeper.close_all()
