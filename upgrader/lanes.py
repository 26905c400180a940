"""Threads of one worker process, in lanes: long work in one lane never holds a thread that another lane needs.

A job has a key and a group. A key that waits or runs already is not taken twice; groups take turns, so that a rollout
of thousands of gateways does not stand before one of three.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial

log = logging.getLogger(__name__)
IDLE_SECONDS = 10.0  # a thread that found nothing for so long ends
Job = Callable[[], None]


@dataclass(frozen=True)
class Waiting:
    key: Hashable
    job: Job


class Lane:
    """At most `most` jobs at once; the others wait in line without a thread. `rest` is called by a thread that ran dry.

    Threads are made when they are needed. They are daemons: a process that ends need not wait for a gateway.
    """

    def __init__(self, name: str, most: int, *, rest: Job = lambda: None) -> None:
        self.name, self.most = name, most
        self._rest = rest
        self._line: OrderedDict[Hashable, deque[Waiting]] = OrderedDict()
        self._keys: set[Hashable] = set()
        self._again: set[Hashable] = set()
        self._threads = self._idle = self._waiting = 0
        self._stopping = False
        self._change = threading.Condition()

    def put(self, key: Hashable, job: Job, *, group: Hashable = None, again: bool = False) -> bool:
        """Let a thread do the job; False when its key waits or runs already. `again`: then once more after that."""
        with self._change:
            if self._stopping:
                return False
            if key in self._keys:
                if again:
                    self._again.add(key)
                return False
            self._keys.add(key)
            # Whose request it is goes along with it.
            self._enqueue(Waiting(key, partial(copy_context().run, job)), group)
            return True

    def stop(self) -> None:
        """Begin nothing more; what runs goes on to its end."""
        with self._change:
            self._stopping = True
            self._line.clear()
            self._change.notify_all()

    @property
    def stopping(self) -> bool:
        return self._stopping

    def at_work(self) -> int:
        """How many jobs run now."""
        with self._change:
            return self._threads - self._idle

    def _enqueue(self, waiting: Waiting, group: Hashable) -> None:
        self._line.setdefault(group, deque()).append(waiting)
        self._waiting += 1
        if self._idle < self._waiting and self._threads < self.most:
            self._threads += 1
            threading.Thread(target=self._work, name=self.name, daemon=True).start()
        else:
            self._change.notify()

    def _next(self) -> tuple[Hashable, Waiting] | None:
        """The first in line of the group whose turn it is; None when there is nothing or the process ends."""
        if self._stopping or not self._line:
            return None
        group, line = next(iter(self._line.items()))
        waiting = line.popleft()
        self._waiting -= 1
        if line:
            self._line.move_to_end(group)
        else:
            del self._line[group]
        return group, waiting

    def _work(self) -> None:
        while (found := self._take()) is not None:
            group, waiting = found
            try:
                waiting.job()
            except Exception:
                log.exception("%s: %s", self.name, waiting.key)
            self._done(group, waiting)

    def _take(self) -> tuple[Hashable, Waiting] | None:
        with self._change:
            if (found := self._next()) is not None:
                return found
            self._idle += 1
        self._rest()  # outside of the lock: it may close a connection
        with self._change:
            found = self._next()
            if found is None:
                self._change.wait_for(lambda: self._stopping or bool(self._line), timeout=IDLE_SECONDS)
                found = self._next()
            self._idle -= 1
            if found is None:
                self._threads -= 1
            return found

    def _done(self, group: Hashable, waiting: Waiting) -> None:
        with self._change:
            if waiting.key in self._again and not self._stopping:
                self._again.discard(waiting.key)
                self._enqueue(waiting, group)
            else:
                self._keys.discard(waiting.key)
