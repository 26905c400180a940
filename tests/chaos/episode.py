"""One seed: a company, its rollouts, its bad days, and the calm after them."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest import mock

from django.utils import timezone

from fleet import errands, gateways, orders, traffic
from fleet.traffic import balanced
from tests.chaos.faults import Weather
from tests.chaos.fronts import OneByOne
from tests.chaos.people import People
from tests.chaos.planted import PLANTS
from tests.chaos.processes import Own
from tests.chaos.town import SimulatedLane, Town
from tests.chaos.truth import Broken, Truth
from tests.chaos.yesterday import Yesterday
from upgrader import alive, desk, engine, hint, live, tasks
from upgrader.models import Rollout, StepRun
from upgrader.news import News
from upgrader.states import ROLLOUT_OVER, R, S

FAIR = 100  # seeds below it have good weather and patient people: nothing breaks but what is planted
ROUNDS = 24  # of patient people at the end


@dataclass
class Report:
    """What one episode did and found."""

    seed: int
    rollouts: int = 0
    gateways: int = 0
    moves: int = 0
    cpu_s: float = 0.0
    ends: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    broken: list[tuple[str, str]] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        return json.dumps(asdict(self))

    @property
    def fingerprint(self) -> str:
        """The same for the same seed on the same code."""
        return hashlib.sha256("\n".join(self.story).encode()).hexdigest()[:12]


class Heard(logging.Handler):
    """What the product itself calls a fault."""

    def __init__(self, failures: list[str]) -> None:
        super().__init__(level=logging.ERROR)
        self.failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else ""
        self.failures.append(f"{record.name}: {record.getMessage()}: {type(error).__name__}: {error}")


@contextmanager
def in_town(town: Town) -> Iterator[None]:
    """The product's outer edges lead into the town: clock, broker, gateways, who runs."""
    heard = Heard(town.failures)
    root = logging.getLogger()
    with ExitStack() as stack:
        for where, name, what in (
            (timezone, "now", town.now),
            (hint, "send", town.send),
            (hint, "is_mine", town.is_mine),
            (desk, "PAUSE_MOST", 0.0),
            (balanced, "ThreadPoolExecutor", OneByOne),
            (traffic.rows, "DRIVERS", {"memory": town.open_peer}),
            (desk.DESK, "lanes", {name: SimulatedLane(town, name) for name in desk.THREADS}),
            (live, "_send", lambda topic: None),
            (gateways, "open", town.open),
            (alive, "owner", town.owner),
            (alive, "is_gone", town.is_gone),
            (engine, "call_out", town.now_and_then(engine.call_out, None)),
            (errands, "due", town.now_and_then(errands.due, [])),
            (tasks, "NEWS", Own(town.processes, News)),
            (orders, "_KNOWN", Own(town.processes, dict)),
        ):
            stack.enter_context(mock.patch.object(where, name, what))
        handlers, root.handlers = root.handlers, [heard]
        stack.callback(setattr, root, "handlers", handlers)
        stack.enter_context(town.processes.watching_database())
        yield


def run(seed: int, *, database: Path, plant: str = "") -> Report:
    """Play one seed on the database that is open now; its file is read from outside too."""
    dice = random.Random(seed)
    report = Report(seed)
    town = Town(dice, told=report.story.append)
    town.budget(dice.choice((100, 100, 50, 34, 25)))
    weather, people, truth = Weather(town), People(town), Truth(town, database)
    if seed < FAIR:
        weather.rate, people.rate, town.lossy, town.processes.calm = 0.0, 0.0, 0.0, True
    town.allowed = people.allowed
    town.processes.committed = truth.after_commit
    with in_town(town), PLANTS[plant](town), suppress(Broken):
        try:
            yesterday = bad_days(town, weather, people, truth)
            weather.counts["yesterday's database"] += yesterday.restored
            calm(town, weather, people, yesterday)
        except Exception:
            truth.break_("fault of ours", f"outside of every process: {traceback.format_exc(limit=-6)}")
    fill(report, town, weather, truth)
    return report


def bad_days(town: Town, weather: Weather, people: People, truth: Truth) -> Yesterday:
    """Rollouts are drafted and carried out while everything goes wrong that the dice want."""
    yesterday = Yesterday(town, truth, truth.database)
    for _ in range(town.dice.choice((1, 2, 2, 3, 4))):
        people.draft(by=town.dice.choice(("ola", "olga")))

    def meanwhile() -> None:
        weather.blow()
        if town.dice.random() < people.rate:
            people.whim()
        truth.always()

    town.every_second = meanwhile
    people.start_all()
    for number in range(town.dice.choice((40, 70, 110))):
        town.turn()
        yesterday.turn(number)
        town.seconds += town.dice.choice((1.0, 2.0, 3.0, 5.0, 8.0))
        if not Rollout.objects.exclude(state__in=ROLLOUT_OVER).exists():
            break
    return yesterday


def calm(town: Town, weather: Weather, people: People, yesterday: Yesterday) -> None:
    """The weather clears, all clocks are right, and somebody patient brings every rollout to its end."""
    truth = yesterday.truth
    weather.clear()
    town.told("calm")
    town.processes.calm, town.lossy, town.every_second = True, 0.0, truth.always
    for process in (*town.beats, *town.workers, *town.browsers):
        process.offset = 0.0
    town.budget(100)
    go_on(town, 30.0)
    yesterday.believe()
    said: list[str] = []
    for number in range(ROUNDS):
        go_on(town, 60.0)
        send_home(town)
        left = list(Rollout.objects.exclude(state__in=ROLLOUT_OVER))
        if not left and not StepRun.objects.filter(state__in=[S.DUE, S.CLAIMED]).exists():
            break
        for rollout in left:
            said = people.bring_to_an_end(rollout, number) or said
    for line in said[-3:]:
        town.told(f"the last refusals: {line}")
    go_on(town, 30.0)
    truth.at_the_end()


def go_on(town: Town, seconds: float) -> None:
    until = town.seconds + seconds
    while town.seconds < until:
        town.turn()
        town.seconds += 5.0


def send_home(town: Town) -> None:
    """Users leave the slots that drain; nobody is cut."""
    for watched in town.gateways.values():
        machine = watched.machine
        serving = machine.steering.committed.slot if machine.steering.committed else 0
        for chair in machine.crowd.chairs:
            if chair.session is not None and chair.session.slot != serving:
                machine.sign_out(chair.session)
                chair.session, chair.due = None, town.seconds + 20


def fill(report: Report, town: Town, weather: Weather, truth: Truth) -> None:
    report.rollouts, report.gateways = Rollout.objects.exclude(state=R.PLANNED).count(), len(town.gateways)
    report.ends = dict(Counter(Rollout.objects.values_list("state", flat=True)))
    report.moves, report.broken = truth.moves, truth.broken
    killed = sum("kill: " in line for line in report.story)
    frozen = sum("freeze: " in line for line in report.story)
    report.faults = {**weather.counts, "killed": killed, "frozen": frozen}
    truth.base.close()
