"""Prometheus servers that are asked about gateways, and what they said. Part of fleet.models."""

from __future__ import annotations

from django.db import models


class PrometheusSource(models.Model):
    """One server for the gateways of one pool. Its bearer token is the credential "prometheus:NAME"."""

    name = models.SlugField(max_length=60, unique=True)
    pool = models.OneToOneField("fleet.Pool", on_delete=models.PROTECT, related_name="prometheus")
    url = models.CharField(max_length=300)  # "https://prometheus.example.org/prefix", without a slash at the end
    label = models.CharField(max_length=61, default="instance")  # whose value names the gateway
    queries = models.JSONField(default=dict)  # column → PromQL in place of fleet.prometheus.promql.METRICS
    asked_at = models.FloatField(default=0.0)  # epoch seconds
    answered_at = models.FloatField(default=0.0)
    say = models.TextField(blank=True)  # why it did not answer, or which query it refused

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class OutsideReading(models.Model):
    """What Prometheus said of one gateway at one moment. None: it has no such series. Prometheus keeps the long past.

    Units are in the names; rates are a minute's.
    """

    KEEP_DAYS = 7

    gateway = models.ForeignKey("fleet.Gateway", on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.BigIntegerField()  # epoch seconds, when it was asked
    sessions = models.FloatField(null=True)
    logins = models.FloatField(null=True)
    failures = models.FloatField(null=True)
    errors = models.FloatField(null=True)
    banned = models.FloatField(null=True)
    auth_seconds = models.FloatField(null=True)
    cpu_percent = models.FloatField(null=True)
    memory_percent = models.FloatField(null=True)
    tracked_percent = models.FloatField(null=True)
    retransmitted_percent = models.FloatField(null=True)
    open_files = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "at"], name="one_outside_reading_a_moment")]
        indexes = [models.Index(fields=["at"], name="outside_reading_at")]

    def __str__(self) -> str:
        return f"{self.gateway_id} {self.at}"
