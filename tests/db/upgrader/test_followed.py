"""What was changed from here is agreed: after a rotation, a statement or a rollout the next look finds nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from approvals import changes
from fleet import errands, rotation, sealed, sshca
from fleet.models import Gateway, KeyRotation
from fleet.ocgate.statement import canonical
from releases.models import TrustedSigner, TrustStatement
from tests.db.fleet.test_rotation import everywhere, tmp_key
from tests.db.upgrader.test_config import SOFT, same_release
from tests.db.upgrader.test_drift import holdings, look, opened
from tests.db.upgrader.test_remedies import adopt, put_back
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader.models import Rollout

NAMES = ("gw-1", "gw-2", "gw-3")


def looked(fleet: Fleet) -> dict[str, set[str]]:
    """Look at each gateway; the parts that are said to have drifted."""
    for name in NAMES:
        look(fleet, name)
    return {name: set(opened(name)) for name in NAMES if opened(name)}


def run_errands(fleet: Fleet) -> list[str]:
    """Do all that is due; how each ended."""
    ended = [errands.run(pk, owner="worker", opener=fleet.opener, clock=fleet.now) for pk in errands.due(fleet.now())]
    return [f"{errand.state}: {errand.say}" if errand.state != "done" else "done" for errand in ended if errand]


def begun(fleet: Fleet, kind: str) -> KeyRotation:
    sealed.seal("ssh-key", sshca.make())
    everywhere(fleet.ola, "fleet.enrol_gateway")
    everywhere(fleet.cal, "fleet.approve_gateway")
    asked = rotation.propose(kind, by=fleet.ola, actor=fleet.who(fleet.ola), now=fleet.now())
    yes: Any = {"yes": True, "reason": "", "digest": asked.digest}
    changes.decide(asked, by=fleet.cal, actor=fleet.who(fleet.cal), now=fleet.now(), **yes)
    return KeyRotation.objects.get()


@pytest.mark.parametrize("kind", ["ssh-key", "ssh-ca"])
def test_a_rotation(fleet: Fleet, tmp_path: Path, kind: str) -> None:
    for gateway in fleet.machines.values():
        gateway.machine.holdings.pins.approvers.append("cal")
    assert looked(fleet) == {}
    row, key = begun(fleet, kind), tmp_key(tmp_path / "cal", fleet.cal)
    who: Any = {"actor": fleet.who(fleet.ola), "now": fleet.now()}
    for stage in ("both", "only"):
        words = ["ssh-keygen", "-Y", "sign", "-q", "-n", "handover", "-f", str(key)]
        text = getattr(row, stage)["text"]
        rotation.sign(
            row, stage, subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout, **who
        )
    assert (run_errands(fleet), looked(fleet)) == (["done"] * 3, {})
    rotation.switch(row, **who)
    assert looked(fleet) == {}
    assert (run_errands(fleet), looked(fleet)) == (["done"] * 3, {})
    holdings(fleet).authorized_keys.append("ssh-ed25519 CCCC somebody")
    assert looked(fleet) == {"gw-1": {"keys"}}


def told(fleet: Fleet, serial: int) -> TrustStatement:
    """A statement that its signers have signed, on its way to all."""
    fields = {"format": 1, "kind": "trust", "serial": serial, "gateway": "*", "threshold": 1, "group": ""}
    dates = {"made": "2026-11-23T02:00:00Z", "expires": "2027-01-01T00:00:00Z"}
    pins = {"openpgp": [f"key {serial}"], "cas": [], "approvers": {"needed": 1, "keys": []}}
    text = canonical({**fields, **dates, **pins})
    about = {"text": text, "old": {}, "state": "sent", "drawn_at": fleet.now(), "expires_at": fleet.later(9e6)}
    signed = [{"name": "li.asc", "text": "signed", "identity": "li"}]
    row = TrustStatement.objects.create(serial=serial, signatures=signed, **about)
    gateways, args = Gateway.objects.all(), {"statement": row.pk}
    errands.send(gateways, "trust", subject=f"trust:{serial}", args=args, now=fleet.now())
    return row


def test_a_trust_statement(fleet: Fleet) -> None:
    assert looked(fleet) == {}
    told(fleet, 1)
    assert looked(fleet) == {}
    assert (run_errands(fleet), looked(fleet)) == (["done"] * 3, {})
    holdings(fleet).pins.threshold = 2
    assert looked(fleet) == {"gw-1": {"trust"}}


def test_a_trust_statement_whose_worker_ended_after_the_gateway_had_it(fleet: Fleet) -> None:
    looked(fleet)
    row = told(fleet, 1)
    fleet.machines["gw-1"].trust(row.text, (("li.asc", "signed"),), fence=1)
    looked(fleet)
    assert (run_errands(fleet), looked(fleet)) == (["done"] * 3, {})


def test_one_that_took_only_the_first_of_two_statements(fleet: Fleet) -> None:
    looked(fleet)
    told(fleet, 1)
    last = told(fleet, 2)
    TrustStatement.objects.filter(pk=last.pk).update(signatures=[])
    errand = Gateway.objects.get(name="gw-1").errands.get(subject="trust:2")
    ended = errands.run(errand.pk, owner="worker", opener=fleet.opener, clock=fleet.now)
    assert ended
    assert (ended.state, holdings(fleet).pins.serial) == ("failed", 1)
    Gateway.objects.get(name="gw-1").errands.filter(state="due").update(state="dropped")
    assert looked(fleet) == {}


def test_a_newer_list_of_revoked_certificates(fleet: Fleet) -> None:
    for gateway in fleet.machines.values():
        gateway.machine.holdings.pins.cas.append({"subject": "Code CA", "sha256": "A" * 64, "crl_next_update": ""})
    assert looked(fleet) == {}
    crl = "-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n"
    ca = TrustedSigner.objects.create(label="Code CA", kind="ca", fingerprint="A" * 64, crl=crl, added_at=fleet.now())
    args = {"signer": ca.pk}
    errands.send(Gateway.objects.all(), "crl", subject=f"crl:{ca.pk}", args=args, now=fleet.now())
    assert (run_errands(fleet), looked(fleet)) == (["done"] * 3, {})


def through(fleet: Fleet, rollout: Rollout) -> None:
    """Bring the rollout to its end; no look on the way finds anything."""
    fleet.until(rollout, "waiting_promotion", seconds=400)
    assert looked(fleet) == {}
    fleet.act("promote", rollout)
    fleet.until(rollout, "draining", "done", seconds=400)
    assert looked(fleet) == {}


def test_a_release_and_back(fleet: Fleet) -> None:
    assert looked(fleet) == {}
    rollout = fleet.started()
    through(fleet, rollout)
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=400)
    fleet.sign_out_all()
    fleet.turn(5)
    assert looked(fleet) == {}


@pytest.mark.parametrize("way", ["restart", "reload"])
def test_a_configuration_and_back(fleet: Fleet, way: str) -> None:
    if way == "reload":
        same_release(fleet)
    assert looked(fleet) == {}
    rollout = fleet.started(fleet.agreed(SOFT))
    assert rollout.plan["config"]["way"] == way
    through(fleet, rollout)
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=400)
    assert looked(fleet) == {}


def test_a_release_that_left_its_slot(fleet: Fleet) -> None:
    looked(fleet)
    rollout = fleet.started()
    through(fleet, rollout)
    fleet.sign_out_all()
    fleet.until(rollout, "done", seconds=400)
    assert looked(fleet) == {}
    held = {held.release for held in fleet.machines["gw-1"].inventory().releases}
    assert held == {OLD, NEW}


def test_a_file_that_was_adopted_and_then_another_configuration(fleet: Fleet) -> None:
    looked(fleet)
    holdings(fleet).conf += "max-clients = 9999\n"
    look(fleet)
    adopt(fleet, "conf")
    assert (run_errands(fleet), looked(fleet)) == (["done"], {})


def test_putting_a_file_back_agrees_to_nothing(fleet: Fleet) -> None:
    looked(fleet)
    there = holdings(fleet)
    there.agreed += "max-clients = 9999\n"
    there.conf = "nothing\n"
    look(fleet)
    assert set(opened()) == {"conf", "agreed"}
    put_back(fleet, "conf")
    assert looked(fleet) == {"gw-1": {"agreed"}}


def test_files_that_were_adopted_and_then_put_back(fleet: Fleet) -> None:
    through(fleet, fleet.started())
    holdings(fleet).trees[NEW] = "f" * 64
    look(fleet)
    adopt(fleet, "release")
    assert looked(fleet) == {}
    holdings(fleet).trees[NEW] = "e" * 64
    look(fleet)
    assert put_back(fleet, "release").state == "done"
    assert looked(fleet) == {}
