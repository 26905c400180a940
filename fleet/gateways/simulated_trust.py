"""The in-memory gateway's inventory, pinned keys, program and authorized keys. No Django.

Statements are read as the real gateway reads them; whether their signatures hold is a question for gpgv, openssl and
ssh-keygen there (tests/gateway/trust), so here every signature with a text counts for the one whose name it bears.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fleet.errors import GiveUp
from fleet.gateways import answers_trust
from fleet.gateways.holdings import CONF_PATH, Pins, sha256_of
from fleet.gateways.machine import Machine
from fleet.gateways.simulated_base import Simulated
from fleet.inventory import Inventory
from fleet.ocgate import mask
from fleet.ocgate import statement as statements
from fleet.ocgate.errors import Answered
from fleet.ports import Authorized, Program, ReleaseFiles, Signatures, Statement, Trusted, Upgraded


def raw_inventory(machine: Machine, now: float) -> dict[str, Any]:
    """The answer of `inventory`, as the JSON of docs/ocgate-protocol.md."""
    holdings, pins = machine.holdings, machine.holdings.pins
    was, is_now = mask.pair(holdings.agreed, holdings.conf)
    diff = difflib.unified_diff(was.splitlines(True), is_now.splitlines(True), "agreed", "on the host")
    return {
        "at": now + machine.faults.clock_offset,
        "ocgate": {"version": holdings.ocgate_version, "sha256": holdings.ocgate_sha256},
        "trust": {
            "serial": pins.serial,
            "sha256": pins.sha256,
            "threshold": pins.threshold,
            "signers": list(pins.signers),
            "cas": [dict(ca) for ca in pins.cas],
            "approvers": list(pins.approvers),
        },
        "conf": {
            "path": CONF_PATH,
            "sha256": sha256_of(holdings.conf),
            "agreed_sha256": sha256_of(holdings.agreed),
            "diff": "".join(diff),
        },
        "releases": [_release(machine, name, digest) for name, (digest, _) in sorted(machine.releases.items())],
        "slots": [
            {
                "slot": slot.number,
                "release": slot.release,
                "version": slot.version,
                "exe": f"/var/lib/ocgate/releases/{slot.release}/sbin/ocserv",
                "exe_deleted": slot.number in holdings.exe_deleted,
            }
            for slot in machine.slots.values()
            if slot.running
        ],
        "authorized_keys_sha256": holdings.authorized_keys_sha256,
        "counter": holdings.counter,
        "logins": list(holdings.logins),
    }


def tree_of(machine: Machine, release: str, digest: str) -> str:
    """What lies in the release's folder: what was staged, unless a test put something else there."""
    return machine.holdings.trees.get(release) or sha256_of(f"tree of {digest}")


