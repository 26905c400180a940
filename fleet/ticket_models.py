"""What users complain of, and the systems that tell us. Part of fleet.models. Written by fleet/tickets/journal.py."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class TicketSource(models.Model):
    """A system of the NOC that may report. Its token is shown once; here is its SHA-256 only."""

    class Kind(models.TextChoices):
        JSON = "json", "JSON"
        ALERTMANAGER = "alertmanager", "Alertmanager"

    name = models.SlugField(max_length=40, unique=True)  # part of the address that it posts to
    kind = models.CharField(max_length=12, choices=Kind.choices)
    pool = models.ForeignKey("fleet.Pool", on_delete=models.PROTECT, null=True, blank=True, related_name="+")  # or all
    token_sha256 = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict)  # of JSON: our field → where it stands in theirs, "ticket.caller.login"
    added_by = models.CharField(max_length=150)
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Ticket(models.Model):
    """One complaint. The user's name stands as the NOC wrote it, here and not in the record."""

    class Found(models.TextChoices):
        """By what the gateway was found."""

        WAITING = "", "being looked for"
        NAMED = "named", "named in the complaint"
        ADDRESS = "address", "by the gateway's address"
        SESSION = "session", "by the user's session"
        NOWHERE = "nowhere", "not found"

    source = models.ForeignKey(TicketSource, on_delete=models.PROTECT, null=True, blank=True, related_name="tickets")
    external_id = models.CharField(max_length=120, blank=True)  # of the source; "" for one that was written by hand
    pool = models.ForeignKey("fleet.Pool", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    user = models.CharField(max_length=120, blank=True)
    address = models.CharField(max_length=64, blank=True)  # the user's, or the gateway's that he dialled
    text = models.TextField(blank=True)
    reported_at = models.DateTimeField()  # as the source says
    received_at = models.DateTimeField()
    reported_by = models.CharField(max_length=150)  # a person, or the source
    gateway = models.ForeignKey(
        "fleet.Gateway", on_delete=models.SET_NULL, null=True, blank=True, related_name="tickets"
    )
    slot = models.PositiveSmallIntegerField(null=True, blank=True)
    release = models.CharField(max_length=64, blank=True)
    found = models.CharField(max_length=8, choices=Found.choices, default=Found.WAITING, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)  # of the next try to find its gateway
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-reported_at"]
        indexes = [
            models.Index(fields=["gateway", "reported_at"], name="ticket_gateway_at"),
            models.Index(fields=["due_at"], name="ticket_due", condition=Q(due_at__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=Q(source__isnull=False), name="one_ticket_an_external_id"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source_id or 'by hand'} {self.external_id or self.pk}"
