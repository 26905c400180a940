"""A gateway that freezes, floods, lies or is somebody else."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from fleet.errors import GiveUp, RetryLater
from fleet.gateways import lines, session
from fleet.gateways.answers import GatewayBug
from fleet.gateways.dial import HostKeyChanged
from fleet.gateways.kept import Keeper
from fleet.gateways.session import Question, Session
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.ssh import SshGateway
from tests.gateway.ssh.conftest import loan
from tests.gateway.ssh.peer import Channel, Json, Peer
from tests.gateway.ssh.sshd import Sshd, until

pytestmark = pytest.mark.gateway


@pytest.fixture
def live(sshd: Sshd, peer: Peer) -> Iterator[Session]:
    made = Session(sshd.target(), sshd.key)
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead after 0.6 s instead of 5: the tests ask whether, not how soon."""
    monkeypatch.setattr(lines, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(lines, "SILENCE_SECONDS", 0.6)
    monkeypatch.setattr(session, "SILENCE_SECONDS", 0.6)


def quick(verb: str, *, seconds: float = 10.0, most: int = 10_000) -> Question:
    return Question(verb, seconds=seconds, most=most, silence=0.6)


def instead(peer: Peer, data: bytes) -> None:
    """Answer the next request with these bytes, the others as usual."""

    def trick(channel: Channel, request: Json) -> bool:
        peer.trick = None
        channel.write(data)
        return True

    peer.trick = trick


def test_another_host_key_stops_everything(sshd: Sshd, peer: Peer, keeper: Keeper) -> None:
    gateway = SshGateway(loan(sshd, keeper, key="other"))
    with pytest.raises(HostKeyChanged, match="Compare the fingerprint") as changed:
        gateway.facts()
    assert isinstance(changed.value, GiveUp)
    assert (sshd.folder / "changed").read_text() == changed.value.say
    assert peer.channels == 0


def test_a_key_that_is_not_ours_is_a_no(sshd: Sshd, peer: Peer) -> None:
    stranger = sshd.key.from_private_key_file(str(sshd.folder / "other"))
    with pytest.raises(GiveUp) as no:
        Session(sshd.target(), stranger)
    assert no.value.code == "auth_refused"


def test_nobody_at_the_address_is_no_answer(sshd: Sshd) -> None:
    with pytest.raises(RetryLater, match="127.0.0.1:1: Connection refused") as later:
        Session(sshd.target(port=1), sshd.key)
    assert later.value.code == "unreachable"


@pytest.mark.usefixtures("impatient")
def test_a_frozen_peer_is_noticed_long_before_the_deadline(sshd: Sshd, live: Session, peer: Peer) -> None:
    live.ask(quick("facts"))
    frozen = sshd.connections()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(RetryLater, match="no sign of life") as later:
            live.ask(quick("metrics", seconds=600))
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert later.value.code == "connection_lost"
    assert not live.alive


@pytest.mark.usefixtures("impatient")
def test_a_slow_answer_from_a_live_peer_is_waited_for(live: Session, peer: Peer) -> None:
    go = threading.Event()
    peer.trick = lambda channel, request: not go.wait(2.0) and False
    threading.Timer(1.5, go.set).start()
    assert live.ask(quick("facts"))["hostname"] == "fra-gw-01"


def test_a_late_answer_is_never_the_next_ones(live: Session, peer: Peer) -> None:
    go = threading.Event()

    def late(channel: Channel, request: Json) -> bool:
        peer.trick = None
        go.wait(5.0)
        return False

    peer.trick = late
    with pytest.raises(RetryLater) as later:
        live.ask(quick("metrics", seconds=0.3))
    assert later.value.code == "timed_out"
    go.set()
    assert live.ask(quick("facts"))["hostname"] == "fra-gw-01"
    assert peer.channels == 2


def test_six_megabytes_of_stderr_block_nothing(sshd: Sshd, live: Session, peer: Peer) -> None:
    (sshd.folder / "stderr").write_text(str(6 * 1024 * 1024))
    assert live.ask(quick("facts", seconds=30))["hostname"] == "fra-gw-01"


def test_what_the_far_side_says_on_stderr_is_passed_on(sshd: Sshd, live: Session, peer: Peer) -> None:
    (sshd.folder / "stderr").write_text("0")
    peer.close()
    (sshd.folder / "peer.sock").unlink()
    with pytest.raises(RetryLater, match="closed the channel"):
        live.ask(quick("facts"))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"x" * 20_000, "more than 10000 bytes"),
        (b'{"id":"1","ok":true,"result":{"a":"' + b"y" * 20_000 + b'"}}\n', "more than 10000 bytes"),
        (b"Welcome to fra-gw-01!\n", "where JSON belongs"),
        (b"\xff\xfe\n", "where JSON belongs"),
        (b"[" * 9_000 + b"\n", "where JSON belongs"),
        (b"[1]\n", "no message"),
        (b'{"id":"99","ok":true,"result":{}}\n', "answered request '99'"),
        (b'{"id":"1","ok":true}\n', "yes without a result"),
        (b'{"id":"1","ok":false,"error":"no"}\n', "no without a reason"),
    ],
    ids=["endless", "giant", "text", "not-utf8", "deep", "list", "other-id", "no-result", "no-reason"],
)
def test_what_is_no_answer_closes_the_channel(live: Session, peer: Peer, data: bytes, sentence: str) -> None:
    instead(peer, data)
    with pytest.raises(RetryLater, match=sentence) as later:
        live.ask(quick("facts"))
    assert later.value.code == "bad_answer"
    assert live.ask(quick("facts", most=100_000))["hostname"] == "fra-gw-01"
    assert peer.channels == 2


