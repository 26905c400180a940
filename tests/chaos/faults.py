"""What goes wrong, when, and for how long: drawn from the seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from approvals.models import User
from approvals.windows import DAYS
from fleet.gateways.machine import Faults
from fleet.models import Gateway
from releases.models import Release
from tests.chaos.fronts import PEERS, ChaosPeer
from tests.chaos.town import Town
from tests.chaos.watched import Watched
from upgrader.models import Budget, Freeze, Window

Mend = Callable[[], None]


class Weather:
    """Faults as they come. Each returns how it is mended; `clear` mends all."""

    def __init__(self, town: Town) -> None:
        self.town, self.dice = town, town.dice
        self.counts: Counter[str] = Counter()
        self.mends: list[tuple[float, str, Mend]] = []
        self.rate = self.dice.choice((0.0, 0.03, 0.06, 0.15))  # a moment

    def blow(self) -> None:
        """One moment: what is over is mended, and something new may begin."""
        now = self.town.seconds
        for mend in [mend for mend in self.mends if mend[0] <= now]:
            self.mends.remove(mend)
            self.town.told(f"mended: {mend[1]}")
            mend[2]()
        if self.dice.random() < self.rate:
            self.strike(self.dice.choice(KINDS))

    def strike(self, kind: str) -> None:
        self.counts[kind] += 1
        about, mend = getattr(self, kind)()
        self.town.told(f"fault: {kind} {about}")
        if mend is not None:
            # For ever is until the calm at the end.
            seconds = self.dice.choice((5.0, 30.0, 100.0, 1e9))
            self.mends.append((self.town.seconds + seconds, f"{kind} {about}", mend))

    def clear(self) -> None:
        for _, _, mend in self.mends:
            mend()
        self.mends.clear()
        for gateway in self.town.gateways.values():
            faults = gateway.machine.faults
            faults.unreachable, faults.lose_answers, faults.slow_seconds = False, 0, 0.0

    def one(self) -> Watched:
        return self.town.gateways[self.dice.choice(sorted(self.town.gateways))]

    def unreachable(self) -> tuple[str, Mend]:
        gateway = self.one()
        gateway.machine.faults.unreachable = True
        return gateway.machine.name, lambda: setattr(gateway.machine.faults, "unreachable", False)

    def partition(self) -> tuple[str, Mend]:
        """The controller is cut off from many at once."""
        names = [name for name in sorted(self.town.gateways) if self.dice.random() < 0.7]
        cut = [self.town.gateways[name].machine.faults for name in names]
        for faults in cut:
            faults.unreachable = True

        def mend() -> None:
            for faults in cut:
                faults.unreachable = False

        return ", ".join(names), mend

    def reboot(self) -> tuple[str, None]:
        gateway = self.one()
        gateway.reboot()
        return gateway.machine.name, None

    def lost_answers(self) -> tuple[str, None]:
        gateway = self.one()
        gateway.machine.faults.lose_answers += self.dice.choice((1, 2, 7))
        return f"{gateway.machine.name} × {gateway.machine.faults.lose_answers}", None

    def slow(self) -> tuple[str, Mend]:
        faults = self.one().machine.faults
        faults.slow_seconds = self.dice.choice((0.2, 3.0, 12.0))
        return f"{faults.slow_seconds:.1f} s", lambda: setattr(faults, "slow_seconds", 0.0)

    def disk_full(self) -> tuple[str, Mend]:
        gateway = self.one()
        gateway.machine.faults.disk_full = True
        return gateway.machine.name, lambda: setattr(gateway.machine.faults, "disk_full", False)

    def their_clock(self) -> tuple[str, None]:
        gateway = self.one()
        gateway.machine.faults.clock_offset = self.dice.choice((-3600.0, -90.0, 30.0, 600.0, 86400.0))
        return f"{gateway.machine.name} {gateway.machine.faults.clock_offset:+.0f} s", None

    def our_clock(self) -> tuple[str, None]:
        """The clock of one of our processes' machines steps."""
        process = self.dice.choice([*self.town.beats, *self.town.workers, *self.town.browsers])
        process.offset = self.dice.choice((-600.0, -120.0, -30.0, 0.0, 0.0, 30.0, 120.0, 600.0))
        return f"{process.name} {process.offset:+.0f} s", None

    def bad_release(self) -> tuple[str, Mend]:
        """It refuses logins, dies or does not start, on one gateway or on all."""
        name = self.dice.choice(self.town.releases).name
        hit = [self.one()] if self.dice.random() < 0.5 else list(self.town.gateways.values())
        spoil = self.dice.choice((refuses, dies, does_not_start))
        for gateway in hit:
            spoil(gateway.machine.faults, name)

        def mend() -> None:
            for gateway in hit:
                heal(gateway.machine.faults, name)

        return f"{name} {spoil.__name__} on {len(hit)}", mend

    def bad_old_release(self) -> tuple[str, Mend]:
        """What served before refuses logins too."""
        faults = self.one().machine.faults
        refuses(faults, "1.1.6-3")
        return "1.1.6-3", lambda: heal(faults, "1.1.6-3")

    def withdrawn(self) -> tuple[str, Mend]:
        release = self.dice.choice(self.town.releases)
        Release.objects.filter(pk=release.pk).update(state=Release.State.YANKED)
        return release.name, lambda: restored(release)

    def quarantined(self) -> tuple[str, Mend]:
        return self._state(Gateway.State.QUARANTINED)

    def left_pool(self) -> tuple[str, Mend]:
        return self._state(Gateway.State.LEFT)

    def _state(self, state: str) -> tuple[str, Mend]:
        name = self.one().machine.name
        before = Gateway.objects.values_list("state", flat=True).get(name=name)
        Gateway.objects.filter(name=name).update(state=state)
        back = before if before in Gateway.SPOKEN_TO else Gateway.State.ENROLLED
        return name, lambda: back_in(name, str(back))

    def right_withdrawn(self) -> tuple[str, Mend]:
        person = self.town.people["cal"]
        User.objects.filter(pk=person.pk).update(is_active=False)
        return "of cal", lambda: active_again(person.pk)

    def small_budget(self) -> tuple[str, Mend]:
        before = Budget.objects.get(pool=None).gateways_percent
        self.town.budget(self.dice.choice((1, 10, 34)))
        return "", lambda: self.town.budget(before)

    def freeze(self) -> tuple[str, Mend]:
        """Nothing new may begin on one pool, or on all."""
        now = self.town.now()
        row = Freeze.objects.create(
            pool=self.dice.choice([None, *self.town.pools]),
            reason="feast",
            starts_at=now,
            ends_at=self.dice.choice((None, now + timedelta(seconds=60))),
            made_by=self.town.people["cal"],
            made_at=self.town.true_now(),
        )
        return "", lambda: lifted(row)

    def window(self) -> tuple[str, Mend]:
        """A pool, or the fleet, gets a window that closes soon, or one that opens soon."""
        now = self.town.now()
        opens, closes = now + timedelta(minutes=self.dice.choice((-5, -5, 2))), self.dice.choice((1, 2, 4))
        row = Window.objects.create(
            pool=self.dice.choice([None, *self.town.pools]),
            title="night",
            zone="UTC",
            rules=[{"days": list(DAYS), "from": f"{opens:%H:%M}", "until": f"{now + timedelta(minutes=closes):%H:%M}"}],
            made_by=self.town.people["cal"],
            made_at=self.town.true_now(),
        )
        return f"{row.rules[0]['from']} to {row.rules[0]['until']}", lambda: ended(row)

    def balancer_silent(self) -> tuple[str, Mend | None]:
        return self._peer(lambda peer: setattr(peer, "answers", False), lambda peer: setattr(peer, "answers", True))

    def balancer_deaf(self) -> tuple[str, Mend | None]:
        """It says yes and does nothing."""
        return self._peer(lambda peer: setattr(peer, "deaf", True), lambda peer: setattr(peer, "deaf", False))

    def balancer_restart(self) -> tuple[str, Mend | None]:
        return self._peer(lambda peer: peer.restart(), None)

    def balancer_by_hand(self) -> tuple[str, Mend | None]:
        """Somebody sets a weight there himself, and sets it back to what the other peer has."""
        return self._peer(lambda peer: peer.by_hand(7), lambda peer: peer.as_the_other())

    def _peer(
        self, do: Callable[[ChaosPeer], None], undo: Callable[[ChaosPeer], None] | None
    ) -> tuple[str, Mend | None]:
        if not self.town.fronts:
            return "nowhere", None
        front = self.town.fronts[self.dice.choice(sorted(self.town.fronts))]
        peer = front.peers[self.dice.choice(PEERS)]
        do(peer)
        return f"{peer.name} before {front.machine.name}", (lambda: undo(peer)) if undo else None

    def restart(self) -> tuple[str, None]:
        """A process is killed while it does nothing."""
        process = self.dice.choice([*self.town.beats, *self.town.workers])
        self.town.processes.gone.add(process.owner)
        process.born += 1
        return process.name, None


