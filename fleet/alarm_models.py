"""Alert rules, silences, whom alerts reach, and what they were sent. Part of fleet.models; fleet/alarms/ writes it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class AlarmRule(models.Model):
    """One version of a rule. Never changed: a change is a further version, and the one before is no longer current."""

    code = models.SlugField(max_length=40)  # "login-failures": a name in fleet.alarms.rules.DEFAULTS
    pool = models.ForeignKey("fleet.Pool", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField()
    current = models.BooleanField(default=True)
    spec = models.JSONField()  # as fleet.alarms.rules.parse reads it
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    why = models.TextField()

    class Meta:
        ordering = ["code", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["code"], condition=Q(current=True, pool=None), name="one_current_rule_of_the_fleet"
            ),
            models.UniqueConstraint(fields=["code", "pool"], condition=Q(current=True), name="one_current_rule_a_pool"),
        ]

    def __str__(self) -> str:
        return f"{self.code} v{self.version} {self.pool_id or 'fleet'}"


class AlarmState(models.Model):
    """How one rule stands with one gateway, where it is not simply well. `group`: fleet.alarms.watch.Group as JSON."""

    code = models.CharField(max_length=40)
    gateway = models.ForeignKey("fleet.Gateway", on_delete=models.CASCADE, related_name="+")
    since = models.FloatField()  # epoch seconds: the limit is passed without a break since then
    firing = models.BooleanField(default=False)  # it has been for as long as the rule says
    value = models.FloatField(null=True)  # None: it can't be judged
    group = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code", "gateway"], name="one_state_a_rule_and_gateway")]

    def __str__(self) -> str:
        return f"{self.code} on {self.gateway_id}"


class Silence(models.Model):
    """Nobody is told of these alerts until it ends. What is left empty matches all; something is always given."""

    what = models.CharField(max_length=40, blank=True)  # a rule's code, or the kind of another alert
    pool = models.ForeignKey("fleet.Pool", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    gateway = models.ForeignKey("fleet.Gateway", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    rollout = models.BigIntegerField(null=True, blank=True)  # its number: rollouts are the matter of the app above
    reason = models.TextField()
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)  # before its time
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-begins_at"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("begins_at")), name="silence_ends"),
            models.CheckConstraint(
                condition=~Q(what="", pool=None, gateway=None, rollout=None), name="silence_is_about_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what or 'all'} until {self.ends_at:%F %H:%M}"


class Notice(models.Model):
    """How far people know of one alert. Written by fleet/alarms/notices.py alone."""

    alert = models.OneToOneField("fleet.Alert", on_delete=models.CASCADE, related_name="notice")
    begun_at = models.DateTimeField()  # the first moment at which somebody was to be told
    acked_at = models.DateTimeField(null=True, blank=True)
    acked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    ack_say = models.TextField(blank=True)
    acked_for = models.PositiveIntegerField(default=0, db_default=0)  # gateways that it was about then
    turns_before = models.PositiveIntegerField(default=0, db_default=0)  # turns of deliveries before it began anew
    closed_at = models.DateTimeField(null=True, blank=True)  # its end is written for all who were told

    def __str__(self) -> str:
        return f"notice of {self.alert_id}"


class Contact(models.Model):
    """Whom alerts reach: one address, sealed under "contact:ID" (fleet/sealed.py) and never shown again in full."""

    class Severity(models.TextChoices):
        WARNING = "warning"  # everything
        CRITICAL = "critical"  # only what is critical

    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=12)  # a name in fleet.alarms.addresses.KINDS
    pool = models.ForeignKey("fleet.Pool", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.WARNING)
    after_minutes = models.PositiveIntegerField(default=0)  # of an alert that nobody has acknowledged
    repeat_minutes = models.PositiveIntegerField(default=30)  # 0: told once
    hint = models.CharField(max_length=120)  # what may be shown of the address
    # Whose it is: told only while that person is on call, on pools that have a calendar (approvals/duty.py).
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    signs = models.BooleanField(default=False, db_default=False)  # a webhook with a secret: fleet/alarms/secrets.py
    old_until = models.DateTimeField(null=True, blank=True)  # so long the secret before signs, too
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["after_minutes", "name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=Q(retired_at=None), name="one_contact_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message to one contact: claimed by lease, sent, and what the other side answered. The record of it, too."""

    class What(models.TextChoices):
        OPENED = "opened"
        ENDED = "ended"
        TEST = "test"

    class State(models.TextChoices):
        DUE = "due"
        CLAIMED = "claimed"
        SENT = "sent"
        FAILED = "failed"  # tried for as long as it makes sense
        DROPPED = "dropped"  # it was over before it could be sent, or its contact was retired

    alert = models.ForeignKey("fleet.Alert", on_delete=models.CASCADE, null=True, related_name="deliveries")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="deliveries")
    what = models.CharField(max_length=6, choices=What.choices)
    turn = models.PositiveIntegerField(default=0)  # how often it was told before
    state = models.CharField(max_length=7, choices=State.choices, default=State.DUE)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    said = models.TextField(blank=True)  # the message as it was sent
    answer = models.TextField(blank=True)  # of the other side to the last try
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["state", "due_at"], name="delivery_due")]
        constraints = [models.UniqueConstraint(fields=["alert", "contact", "what", "turn"], name="one_delivery_a_turn")]

    def __str__(self) -> str:
        return f"{self.what} {self.turn} of {self.alert_id} to {self.contact_id}"
