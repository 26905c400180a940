"""What gateways counted and felt, in spans of time. Part of fleet.models. Written by fleet/metrics/ alone."""

from __future__ import annotations

from django.db import models


class Reading(models.Model):
    """One slot over one span of time: counts in it, and means of what was measured. None: it could not be had.

    A wide row and few of them: 200 gateways with two slots are 80 rows a second as 20 metrics a row, 1,600 as one.
    Times are whole epoch seconds; the one index leads to a gateway's span and time, and every query goes by it.
    """

    gateway = models.ForeignKey("fleet.Gateway", on_delete=models.CASCADE, related_name="+", db_index=False)
    span = models.PositiveIntegerField()  # seconds: that of the collector, or a roll-up's (Span)
    at = models.BigIntegerField()  # its begin; of the finest span, when the gateway was asked
    slot = models.PositiveSmallIntegerField()
    release = models.CharField(max_length=64, blank=True)
    seconds = models.FloatField()  # of it that the counts are about: more than the span after a gap, less in one
    sessions = models.FloatField(null=True)
    dtls = models.FloatField(null=True)
    arrivals = models.IntegerField(null=True)
    reconnects = models.IntegerField(null=True)
    departures = models.IntegerField(null=True)
    logins = models.IntegerField(null=True)
    failures = models.IntegerField(null=True)
    errors = models.IntegerField(null=True)
    crashes = models.IntegerField(null=True)
    restarts = models.IntegerField(null=True)
    bans = models.IntegerField(null=True)
    segments = models.BigIntegerField(null=True)
    retransmitted = models.BigIntegerField(null=True)
    cpu_seconds = models.FloatField(null=True)
    rss_bytes = models.FloatField(null=True)
    open_files = models.FloatField(null=True)
    threads = models.FloatField(null=True)
    rtt_ms = models.FloatField(null=True)
    rtt_p95_ms = models.FloatField(null=True)
    handshake_ms = models.FloatField(null=True)
    auth_seconds = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "span", "at", "slot"], name="one_reading_a_span")]

    def __str__(self) -> str:
        return f"{self.gateway_id}/{self.slot} {self.at} + {self.span} s"


class Watch(models.Model):
    """How the collector stands with one gateway: when it asked, when it was answered, and what it counted last."""

    gateway = models.OneToOneField("fleet.Gateway", on_delete=models.CASCADE, primary_key=True, related_name="watch")
    asked_at = models.FloatField()  # epoch seconds
    answered_at = models.FloatField(default=0.0)
    used_at = models.FloatField(default=0.0)  # when somebody signed in or tried to, or was on a slot
    misses = models.PositiveIntegerField(default=0)  # in a row
    say = models.TextField(blank=True)  # why there was no answer
    slots = models.JSONField(default=dict)  # slot → the last of its counters as they came, since its start

    def __str__(self) -> str:
        return f"{self.gateway_id} {self.misses}"


class Span(models.Model):
    """One fineness of readings: its length, and for how long such are kept. Those of DEFAULTS are made when missing."""

    DEFAULTS = {5: 3, 60: 3 * 24, 3600: 400 * 24}
    """Seconds → hours kept. Together 1.2 GB a year for 200 gateways with two slots."""

    seconds = models.PositiveIntegerField(unique=True)
    keep_hours = models.PositiveIntegerField()
    rolled_until = models.BigIntegerField(default=0)  # epoch seconds up to which it was made from the finer one

    class Meta:
        ordering = ["seconds"]

    def __str__(self) -> str:
        return f"{self.seconds} s"
