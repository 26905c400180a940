"""Running a part of the matrix: gather what it looks at, let the tests look, keep what they found."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.db.models import Count

from approvals.errors import Refused
from approvals.models import Actor
from fleet import sealed
from fleet.models import Gateway, Pool
from releases import archive, manifest, policy, services, standing, storage
from releases.matrix import binaries, functional, journal, static, stress, unpacked
from releases.matrix.ports import Bench, BenchFailed, NoTunnel, Opener, Outcome, Pair, Unfit, red
from releases.models import ConfigRevision, MatrixRun, Release, TrustedSigner

PARTS = policy.PARTS
SEATS = 2  # clients on each side that the functional tests need
UP = "upgrade"


@dataclass(frozen=True)
class Wish:
    """What is to be run: a part of the matrix over a release; `old` is what it is upgraded from and compared with."""

    release: Release
    part: str
    old: Release | None = None
    load: stress.Load = stress.Load()


@dataclass(frozen=True)
class Running:
    """A run under way: where it is told, by whom, and by whose clock."""

    row: MatrixRun
    say: Callable[[str], None]
    actor: Actor
    clock: Callable[[], datetime]

    def tell(self, say: str, done: int = 0, total: int = 0) -> None:
        journal.tell(self.row, say, done, total, now=self.clock())
        self.say(f"[{done}/{total}] {say}" if total else say)

    def found(self, test: str, outcome: Outcome, *, since: float) -> None:
        journal.found(self.row, test, outcome, seconds=time.monotonic() - since)
        self.say(f"{outcome.verdict.value:8} {test}: {outcome.say}")


def usual_old(release: Release) -> Release | None:
    """What most gateways run, else the release before this one; None when there is no other."""
    others = Release.objects.filter(state=Release.State.READY).exclude(pk=release.pk)
    running = Gateway.objects.exclude(release="").values_list("release").annotate(n=Count("pk")).order_by("-n")
    for name, _ in running:
        if found := others.filter(name=name).first():
            return found
    return others.filter(counter__lt=release.counter).order_by("-counter").first()


def run(
    wish: Wish, *, opener: Opener, actor: Actor, clock: Callable[[], datetime], say: Callable[[str], None]
) -> MatrixRun:
    """Run one part to its end; minutes. Refused before it begins; what stops it later ends the run as failed."""
    pair = None if wish.part == "static" else _pair(wish, now=clock())
    upgraded_from = wish.old.name if wish.old and pair else ""
    row = journal.begin(wish.release, part=wish.part, upgraded_from=upgraded_from, actor=actor, now=clock())
    running = Running(row, say, actor, clock)
    try:
        versions = _on_bench(wish, pair, opener, running) if pair else _static(wish.release, running)
    except BenchFailed as failure:
        return journal.fail(row, str(failure), actor=actor, now=clock())
    except BaseException as death:
        journal.fail(row, f"It was stopped: {type(death).__name__} {death}".strip(), actor=actor, now=clock())
        raise
    return journal.finish(row, versions=versions, actor=actor, now=clock())


def _pair(wish: Wish, *, now: datetime) -> Pair:
    if wish.old is None:
        raise Refused(f"There is no release that {wish.release.name} could be compared with. Add one, or name it.")
    if wish.old.pk == wish.release.pk:
        raise Refused(f"{wish.release.name} can't be compared with itself. Name another release.")
    kinds = TrustedSigner.objects.filter(active=True, kind=TrustedSigner.Kind.OPENPGP)
    keys = tuple(kinds.order_by("pk").values_list("public_key", flat=True))
    return Pair(services.files(wish.release, now=now), services.files(wish.old, now=now), keys)


def _on_bench(wish: Wish, pair: Pair, opener: Opener, running: Running) -> Mapping[str, str]:
    users = wish.load.users if wish.part == "stress" else SEATS
    running.tell("building the bench")
    began = time.monotonic()
    try:
        with opener(pair, part=wish.part, users=users, say=running.tell) as bench:
            if wish.part == "functional":
                _functional(bench, running)
            else:
                _stress(bench, wish.load, running)
            return {**bench.versions, "place": bench.place}
    except Unfit as down:
        running.found(UP, red(down.say, down.log), since=began)
        return {}


def _functional(bench: Bench, running: Running) -> None:
    for number, (name, test) in enumerate(functional.TESTS.items()):
        running.tell(name, number, len(functional.TESTS))
        began = time.monotonic()
        try:
            outcome = test(bench)
        except NoTunnel as refused:
            outcome = red(refused.say, f"{refused.log}\n--- the server's log\n{bench.log('new')}")
        running.found(name, outcome, since=began)


def _stress(bench: Bench, load: stress.Load, running: Running) -> None:
    began = time.monotonic()
    taken = stress.measure(bench, load, running.tell)
    for name, outcome in stress.judge(taken, load, stress.Tolerance()).items():
        running.found(name, outcome, since=began)


def _static(release: Release, running: Running) -> Mapping[str, str]:
    running.tell("unpacking the bundle")
    with _subject(release, now=running.clock()) as subject:
        found = [] if subject.damage else binaries.read_all(subject.tree)
        for number, name in enumerate(static.TESTS):
            running.tell(name, number, len(static.TESTS))
            began = time.monotonic()
            running.found(name, static.test(name, subject, found), since=began)
    return {"pyelftools": version("pyelftools")}


@contextlib.contextmanager
def _subject(release: Release, *, now: datetime) -> Iterator[static.Subject]:
    """Unpack the bundle to a folder that is gone after."""
    facts, asked = standing.seen(release, now=now), standing.policy_of(release.channel)
    floor = settings.RELEASE_THRESHOLD
    lack = policy.why_not_signed(facts, asked, channel=release.channel, floor=floor, now=now)
    bundle = storage.path_of(release.bundle, sha256=release.sha256)
    with tempfile.TemporaryDirectory(prefix="matrix-") as name:
        damage = _unpack(bundle, Path(name))
        yield static.Subject(
            name=release.name,
            product=release.product,
            version=release.version,
            prefix=manifest.PREFIX + release.name,
            sha256=release.sha256,
            kept_tree=release.tree,
            bundle=bundle,
            tree=Path(name),
            signed_by=[one.who for one in facts.vouched if not one.bad],
            signatures_lack=lack,
            hosts=[static.Host(row.name, str(row.facts.get("kernel", ""))) for row in _gateways()],
            pools=[static.Configured(pool.name, _agreed(pool)) for pool in Pool.objects.all()],
            floor=settings.MATRIX_FLOOR,
            damage=damage,
        )


def _gateways() -> list[Gateway]:
    return list(Gateway.objects.exclude(state=Gateway.State.LEFT))


def _agreed(pool: Pool) -> str:
    """The pool's agreed configuration; "" where none is."""
    agreed = ConfigRevision.objects.filter(pool=pool, gateway=None, state=ConfigRevision.State.AGREED)
    newest = agreed.order_by("-number").first()
    secret = sealed.unseal_or_none(f"config:{newest.pk}") if newest else None
    return secret.decode() if secret else ""


def _unpack(bundle: Path, folder: Path) -> str:
    """Unpack what its checks let pass; else why it is not unpacked."""
    try:
        with bundle.open("rb") as packed:
            archive.check(packed)
        unpacked.unpack(bundle, folder)
        binaries.read_all(folder)
    except Refused as refusal:
        return refusal.say
    except (OSError, ValueError) as damage:
        return str(damage)
    return ""
