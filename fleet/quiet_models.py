"""What is known of quiet loss: how each gateway was looked at, and what was found. Part of fleet.models."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class QuietWatch(models.Model):
    """The last look at one gateway's newest release. Times are epoch seconds."""

    gateway = models.OneToOneField("fleet.Gateway", on_delete=models.CASCADE, primary_key=True, related_name="+")
    slot = models.PositiveSmallIntegerField()
    release = models.CharField(max_length=64)
    begin = models.BigIntegerField()  # when the release had its first user there
    looked_at = models.FloatField()
    measures = models.JSONField(default=dict)  # name → [score, enough, relative change], all that could be read
    found = models.JSONField(default=list)  # names: what is found at two looks in a row calls a person
    against = models.CharField(max_length=8, blank=True)  # "pool", "past", or "" where nothing is older

    def __str__(self) -> str:
        return f"{self.gateway_id} {self.release}"


class QuietLoss(models.Model):
    """One release on one gateway that got worse, from when it was seen until it was gone. By fleet/quiet/journal.py."""

    gateway = models.ForeignKey("fleet.Gateway", on_delete=models.CASCADE, related_name="losses")
    slot = models.PositiveSmallIntegerField()
    release = models.CharField(max_length=64)
    begin = models.BigIntegerField()
    measure = models.CharField(max_length=20)  # the clearest: a name in fleet.quiet.measures.MEASURES
    grows = models.BooleanField()
    since = models.BigIntegerField()  # when it began to get worse, epoch seconds
    change = models.FloatField()  # relative: the whole of a step, or what it grows in an hour
    total = models.FloatField()  # relative, at the last look
    say = models.TextField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-found_at"]
        indexes = [models.Index(fields=["release", "ended_at"], name="quiet_loss_release")]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "slot", "release"], condition=Q(ended_at=None), name="one_open_loss_a_release"
            )
        ]

    def __str__(self) -> str:
        return f"{self.measure} of {self.release} on {self.gateway_id}"