def test_a_line_that_is_cut_is_no_answer(live: Session, peer: Peer) -> None:
    def cut(channel: Channel, request: Json) -> bool:
        channel.write(b'{"id":"1","ok":tr')
        raise OSError

    peer.trick = cut
    with pytest.raises(RetryLater, match="in the middle of a line"):
        live.ask(quick("facts"))


@pytest.mark.parametrize(("kind", "raised"), [("refused", GiveUp), ("retry", RetryLater), ("bug", GatewayBug)])
def test_a_no_is_what_its_kind_says_and_keeps_the_channel(
    live: Session, peer: Peer, kind: str, raised: type[Exception]
) -> None:
    def no(channel: Channel, request: Json) -> bool:
        peer.trick = None
        channel.no(request, kind=kind, code="some_code", say="\x1b[31mBecause\u202e.")
        return True

    peer.trick = no
    with pytest.raises(raised) as failure:
        live.ask(quick("facts"))
    assert str(failure.value) == "fra-gw-01: [31mBecause."
    live.ask(quick("facts"))
    assert peer.channels == 1


def test_an_answer_that_lacks_a_field_is_a_bug(over_ssh: SshGateway, peer: Peer) -> None:
    instead(peer, b'{"id":"1","ok":true,"result":{"hostname":"x"}}\n')
    with pytest.raises(GatewayBug, match="lacks ocgate"):
        over_ssh.facts()


def test_a_field_that_is_new_does_not_matter(over_ssh: SshGateway, peer: Peer) -> None:
    instead(
        peer,
        b'{"id":"1","ok":true,"result":{"slot":1,"sessions":0,"oldest_seconds":0,"idle":0,"cookies":0,"moons":7}}\n',
    )
    assert over_ssh.drain(1).sessions == 0


def test_two_threads_get_their_own_answers(over_ssh: SshGateway, real: MemoryGateway) -> None:
    wrong: list[object] = []

    def ask(slot: int) -> None:
        wrong.extend(slot for _ in range(50) if over_ssh.drain(slot).slot != slot)

    threads = [threading.Thread(target=ask, args=(slot,)) for slot in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_restore_waits_for_nothing_else(over_ssh: SshGateway, peer: Peer) -> None:
    go, busy = threading.Event(), threading.Event()

    def hold_metrics(channel: Channel, request: Json) -> bool:
        if request["verb"] == "metrics":
            busy.set()
            go.wait(10)
        return False

    peer.trick = hold_metrics
    slow = threading.Thread(target=over_ssh.metrics)
    slow.start()
    busy.wait(5)
    assert over_ssh.restore("committed", fence=1).slot == 1
    assert slow.is_alive()
    go.set()
    slow.join()


def test_metrics_leave_the_way_back_warm(over_ssh: SshGateway, peer: Peer) -> None:
    over_ssh.metrics()
    until(lambda: peer.channels == 2, "the channel for steering was not opened")
    over_ssh.restore("committed", fence=1)
    assert peer.channels == 2


def test_a_watch_brings_samples_on_its_own_channel(over_ssh: SshGateway, peer: Peer) -> None:
    seen: list[int] = []
    over_ssh.watch(seconds=3, every=1, seen=lambda slots: seen.append(slots[0].slot))
    assert seen == [1, 1, 1]


def test_a_peer_of_the_version_before_refuses_only_what_it_does_not_know(over_ssh: SshGateway, peer: Peer) -> None:
    def version_2(channel: Channel, request: Json) -> bool:
        new = set(request["args"]) & {"after_ms", "names"} or {request["verb"]} & {"replace", "message"}
        if new:
            say = f"The request was refused: the field {sorted(new)[0]!r} is unknown."
            channel.no(request, kind="refused", code="bad_request", say=say)
        return bool(new)

    peer.trick = version_2
    for ask in (
        lambda: over_ssh.shift({1: 100}, seconds=60, fence=1, after_ms=50),
        lambda: over_ssh.drain(1, names=True),
        lambda: over_ssh.message(1, "x", fence=1),
    ):
        with pytest.raises(GiveUp, match="is unknown") as no:
            ask()
        assert no.value.code == "bad_request"
    assert not over_ssh.shift({1: 100}, seconds=60, fence=1).already
    assert over_ssh.drain(1).sessions == 0
