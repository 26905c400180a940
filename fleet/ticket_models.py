"""What users complain of, and the systems that tell us. Part of fleet.models. Written by fleet/tickets/journal.py."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class TicketSource(models.Model):
    """A system of the NOC that may report. Its token is shown once; here is its SHA-256 only."""

    class Kind(models.TextChoices):
        JSON = "json", "JSON"
        ALERTMANAGER = "alertmanager", "Alertmanager"

    class Proof(models.TextChoices):
        """How a message shows whose it is. Secrets are sealed under fleet.tickets.proofs.seal_name."""

        TOKEN = "", "a token"
        STANDARD = "standard", "a signature (Standard Webhooks)"
        HUB = "hub", "a signature (X-Hub-Signature-256)"

    name = models.SlugField(max_length=40, unique=True)  # part of the address that it posts to
    kind = models.CharField(max_length=12, choices=Kind.choices)
    pool = models.ForeignKey("fleet.Pool", on_delete=models.PROTECT, null=True, blank=True, related_name="+")  # or all
    proof = models.CharField(max_length=8, choices=Proof.choices, default=Proof.TOKEN, db_default="", blank=True)
    token_sha256 = models.CharField(max_length=64)  # "" of one that signs
    old_sha256 = models.CharField(max_length=64, default="", db_default="", blank=True)  # the token before this one
    old_until = models.DateTimeField(null=True, blank=True)  # so long the token or secret before counts, too
    old_used_at = models.DateTimeField(null=True, blank=True)  # when it was last used after there was a newer one
    mapping = models.JSONField(default=dict)  # of JSON: our field → where it stands in theirs, "ticket.caller.login"
    added_by = models.CharField(max_length=150)
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TicketMessage(models.Model):
    """A signed message that was taken, so that a copy of it is not: by what tells it apart within its source."""

    source = models.ForeignKey(TicketSource, on_delete=models.CASCADE, related_name="+")
    message_id = models.CharField(max_length=200)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "message_id"], name="signed_message_once")]

    def __str__(self) -> str:
        return f"{self.source_id} {self.message_id}"


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
