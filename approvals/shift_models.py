"""Who is on call when. What the rows mean: approvals/shifts.py. Written by approvals/duty_journal.py alone."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Shift(models.Model):
    """Each week on these days, from and until these times on a wall of this zone, this person is on call."""

    scope = models.CharField(max_length=80, db_index=True)  # "pool:3"
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="shifts")
    days = models.JSONField()  # some of "mon" … "sun": the days on which it begins
    start = models.CharField(max_length=5)  # "18:00"
    until = models.CharField(max_length=5)  # "08:00": of the day after where it is not later than `start`
    zone = models.CharField(max_length=60)  # "Europe/Berlin"
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.person_id} on {self.scope}"


class Cover(models.Model):
    """For once: between two moments this person is on call and nobody else is, whatever the week says.

    Planned ahead by somebody, or taken over at once by the person; then `relieved` is who was on call until then, who
    gives his word to it, before or after.
    """

    scope = models.CharField(max_length=80)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="covers")
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    why = models.TextField()  # of the one who made it; of a take-over the taker's word
    taken = models.BooleanField(default=False)  # a take-over
    relieved = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    word = models.TextField(blank=True)  # of the one who was relieved
    word_at = models.DateTimeField(null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # before its time

    class Meta:
        ordering = ["-made_at", "-pk"]
        indexes = [models.Index(fields=["scope", "ends_at"], name="cover_scope_end")]
        constraints = [models.CheckConstraint(condition=Q(ends_at__gt=F("begins_at")), name="cover_ends")]

    def __str__(self) -> str:
        return f"{self.person_id} on {self.scope} until {self.ends_at:%F %H:%M}"


class Note(models.Model):
    """What the one on call leaves for the next: his word to a hand-over that is still to come. The newest counts."""

    scope = models.CharField(max_length=80)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    say = models.TextField()
    at = models.DateTimeField()
    used = models.ForeignKey(Cover, on_delete=models.CASCADE, null=True, related_name="+")  # by this take-over

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"note of {self.by_id} on {self.scope}"
