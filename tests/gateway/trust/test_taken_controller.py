"""Somebody has taken the controller: its SSH key, its database, its repository of signed releases. He speaks raw lines
over the real sshd, sudo and ocgate of a gateway with a user on it. What he has none of: a signer's or approver's key.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.ocgate import authorize
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.trust.company import CODE, Company, sign
from tests.gateway.trust.host import Json, hashed, statement
from tests.gateway.trust.people import Approver, Keys

LOW, MIDDLE, HIGH = "1.1.6-3", "1.3.0-2", "1.5.0-1"
SECRETS = ("correct-horse-battery", "radius-shared-9x7", "hunter2-proxy")
CONF = (
    'camouflage = true\ncamouflage_secret = "correct-horse-battery"\nproxy-url = http://vpn:hunter2-proxy@192.0.2.7/\n'
    'auth = "radius[config=/etc/radcli.conf,groupconfig=true]"\n'
)
WATCHED = "/etc/ocgate/trust/policy.json /etc/ocgate/trust/openpgp.gpg /usr/lib/ocgate/ocgate /etc/ocserv/ocserv.conf"


@dataclass(frozen=True)
class Taken:
    """The controller in his hands, and keys that he made himself."""

    lab: Lab
    gateway: Gateway
    keys: Keys
    company: Company
    himself: Approver
    fences: Iterator[int]

    def raw(self, verb: str, args: Json, *, data: bytes = b"", command: str = "") -> list[Json]:
        """What the gateway answers, line by line."""
        request: Json = {"v": 2, "id": "1", "verb": verb, "args": args}
        if verb not in READ:
            request["fence"] = next(self.fences)
        quiet = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        where = ["-i", str(self.lab.controller_key), "-p", str(self.gateway.port)]
        argv = ["ssh", *quiet, *where, f"{self.gateway.user}@{self.gateway.address}", *([command] if command else [])]
        line = json.dumps(request).encode() + b"\n"
        done = subprocess.run(argv, input=line + data, capture_output=True, timeout=120, check=False)
        return [json.loads(said) for said in done.stdout.splitlines()]

    def ask(self, verb: str, *, data: bytes = b"", **args: Any) -> Json:
        return next(line for line in self.raw(verb, args, data=data) if "ok" in line)

    def code(self, verb: str, *, data: bytes = b"", **args: Any) -> str:
        """Of the refusal."""
        answer = self.ask(verb, data=data, **args)
        assert not answer["ok"], answer
        return str(answer["error"]["code"])

    def stage(self, name: str, **changed: Any) -> Json:
        """A release out of the repository, with what he changed of the request."""
        folder = self.lab.releases[self.full(name)]
        bundle = changed.pop("bundle", (folder / "bundle.tar.zst").read_bytes())
        texts = {"manifest": "manifest.json", "sums": "SHA256SUMS", "changelog": "CHANGELOG.md"}
        papers = {name: (folder / file).read_text() for name, file in texts.items()}
        signed = [{"name": "SHA256SUMS.asc", "text": (folder / "SHA256SUMS.asc").read_text()}]
        size = {"size": len(bundle), "sha256": hashed(bundle), "source": {"kind": "ssh"}}
        args = {"release": folder.name, **papers, "signatures": signed, **size, **changed}
        return self.ask("stage", data=bundle, **args)

    def full(self, name: str) -> str:
        """The name of the lab's release of that version."""
        version = name.partition("-")[0]
        return next(found for found in sorted(self.lab.releases) if found.startswith(version) and "+bad" not in found)

    def state(self) -> str:
        """Hashes of everything that he must not change."""
        return self.gateway.run(["sh", "-c", f"sha256sum {WATCHED} /var/lib/ocgate/home/.ssh/authorized_keys"])


READ = frozenset({"facts", "inventory", "snapshot", "check", "probe", "drain", "sessions", "departures", "metrics"})


