"""What a yes needs, who decides for whom, who is one person, and what was done by one person alone. Part of
approvals.models; approvals/{policies,delegation,persons,breakglass}.py write it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class ApprovalPolicy(models.Model):
    """One version of what a kind of request needs. Never changed: a change is a further version."""

    kind = models.CharField(max_length=40, blank=True)  # "rollout.start"; "": every kind that has none of its own
    scope = models.CharField(max_length=80, default="all")  # "all", "pool:3", "channel:production"
    version = models.PositiveIntegerField()
    current = models.BooleanField(default=True)
    spec = models.JSONField(null=True)  # as approvals.policy_spec.parse reads it; None: it was dropped
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    agreed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    why = models.TextField()

    class Meta:
        ordering = ["kind", "scope", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "scope"], condition=Q(current=True), name="one_current_policy_a_scope"
            ),
            models.UniqueConstraint(fields=["kind", "scope", "version"], name="policy_versions"),
        ]

    def __str__(self) -> str:
        return f"{self.kind or 'all kinds'} on {self.scope} v{self.version}"


class Identity(models.Model):
    """Something by which a person is known: two accounts with the same value are one person to a quorum."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="identities")
    value = models.CharField(max_length=200)  # "person:Amara Okafor", "signer:<fingerprint or certificate's subject>"
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["value"]
        constraints = [models.UniqueConstraint(fields=["user", "value"], name="one_identity_a_user")]

    def __str__(self) -> str:
        return f"{self.value} of {self.user_id}"


class Delegation(models.Model):
    """Somebody's right to decide in another's hands, for a time. Ended before its time, it takes its yes with it."""

    giver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_given")
    taker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_taken")
    scope = models.CharField(max_length=80, default="all")  # "all", "pool:3"
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.TextField()
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # before its time
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-begins_at"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("begins_at")), name="delegation_ends"),
            models.CheckConstraint(condition=~Q(giver=F("taker")), name="delegation_is_to_another"),
        ]

    def __str__(self) -> str:
        return f"{self.taker_id} for {self.giver_id} on {self.scope}"


class BreakGlass(models.Model):
    """One person did alone what needs two. Another writes what he found; until then everybody is told."""

    request = models.OneToOneField("approvals.Request", on_delete=models.PROTECT, related_name="broken_glass")
    scope = models.CharField(max_length=80)
    title = models.CharField(max_length=200)  # "Start ocserv 1.3.0-2 in eu-west"
    link = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.TextField()
    strength = models.CharField(max_length=20, blank=True)  # of the step-up with which it was done
    review_until = models.DateTimeField()
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    found = models.TextField(blank=True)

    class Meta:
        ordering = ["-at"]
        permissions = [("break_glass", "May do alone, in an emergency, what needs two people")]
        constraints = [
            models.CheckConstraint(
                condition=Q(reviewed_by=None) | ~Q(reviewed_by=F("by")), name="nobody_reviews_his_own"
            )
        ]

    def __str__(self) -> str:
        return f"{self.title} by {self.by_id}"
