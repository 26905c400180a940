"""Who may say yes, and the record of all that was said and done. Knows none of the other apps."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q

from approvals.token_models import ApiToken as ApiToken
from approvals.token_models import KeptAnswer as KeptAnswer
from approvals.token_models import WrongTokens as WrongTokens


class User(AbstractUser):
    """A person. Ours from the first day, because changing the user model later is painful."""


@dataclass(frozen=True)
class Actor:
    """Who did it: a person, or a named part of the machine. Kept as text, so deleting a user forgets nobody's deed."""

    kind: str  # "person" | "machine"
    name: str
    user_id: int | None = None
    ip: str = ""
    request_id: str = ""
    strength: str = ""  # of the step-up that is still fresh: one of approvals.policy_spec.STRENGTHS
    proven: str = ""  # by what and when he last proved himself, "passkey at 2026-11-23T23:14:05Z"

    @classmethod
    def machine(cls, name: str) -> Actor:
        return cls(kind="machine", name=name)


class Request(models.Model):
    """A question to people: may this, with exactly this digest, happen? Void as soon as the digest is another."""

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        VOID = "void"
        EXPIRED = "expired"

    kind = models.CharField(max_length=40)  # what is asked, e.g. "rollout.start"
    subject = models.CharField(max_length=80)  # "rollout:12"
    scope = models.CharField(max_length=80)  # "pool:3": where the permission is looked up
    permission = models.CharField(max_length=80)  # the permission that a decider needs on the scope
    digest = models.CharField(max_length=64)
    summary = models.JSONField()  # what was shown to the one who decides
    needed = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    version = models.PositiveIntegerField(default=0)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="requests")
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()  # for the decision
    use_until = models.DateTimeField()  # for what was decided
    policy = models.JSONField(null=True, blank=True)  # what was in force when it was asked (approvals/policies.py)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="request_digest_is_sha256"),
            models.CheckConstraint(condition=Q(needed__gte=1), name="request_needs_someone"),
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(state="open"), name="one_open_request_a_subject"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Decision(models.Model):
    """One person's yes or no to one request."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="decisions")
    requested_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+"
    )  # copied: the constraint needs it on this row
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="decisions")
    yes = models.BooleanField()
    reason = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    # Whose right it was, where it was not one's own.
    delegation = models.ForeignKey("approvals.Delegation", on_delete=models.PROTECT, null=True, blank=True)
    strength = models.CharField(max_length=20, blank=True, db_default="")  # of the step-up with which it was given

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "by"], name="one_decision_a_person"),
            models.CheckConstraint(condition=~Q(by=F("requested_by")), name="nobody_approves_his_own"),
        ]

    def __str__(self) -> str:
        return f"{self.by_id} {'yes' if self.yes else 'no'} to {self.request_id}"


class ApproverKey(models.Model):
    """A person's own SSH key for statements that gateways check (approvals/statement.py). The private half stays with
    the person: a key that the controller holds would prove nothing."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="approver_keys")
    public_key = models.TextField()  # "ssh-ed25519 AAAA…", without a comment
    fingerprint = models.CharField(max_length=60, unique=True)  # "SHA256:…", as ssh-keygen -l shows it
    active = models.BooleanField(default=True)
    added_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.fingerprint} of {self.user_id}"


class AuditEvent(models.Model):
    """One entry of the record. `body` is the canonical JSON that was hashed; the other columns serve the search."""

    seq = models.BigIntegerField(primary_key=True)  # contiguous from 1, given by audit.append
    at = models.DateTimeField(db_index=True)
    verb = models.CharField(max_length=60)  # "rollout.moved"
    subject = models.CharField(max_length=80)  # "rollout:12"
    actor = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    body = models.TextField()
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["seq"]
        # The newest of one kind are the last leaves of its part of the index, however long the record is.
        indexes = [models.Index(fields=[name, "seq"], name=f"event_by_{name}") for name in ("verb", "subject", "actor")]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb} {self.subject}"


from approvals.cache_models import CacheRow as CacheRow  # noqa: E402 - as above
from approvals.index_models import EventAbout as EventAbout  # noqa: E402 - one app, one list of models
from approvals.policy_models import ApprovalPolicy as ApprovalPolicy  # noqa: E402 - as above
from approvals.policy_models import BreakGlass as BreakGlass  # noqa: E402 - as above
from approvals.policy_models import Delegation as Delegation  # noqa: E402 - as above
from approvals.policy_models import Identity as Identity  # noqa: E402 - as above
from approvals.record_models import Checkpoint as Checkpoint  # noqa: E402 - as above
from approvals.record_models import CheckpointCopy as CheckpointCopy  # noqa: E402 - as above
from approvals.record_models import RecordHalt as RecordHalt  # noqa: E402 - as above
from approvals.record_models import UserName as UserName  # noqa: E402 - as above
from approvals.role_models import RoleGroup as RoleGroup  # noqa: E402 - as above
from approvals.shift_models import Cover as Cover  # noqa: E402 - as above
from approvals.shift_models import Note as Note  # noqa: E402 - as above
from approvals.shift_models import Shift as Shift  # noqa: E402 - as above