KINDS = (
    "unreachable", "unreachable", "partition", "reboot", "lost_answers", "lost_answers", "slow", "disk_full",
    "their_clock", "our_clock", "bad_release", "bad_release", "bad_old_release", "withdrawn", "quarantined",
    "left_pool", "right_withdrawn", "small_budget", "freeze", "window", "window", "restart", "balancer_silent",
    "balancer_deaf", "balancer_restart", "balancer_by_hand",
)  # fmt: skip


def refuses(faults: Faults, release: str) -> None:
    faults.bad_logins_after[release] = 1


def dies(faults: Faults, release: str) -> None:
    faults.dies_after[release] = 15.0


def does_not_start(faults: Faults, release: str) -> None:
    faults.start_failed.add(release)


def heal(faults: Faults, release: str) -> None:
    faults.bad_logins_after.pop(release, None)
    faults.dies_after.pop(release, None)
    faults.start_failed.discard(release)


def restored(release: Release) -> None:
    Release.objects.filter(pk=release.pk).update(state=Release.State.READY)


def back_in(name: str, state: str) -> None:
    Gateway.objects.filter(name=name).update(state=state)


def ended(row: Window) -> None:
    Window.objects.filter(pk=row.pk).update(ended_at=row.made_at)


def active_again(person: int) -> None:
    User.objects.filter(pk=person).update(is_active=True)


def lifted(row: Freeze) -> None:
    Freeze.objects.filter(pk=row.pk).update(lifted_at=row.starts_at)
