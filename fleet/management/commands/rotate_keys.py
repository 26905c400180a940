"""`manage.py rotate-keys`: seal every credential with the present sealing key, while everything runs."""

from __future__ import annotations

import os
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from approvals import audit, factor_secrets
from approvals.models import Actor
from fleet import sealed


class Command(BaseCommand):
    help = (
        "Seal every credential with HANDOVER_SEALING_KEY; the keys before it stand in HANDOVER_SEALING_KEYS_OLD."
        " Runs beside everything else; Ctrl-C does no harm, run it again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done, why = 0, ""
        try:
            for name in chain(sealed.rotate(), factor_secrets.rotate()):
                done += 1
                self.stdout.write(f"{name} is sealed anew.")
        except KeyboardInterrupt:
            why = "broken off"
        except sealed.Unreadable as unreadable:
            why = str(unreadable)
        left = sealed.waiting() + factor_secrets.waiting()
        if done:
            self._record(done, left, why)
        if why:
            raise CommandError(
                f"{done} credentials were sealed anew, {left} are left: {why.rstrip('.')}. Run it again."
            )
        if left:
            say = "processes that still have the old key sealed them meanwhile. Restart those, then run this again."
            raise CommandError(f"{done} credentials were sealed anew, {left} are left: {say}")
        end = "The old keys can go from HANDOVER_SEALING_KEYS_OLD."
        self.stdout.write(f"{done} credentials were sealed anew, none is left. {end}")

    def _record(self, done: int, left: int, why: str) -> None:
        actor = Actor.machine(f"manage.py, uid {os.getuid()}")
        details = {"count": done, "left": left}
        with transaction.atomic():
            audit.append(
                "credential.rotated", subject="credentials", actor=actor, at=timezone.now(), reason=why, details=details
            )
