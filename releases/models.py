"""What may run: releases, the signatures over them, and who may sign."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class TrustedSigner(models.Model):
    """Somebody whose signature counts. Pinned by fingerprint, not by name."""

    kind = models.CharField(max_length=10, choices=[("openpgp", "OpenPGP")], default="openpgp")
    fingerprint = models.CharField(max_length=64, unique=True)  # primary key's, upper-case hex
    label = models.CharField(max_length=120)
    public_key = models.TextField()  # armoured
    active = models.BooleanField(default=True)
    added_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.label


class Release(models.Model):
    """A bundle that passed intake. Its digest is what is approved, staged and recorded; the name is for people."""

    class State(models.TextChoices):
        READY = "ready"
        YANKED = "yanked"

    name = models.CharField(max_length=64, unique=True)  # the folder on the gateway: "1.3.0-2"
    product = models.CharField(max_length=40)
    version = models.CharField(max_length=40)
    counter = models.BigIntegerField()
    architecture = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of manifest.json
    manifest = models.TextField()  # the exact texts that were signed
    sums = models.TextField()
    changelog = models.TextField(blank=True)
    bundle = models.CharField(max_length=255)  # path below settings.REPOSITORY
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    source = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.READY)
    state_reason = models.TextField(blank=True)
    state_migration = models.BooleanField(default=False)  # going back would need data to go back too
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["-counter", "name"]
        constraints = [
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="release_digest_is_sha256")
        ]

    def __str__(self) -> str:
        return self.name


class Signature(models.Model):
    """A detached signature over SHA256SUMS that was verified at intake."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="signatures")
    name = models.CharField(max_length=80)  # file name
    text = models.TextField()
    signer = models.ForeignKey(TrustedSigner, on_delete=models.PROTECT, related_name="signatures")
    verified_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "signer"], name="one_signature_a_signer")]

    def __str__(self) -> str:
        return f"{self.release_id} by {self.signer_id}"
