"""`python -m upgrader.serving.beat`: says *tick* and *look*, and loads nothing else of the product.

Celery's own beat loads every task to send the names of two: 92 MB against 30. It stays right for other set-ups.
"""

from __future__ import annotations

import logging
import logging.config
import time

from kombu.exceptions import OperationalError

from upgrader import pulse, settings
from upgrader.celery import app

log = logging.getLogger(__name__)
PULSE_SECONDS = 2.0


def say(name: str, expires: float) -> None:
    """Send one message; one that is lost is followed by the next."""
    try:
        app.send_task(name, expires=expires, ignore_result=True, retry=False)
    except (OperationalError, OSError) as silence:
        log.warning("no broker, %s was not said: %s", name, silence)


def main() -> None:
    if not logging.getLogger().handlers:
        logging.config.dictConfig(settings.LOGGING)
    due = dict.fromkeys(settings.CELERY_BEAT_SCHEDULE, time.monotonic())
    told = 0.0
    while True:
        now = time.monotonic()
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
            if due[name] <= now:
                # From now on, not from when it was due: a machine that slept must not say all it missed.
                due[name] = now + float(entry["schedule"])
                say(str(entry["task"]), float(entry["options"]["expires"]))
        if now - told >= PULSE_SECONDS:
            told = now
            pulse.beat(settings.REDIS_URL, "clock")
        time.sleep(max(0.0, min(due.values()) - time.monotonic()))


if __name__ == "__main__":
    main()
