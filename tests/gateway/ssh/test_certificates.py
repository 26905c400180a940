"""Short-lived certificates of our own CA before a real sshd: one gateway, one command, minutes; all else is refused."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import paramiko
import pytest
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

from fleet import sshca
from fleet.errors import GiveUp
from fleet.gateways.session import Question, Session
from fleet.sshca import Stamp
from tests.gateway.ssh.peer import Peer
from tests.gateway.ssh.sshd import Sshd

pytestmark = pytest.mark.gateway
NAME = "fra-gw-01"
CA = sshca.make()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def trusting(sshd: Sshd, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """The sshd with our CA's line beside the key's, as `ocgate authorize` writes it."""
    keys = sshd.folder / "authorized_keys"
    before = keys.read_text()
    command = before.partition('command="')[2].partition('"')[0]
    monkeypatch.setattr(sshca, "COMMAND", command)
    line = f'cert-authority,restrict,principals="{NAME}",command="{command}" {sshca.public_line(CA)}\n'
    keys.write_text(line)
    yield sshd
    keys.write_text(before)


def facts_with(sshd: Sshd, key: paramiko.PKey) -> str:
    session = Session(sshd.target(), key)
    try:
        return str(session.ask(Question("facts"))["hostname"])
    finally:
        session.close()


def stamp(principal: str = NAME, *, good_for: timedelta = sshca.GOOD_FOR) -> Stamp:
    return Stamp(principal, "handover test", now(), good_for, command=sshca.COMMAND)


def test_a_certificate_is_let_in_and_runs_the_one_command(trusting: Sshd) -> None:
    assert facts_with(trusting, sshca.certified(CA, stamp())) == NAME
    log = (trusting.folder / "sshd.log").read_text()
    assert 'ID "handover test"' in log or "handover test (serial" in log


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda: sshca.certified(CA, stamp("ams-gw-01")), id="another gateway's"),
        pytest.param(lambda: sshca.certified(CA, stamp(good_for=timedelta(seconds=-1))), id="expired"),
        pytest.param(lambda: sshca.certified(CA, Stamp(NAME, "x", now() + timedelta(hours=1))), id="not valid yet"),
        pytest.param(lambda: sshca.certified(sshca.make(), stamp()), id="another CA's"),
        pytest.param(lambda: paramiko.Ed25519Key.from_private_key(io.StringIO(CA.decode())), id="the CA's own key"),
        pytest.param(
            lambda: paramiko.Ed25519Key.from_private_key(io.StringIO(sshca.make().decode())), id="no certificate"
        ),
    ],
)
def test_others_are_refused(trusting: Sshd, wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(GiveUp, match="does not accept our SSH key"):
        facts_with(trusting, wrong())


def test_another_command_than_the_gateways_is_refused(trusting: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sshca, "COMMAND", "id")
    with pytest.raises(GiveUp, match="does not accept our SSH key"):
        facts_with(trusting, sshca.certified(CA, stamp()))


def test_it_says_who_where_and_what_and_nothing_more() -> None:
    blob = sshca.certified(CA, stamp()).public_blob
    assert blob is not None
    read = load_ssh_public_identity(f"{blob.key_type} ".encode() + base64.b64encode(blob.key_blob))
    assert isinstance(read, SSHCertificate)
    read.verify_cert_signature()
    assert read.valid_principals == [NAME.encode()]
    assert read.critical_options == {b"force-command": sshca.COMMAND.encode()}
    assert read.extensions == {}
    assert read.valid_before - read.valid_after == (sshca.GOOD_FOR + sshca.EARLIER).total_seconds()
