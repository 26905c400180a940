"""Outgoing webhooks: who is told of which events, and what became of each message. Part of upgrader.models."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class WebhookEndpoint(models.Model):
    """One address that is told of events. Address and secret are sealed under "webhook:ID", "webhook-secret:ID"."""

    name = models.CharField(max_length=60)
    hint = models.CharField(max_length=120)  # what may be shown of the address
    events = models.JSONField()  # ["rollout.wave.awaiting_approval", …]
    pool = models.ForeignKey("fleet.Pool", on_delete=models.CASCADE, null=True, blank=True, related_name="+")  # or all
    after = models.BigIntegerField()  # number of the last event of the record that was looked at
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=Q(ended_at=None), name="one_webhook_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One event for one endpoint: claimed by lease, sent, settled once. upgrader/webhooks/outbox.py alone writes it."""

    class State(models.TextChoices):
        DUE = "due"
        CLAIMED = "claimed"
        SENT = "sent"
        FAILED = "failed"  # tried for as long as it makes sense, or refused for good
        DROPPED = "dropped"  # its endpoint was ended before

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    seq = models.BigIntegerField()  # of the event; 0 and below: a test
    event = models.CharField(max_length=60)
    body = models.TextField()  # exactly what is signed and sent
    state = models.CharField(max_length=7, choices=State.choices, default=State.DUE)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True)  # of the other side to the last try
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["state", "due_at"], name="webhook_due")]
        constraints = [models.UniqueConstraint(fields=["endpoint", "seq"], name="one_delivery_an_event")]

    def __str__(self) -> str:
        return f"{self.event} {self.seq} to {self.endpoint_id}"