class TrustVerbs(Simulated):
    """The verbs of fleet/ocgate/{inventory,repin,authorize,selfupgrade}.py."""

    def inventory(self) -> Inventory:
        with self._asked() as now:
            return answers_trust.inventory(raw_inventory(self.machine, now))

    def trust(self, statement: str, signatures: Signatures, *, fence: int) -> Trusted:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            fields = self._read(statement, kind="trust", now=now)
            holdings = self.machine.holdings
            wanted = pins_of(fields, gateway=self.machine.name)
            if wanted == holdings.pins:
                return self._trusted(already=True)
            self._signed_by(signatures, holdings.pins.threshold, who="trusted signers", code="signature_bad")
            if fields["serial"] <= holdings.pins.serial:
                say = f"{self.machine.name} has trust serial {holdings.pins.serial}; {fields['serial']} is not newer."
                raise GiveUp(say, code="trust_old")
            with self._changed("trust"):
                holdings.pins = wanted
            return self._trusted(already=False)

    def crl(self, crl: str, *, fence: int) -> Trusted:
        with self._asked(changes=True):
            self.machine.admit(fence)
            pins = self.machine.holdings.pins
            if "-----BEGIN X509 CRL-----" not in crl or not pins.cas:
                raise GiveUp(
                    f"No CA that is pinned on {self.machine.name} signed this revocation list.", code="crl_bad"
                )
            already = all(ca.get("crl_sha256") == sha256_of(crl) for ca in pins.cas)
            if not already:
                with self._changed("crl"):
                    for ca in pins.cas:
                        ca["crl_sha256"] = sha256_of(crl)
            return self._trusted(already=already)

    def upgrade_self(self, program: Program, *, statement: Statement, fence: int) -> Upgraded:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            fields = self._read(statement.text, kind="self", now=now)
            holdings = self.machine.holdings
            self._signed_by(statement.signatures, holdings.pins.threshold, who="trusted signers", code="signature_bad")
            if {fields["sha256"], hashlib.sha256(program.path.read_bytes()).hexdigest()} != {program.sha256}:
                raise GiveUp("The program is not the one that the statement names.", code="bundle_hash")
            if already := holdings.ocgate_sha256 == program.sha256:
                return Upgraded(holdings.ocgate_version, program.sha256, already)
            if fields["serial"] <= holdings.self_serial:
                had = f"{self.machine.name} has had ocgate of serial {holdings.self_serial}"
                say = f"{had}; {fields['serial']} is not newer."
                raise GiveUp(say, code="downgrade")
            with self._changed("upgrade_self"):
                holdings.ocgate_sha256, holdings.ocgate_version = program.sha256, str(fields["version"])
                holdings.self_serial = int(fields["serial"])
            return Upgraded(holdings.ocgate_version, program.sha256, already)

    def authorize(self, keys: Sequence[str], *, statement: Statement, fence: int) -> Authorized:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            fields = self._read(statement.text, kind="authorize", now=now)
            holdings = self.machine.holdings
            self._approved(statement.signatures)
            if fields["sha256"] != sha256_of("".join(key + "\n" for key in keys)):
                raise GiveUp("The keys are not those that the statement names.", code="statement_bad")
            already = holdings.authorized_keys == list(keys)
            if not already:
                with self._changed("authorize"):
                    holdings.authorized_keys = list(keys)
            return Authorized(holdings.authorized_keys_sha256, already)

    def _may_go_down(self, files: ReleaseFiles) -> None:
        """Take the downgrade statements that came with a release, then refuse one that is lower than it may be."""
        holdings = self.machine.holdings
        for said in files.statements:
            if self._read(said.text, kind="downgrade", now=self.world.clock()).get("digest") == files.digest:
                self._approved(said.signatures)
                holdings.allowed.append(files.digest)
        holdings.counters.setdefault(files.release, int(json.loads(files.manifest).get("counter", 0)))
        self._may_run(files.release, files.digest)

    def _may_run(self, release: str, digest: str) -> None:
        if lower := self._lower(release, digest):
            raise GiveUp(lower, code="downgrade")

    def _lower(self, release: str, digest: str) -> str:
        """Why the release would be a downgrade that nobody approved, "" when it is none."""
        holdings = self.machine.holdings
        counter = holdings.counters.get(release, 0)
        if counter >= holdings.counter or release in holdings.ran or digest in holdings.allowed:
            return ""
        say = f"{release} has counter {counter}, and {self.machine.name} has run {holdings.counter}."
        return f"{say} Have the downgrade approved."

    def _hold_release(self, files: ReleaseFiles) -> None:
        self.machine.holdings.trees.pop(files.release, None)
        if files.tree:
            self.machine.holdings.trees[files.release] = files.tree

    def _remember_counter(self, release: str) -> None:
        holdings = self.machine.holdings
        holdings.counter = max(holdings.counter, holdings.counters.get(release, 0))

    def _approved(self, signatures: Signatures) -> None:
        pins = self.machine.holdings.pins
        if not pins.approvers:
            raise GiveUp(f"No approvers are pinned on {self.machine.name}.", code="approval_missing")
        self._signed_by(signatures, pins.needed, who="approvers", code="approval_missing")

    def _signed_by(self, signatures: Signatures, needed: int, *, who: str, code: str) -> None:
        if any(not text.strip() for _, text in signatures):
            raise GiveUp("A signature is empty.", code="signature_bad")
        if (count := len({name for name, _ in signatures})) < needed:
            raise GiveUp(f"The statement is signed by {count} of {needed} {who}.", code=code)

    def _read(self, text: str, *, kind: str, now: float) -> dict[str, Any]:
        try:
            return statements.parse(text, kind=kind, gateway=self.machine.name, now=self._their(now))
        except Answered as no:
            raise GiveUp(f"{self.machine.name}: {no.say}", code=no.code) from no

    def _trusted(self, *, already: bool) -> Trusted:
        pins = self.machine.holdings.pins
        return Trusted(pins.serial, pins.sha256, already)


def pins_of(fields: dict[str, Any], *, gateway: str) -> Pins:
    """What a trust statement pins. A key is known here by a hash of its text: nothing in memory reads OpenPGP."""
    approvers = fields["approvers"]
    return Pins(
        serial=int(fields["serial"]),
        threshold=int(fields["threshold"]),
        signers=sorted(sha256_of(json.dumps(key))[:40].upper() for key in fields["openpgp"]),
        cas=[{"subject": "", "sha256": sha256_of(ca["pem"]).upper(), "crl_next_update": ""} for ca in fields["cas"]],
        approvers=sorted(f"SHA256:{sha256_of(row['key'])[:43]}" for row in approvers["keys"]),
        needed=int(approvers["needed"]),
    )


def _release(machine: Machine, name: str, digest: str) -> dict[str, Any]:
    counter = machine.holdings.counters.get(name, 0)
    return {"release": name, "digest": digest, "tree": tree_of(machine, name, digest), "counter": counter}
