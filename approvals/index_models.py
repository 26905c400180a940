"""Which events are about what. Part of approvals.models; approvals/record_index.py alone writes it."""

from __future__ import annotations

from django.db import models


class EventAbout(models.Model):
    """One thing that one event of the record is about: an event on a gateway is about its rollout, too.

    Made from the events and can be made again from them, so it proves nothing and no trigger keeps it.
    """

    event = models.BigIntegerField()  # the event's seq; no foreign key: the record never loses one
    about = models.CharField(max_length=120)  # "rollout:12", "gateway:fra-gw-01", "release:1.3.0-2"

    class Meta:
        indexes = [models.Index(fields=["event"], name="about_by_event")]
        constraints = [models.UniqueConstraint(fields=["about", "event"], name="event_is_about_once")]

    def __str__(self) -> str:
        return f"{self.event} about {self.about}"
