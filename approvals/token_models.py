"""Tokens with which programs act for a person, wrong ones, and answers that are kept. Part of approvals.models."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class ApiToken(models.Model):
    """What a program shows instead of a session: never more than its owner may. Written by approvals/tokens.py alone.

    `scopes` is a list of "read", "operate" and "approve"; `places` of scopes such as "pool:3", empty for everywhere.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=60)  # what uses it, in the owner's words
    prefix = models.CharField(max_length=12)  # the first letters, by which one recognises it: "ho_Ab3dE6g8"
    sha256 = models.CharField(max_length=64, unique=True)  # of the whole token, which is kept nowhere
    scopes = models.JSONField()
    places = models.JSONField(default=list)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)  # to the minute
    used_from = models.CharField(max_length=45, blank=True)  # the address of the last use

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("made_at")), name="token_expires"),
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="token_is_hashed"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} of {self.owner_id}"


class WrongTokens(models.Model):
    """How many wrong tokens came from one address within a window of time."""

    address = models.CharField(max_length=45, unique=True)
    since = models.DateTimeField()
    number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.number} from {self.address}"


class KeptAnswer(models.Model):
    """What a call with an Idempotency-Key was answered: the same call again gets the same. Empty while it runs."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=80)
    digest = models.CharField(max_length=64)  # SHA-256 of method, address and body
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=80, blank=True)  # content type
    etag = models.CharField(max_length=40, blank=True)
    body = models.TextField(blank=True)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_answer_a_key")]

    def __str__(self) -> str:
        return f"{self.key} of {self.owner_id}"
