"""How the controller's SSH keys are changed. Part of fleet.models."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class KeyRotation(models.Model):
    """From one set of controller's SSH keys to another: both are let in everywhere, then we switch, then the old goes.
    Written by fleet/rotation.py alone; the secrets are credentials, here are public halves only."""

    class State(models.TextChoices):
        SIGNING = "signing"  # approvers sign both statements with keys of their own
        SPREADING = "spreading"  # gateways are told to let the new one in beside the old one
        CLEANING = "cleaning"  # we sign in with the new one; gateways are told to forget the old one
        DONE = "done"
        DROPPED = "dropped"

    kind = models.CharField(max_length=8)  # "ssh-key" | "ssh-ca"
    state = models.CharField(max_length=10, choices=State.choices, default=State.SIGNING)
    version = models.PositiveIntegerField(default=0)
    both = models.JSONField()  # {"keys": [lines], "text": statement, "signatures": [[name, text]]}
    only = models.JSONField()  # the same for what stays at the end
    begun_at = models.DateTimeField()
    since = models.DateTimeField()
    left_behind = models.JSONField(default=list)  # names of gateways that had not followed when we switched

    class Meta:
        ordering = ["-begun_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(state__in=["signing", "spreading", "cleaning"]),
                name="one_open_rotation_a_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"
