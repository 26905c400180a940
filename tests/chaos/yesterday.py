"""Yesterday's database comes back: the gateways have gone on, and nothing may act on what it believes."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from django.db import connection

from fleet.models import Gateway
from tests.chaos.town import Town
from tests.chaos.truth import Truth
from upgrader import believing


class Yesterday:
    """A backup that is taken at one moment of some episodes, and restored at a later one."""

    def __init__(self, town: Town, truth: Truth, database: Path) -> None:
        self.town, self.truth, self.database = town, truth, database
        self.copy = database.with_suffix(".yesterday")
        self.moments = sorted(town.dice.sample(range(5, 60), 2)) if town.dice.random() < 0.2 else []
        self.restored = 0

    def turn(self, number: int) -> None:
        """What an administrator does at this moment of the episode."""
        if not self.moments or number not in self.moments:
            return
        if number == self.moments[0]:
            self.town.told("a backup is taken")
            with sqlite3.connect(self.database) as here, sqlite3.connect(self.copy) as there:
                here.backup(there)
            here.close()
            there.close()
        else:
            self.restore()

    def restore(self) -> None:
        """Everything is stopped, the file is put back, everything is started."""
        connection.close()
        self.truth.base.close()
        for old in self.database.parent.glob(f"{self.database.name}*"):
            old.unlink()
        shutil.copy(self.copy, self.database)
        for process in (*self.town.beats, *self.town.workers, *self.town.browsers):
            self.town.processes.gone.add(process.owner)
            process.born += 1
        self.town.messages.clear()
        self.town.lines.clear()
        self.truth.reopen()
        self.restored += 1
        ahead = []
        for row in Gateway.objects.all():
            truth = self.town.gateways[row.name].truth
            truth.ahead = truth.fence > row.ordered
            ahead += [row.name] if truth.ahead else []
        self.town.told(f"fault: yesterday's database is back; ahead of it are {', '.join(ahead) or 'none'}")

    def believe(self) -> None:
        """A person has looked at the gateways that are ahead, and says so."""
        for row in Gateway.objects.all():
            watched = self.town.gateways[row.name]
            if watched.truth.ahead:
                actor, now = self.town.actor("cal"), self.town.now()
                self.town.told(f"believed: {believing.believe(row, actor=actor, now=now, why='We restored a backup.')}")
                watched.truth.ahead = False
                self.truth.left_over.add(row.name)
                if watched.machine.steering.committed:
                    self.truth.expected[row.name] = watched.machine.steering.committed.release
