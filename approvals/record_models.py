"""What proves the record, and what it must be able to forget. Part of approvals.models.

Checkpoints are written by approvals/checkpoints.py, the state of their copies by approvals/copies.py, names by
approvals/names.py.
"""

from __future__ import annotations

from django.db import models


class Checkpoint(models.Model):
    """The record's Merkle root at one size, signed. Append-only by triggers, like the record itself."""

    number = models.BigIntegerField(primary_key=True)  # contiguous from 1: of two writers one finds its number taken
    size = models.BigIntegerField()  # events that it covers
    root = models.CharField(max_length=64)  # RFC 6962, hex
    at = models.DateTimeField()
    origin = models.CharField(max_length=80)  # the name of this record; another one after an older database came back
    key = models.CharField(max_length=160)  # who signed, as a C2SP verifier key: "origin+hash+base64"
    note = models.TextField()  # the signed note, C2SP tlog-checkpoint
    frontier = models.TextField(blank=True)  # roots of the full trees that `size` is made of, hex; "" as at the last

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"checkpoint {self.number} of {self.size} events"


class CheckpointCopy(models.Model):
    """How far one place off this machine has the checkpoints. A place is named by a setting, and never by a page."""

    place = models.CharField(max_length=10, primary_key=True)  # "file", "syslog", "webhook"
    number = models.BigIntegerField(default=0)  # of the last checkpoint that it took
    size = models.BigIntegerField(default=0)  # leaf hashes that it has
    sent_at = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    say = models.TextField(blank=True)  # why the last try failed

    def __str__(self) -> str:
        return f"{self.place} has {self.size} events"


class RecordHalt(models.Model):
    """Why no checkpoint is signed. The row goes when a person has said what is to be believed."""

    since = models.DateTimeField()
    kind = models.CharField(max_length=20, unique=True)  # as approvals.chain.Finding.kind
    say = models.TextField()

    def __str__(self) -> str:
        return self.say


class UserName(models.Model):
    """The name of a VPN user behind the pseudonym that stands in the record. Forgotten after a while, or on request."""

    pseudonym = models.CharField(max_length=24, primary_key=True)
    name = models.CharField(max_length=120, db_index=True)
    made_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.pseudonym