@pytest.fixture(scope="module")
def taken(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    folder = tmp_path_factory.mktemp("taken")
    keys = Keys(folder / "gnupg")
    keys.make("mallory")
    company, himself = Company(folder / "company"), Approver(folder, "approver")
    yield Taken(lab, lab.gateways[0], keys, company, himself, itertools.count(1000))
    keys.stop()


@pytest.fixture(autouse=True)
def _nothing_of_it_moves(taken: Taken) -> Iterator[None]:
    """Whatever he does, the pins, the program, the keys and the user's session are what they were."""
    before = taken.state(), [session["id"] for session in taken.gateway.sessions()]
    yield
    assert (taken.state(), [session["id"] for session in taken.gateway.sessions()]) == before
    assert len(before[1]) == 1


def test_he_gets_no_shell_and_no_file(taken: Taken) -> None:
    for command in ("cat /etc/ocserv/ocserv.conf", "scp -f /etc/shadow", "/usr/lib/ocgate/ocgate uninstall --cut"):
        answers = taken.raw("facts", {}, command=command)
        assert [line["error"]["code"] for line in answers] == ["bad_request"]


def test_he_gets_nothing_to_run_that_was_not_signed(taken: Taken) -> None:
    folder = taken.lab.releases[taken.full(MIDDLE)]
    evil = folder.joinpath("bundle.tar.zst").read_bytes() + b"evil"
    manifest = folder.joinpath("manifest.json").read_text()
    raw = json.loads(manifest)
    raw["bundle"] |= {"size": len(evil), "sha256": hashed(evil)}
    forged = json.dumps(raw)
    log = folder.joinpath("CHANGELOG.md").read_bytes()
    hashes = {"manifest.json": forged.encode(), "CHANGELOG.md": log, "bundle.tar.zst": evil}
    sums = "".join(f"{hashed(data)}  {name}\n" for name, data in hashes.items())
    own, other = taken.keys.sign("mallory", sums), sign(taken.company.give("mallory", CODE), sums)
    mine: Json = {"bundle": evil, "manifest": forged, "sums": sums}
    tries: list[tuple[Json, str]] = [
        ({"signatures": []}, "signature_missing"),
        ({"signatures": [{"name": "SHA256SUMS.asc", "text": ""}]}, "signature_bad"),
        ({"bundle": evil}, "bundle_hash"),
        (mine, "signature_bad"),
        ({**mine, "signatures": [own]}, "signer_unknown"),
        ({**mine, "signatures": [other]}, "signer_unknown"),
    ]
    for changed, code in tries:
        assert taken.stage(MIDDLE, **changed)["error"]["code"] == code
    assert taken.code("start", release=taken.full(MIDDLE), slot=2) == "unknown_release"


def test_he_gets_no_pins_no_program_and_no_keys_changed(taken: Taken) -> None:
    program = b"#!/usr/bin/python3\nprint('ocgate 9.9.9')\n"
    pins: Json = {"threshold": 1, "group": "", "openpgp": [taken.keys.armoured("mallory")], "cas": []}
    texts = {
        "trust": statement("trust", serial=99, approvers={"needed": 1, "keys": [taken.himself.row]}, **pins),
        "self": statement("self", serial=99, sha256=hashed(program), version="9.9.9"),
        "authorize": statement("authorize", sha256=authorize.sha256_of([taken.himself.public])),
    }
    sent: Json = {"size": len(program), "sha256": hashed(program), "source": {"kind": "ssh"}}
    for kind, signatures, code in (
        ("trust", [], "signature_missing"),
        ("trust", [taken.keys.sign("mallory", texts["trust"])], "signer_unknown"),
        ("self", [taken.keys.sign("mallory", texts["self"])], "signer_unknown"),
        ("self", [taken.himself.sign(texts["self"])], "signature_bad"),
        ("authorize", [], "approval_missing"),
        ("authorize", [taken.himself.sign(texts["authorize"])], "signature_bad"),
    ):
        said = {"statement": texts[kind], "signatures": signatures}
        asked: dict[str, Json] = {
            "trust": {"verb": "trust", **said},
            "self": {"verb": "upgrade_self", "data": program, **sent, **said},
            "authorize": {"verb": "authorize", "keys": [taken.himself.public], **said},
        }
        assert taken.code(**asked[kind]) == code, kind
    assert taken.code("crl", crl=taken.company.crl()) == "crl_bad"


def test_he_reads_no_secret_of_the_operator(taken: Taken) -> None:
    gateway = taken.gateway
    was = gateway.run(["cat", "/etc/ocserv/ocserv.conf"])
    gateway.run(["sh", "-c", "cat >/etc/radcli.conf"], stdin="authserver 192.0.2.8:1812:radius-shared-9x7\n")
    gateway.run(["sh", "-c", "cat >>/etc/ocserv/ocserv.conf"], stdin=CONF)
    quoting = "\n".join(f"ocserv[1]: something went wrong with {secret} here" for secret in SECRETS) + "\n"
    gateway.run(["sh", "-c", "cat >>/var/log/ocgate-slot-1.log"], stdin=quoting)
    try:
        said = [heard(taken, verb) for verb in ("facts", "inventory", "snapshot", "metrics", "sessions")]
        said.append(json.dumps(taken.raw("check", {"release": taken.full(LOW), "slot": 2})))
        said.append(json.dumps(taken.raw("start", {"release": taken.full(LOW), "slot": 2})))
        log = gateway.run(["cat", "/var/log/ocgate.log"])
    finally:
        gateway.run(["sh", "-c", "cat >/etc/ocserv/ocserv.conf"], stdin=was)
    key = gateway.run(["sh", "-c", "sed -n 2p /etc/ocserv/server.key"]).strip()
    for text in (*said, log):
        assert [secret for secret in (*SECRETS, key, gateway.probe.password) if secret in text] == []
    assert "+camouflage_secret = " in said[1]
    assert "something went wrong with (masked) here" in said[2]
    assert "radius[config=/etc/radcli.conf,groupconfig=true]" in said[1]


def heard(taken: Taken, verb: str) -> str:
    """An answer as text, an archive's files unpacked."""
    answer = taken.ask(verb)
    assert answer["ok"], answer
    if verb != "snapshot":
        return json.dumps(answer)
    unpack = ["sh", "-c", "base64 -d | tar -xzO"]
    packed = str(answer["result"]["archive"]).encode()
    return subprocess.run(unpack, input=packed, capture_output=True, check=True).stdout.decode("utf-8", "replace")


def test_he_gets_no_signed_release_to_run_that_is_lower(taken: Taken) -> None:
    """Last: it commits the highest one. What was on the disk before counts no more than what is brought afterwards."""
    low, middle, high = (taken.full(name) for name in (LOW, MIDDLE, HIGH))
    for name in (MIDDLE, HIGH):
        assert taken.stage(name)["ok"]
    answers = [
        taken.ask("start", release=high, slot=2),
        taken.ask("shift", weights={"2": 100}, seconds=60),
        taken.ask("commit", slot=2),
    ]
    assert [answer["ok"] for answer in answers] == [True] * 3, answers
    findings = taken.ask("check", release=middle, slot=3)["result"]["findings"]
    assert "downgrade" in [finding["code"] for finding in findings]
    assert taken.code("start", release=middle, slot=3) == "downgrade"
    taken.gateway.run(["rm", "-rf", f"/var/lib/ocgate/releases/{middle}"])
    assert taken.stage(MIDDLE)["error"]["code"] == "downgrade"
    digest = hashlib.sha256((Path(taken.lab.releases[middle]) / "manifest.json").read_bytes()).hexdigest()
    word = statement("downgrade", digest=digest, release=middle)
    own = [{"text": word, "signatures": [taken.himself.sign(word)]}]
    assert taken.stage(MIDDLE, statements=own)["error"]["code"] == "signature_bad"
    assert taken.ask("restore", to="previous")["result"]["release"] == low  # what it has run, it may run again
    approved = [{"text": word, "signatures": [taken.lab.builder.signer.approve(word)]}]
    assert taken.stage(MIDDLE, statements=approved)["ok"]
    assert taken.ask("start", release=middle, slot=3)["ok"]
