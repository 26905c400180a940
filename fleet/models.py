"""What exists, how to reach it, how it feels."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from fleet.alarm_models import AlarmRule as AlarmRule
from fleet.alarm_models import AlarmState as AlarmState
from fleet.alarm_models import Contact as Contact
from fleet.alarm_models import Delivery as Delivery
from fleet.alarm_models import Notice as Notice
from fleet.alarm_models import Silence as Silence
from fleet.balancer_models import Balancer as Balancer
from fleet.balancer_models import BalancerPeer as BalancerPeer
from fleet.probe_models import Probe as Probe
from fleet.probe_models import ProbeHost as ProbeHost
from fleet.probe_models import ProbeReading as ProbeReading
from fleet.prometheus_models import OutsideReading as OutsideReading
from fleet.prometheus_models import PrometheusSource as PrometheusSource
from fleet.quiet_models import QuietLoss as QuietLoss
from fleet.quiet_models import QuietWatch as QuietWatch
from fleet.reading_models import Reading as Reading
from fleet.reading_models import Span as Span
from fleet.reading_models import Watch as Watch
from fleet.rotation_models import KeyRotation as KeyRotation
from fleet.ticket_models import Ticket as Ticket
from fleet.ticket_models import TicketMessage as TicketMessage
from fleet.ticket_models import TicketSource as TicketSource


class Channel(models.TextChoices):
    """How far a release has come. In this order: a pool takes its own channel's releases and those further on."""

    CANDIDATE = "candidate"
    STAGING = "staging"
    PRODUCTION = "production"


class Pool(models.Model):
    """Gateways that are run by the same people under the same rules; permissions are granted here."""

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120, blank=True)
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.PRODUCTION)  # the least it takes

    class Meta:
        ordering = ["name"]
        permissions = [
            ("submit_rollout", "May plan a rollout and ask for approval"),
            ("approve_rollout", "May approve a rollout"),
            ("promote_rollout", "May promote the next wave"),
            ("hold_rollout", "May hold and resume a rollout"),
            ("rollback_rollout", "May roll back"),
            ("set_bounds", "May begin a freeze, and ask for windows, budgets and the end of a freeze"),
            ("approve_bounds", "May confirm windows, budgets and the end of a freeze"),
            ("pass_freeze", "May approve a rollout that passes a freeze"),
            ("propose_config", "May propose a configuration"),
            ("approve_config", "May approve a configuration"),
            ("enrol_gateway", "May enrol gateways and let them go, and ask to adopt or put back drift"),
            ("approve_gateway", "May confirm gateways, host keys and what becomes of drift"),
            ("give_role", "May give and take roles, and set who is on call"),
            ("approve_role", "May confirm roles that approve or administer"),
        ]

    def __str__(self) -> str:
        return self.name


class PoolUserObjectPermission(UserObjectPermissionBase):
    """Direct foreign key: a deleted pool leaves no permission behind for the next one with its number."""

    content_object = models.ForeignKey(Pool, on_delete=models.CASCADE)


class PoolGroupObjectPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Pool, on_delete=models.CASCADE)


class Gateway(models.Model):
    class State(models.TextChoices):
        PROPOSED = "proposed"  # a second person has not confirmed its host keys yet: nobody talks to it
        ENROLLED = "enrolled"
        UNREACHABLE = "unreachable"
        QUARANTINED = "quarantined"  # its host key is not the pinned one: nobody talks to it until a person looked
        LEFT = "left"  # it left the fleet; its row stays for the record

    SPOKEN_TO = (State.ENROLLED, State.UNREACHABLE)
    """States in which the machine connects to it; in all others nobody does until a person has decided."""

    class Adapter(models.TextChoices):
        SSH = "ssh"
        MEMORY = "memory"

    name = models.CharField(max_length=80, unique=True)
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="gateways")
    adapter = models.CharField(max_length=8, choices=Adapter.choices, default=Adapter.SSH)
    address = models.CharField(max_length=255)  # where sshd answers
    port = models.PositiveIntegerField(default=22)
    ssh_user = models.CharField(max_length=64, default="ocgate")
    public_address = models.CharField(max_length=255, blank=True)  # where users connect
    failure_domain = models.CharField(max_length=60, blank=True)  # gateways that fail together
    group = models.CharField(max_length=60, blank=True)  # they stand in for each other: never two at work together
    labels = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.ENROLLED)
    state_reason = models.TextField(blank=True)
    fence = models.BigIntegerField(default=0)  # only grows; drawn anew at each claim of a step
    ordered = models.BigIntegerField(default=0, db_default=0)  # the highest of them that the gateway can have seen
    facts = models.JSONField(default=dict, blank=True)  # the last answer of `facts`, as it came
    facts_at = models.DateTimeField(null=True, blank=True)
    release = models.CharField(max_length=64, blank=True)  # committed, as the gateway last said
    sessions = models.PositiveIntegerField(default=0)  # as the gateway last said
    inventory = models.JSONField(default=dict, blank=True)  # the last answer of `inventory`, as it came
    inventory_at = models.DateTimeField(null=True, blank=True)
    calls_in = models.BooleanField(default=False)  # it downloads with a ticket; else its bundles come over SSH
    seen_keys = models.JSONField(default=list, blank=True)  # [kind, base64] that it showed instead of the pinned ones
    ssh_ca = models.BooleanField(default=False)  # it lets our SSH CA's certificates in; else the key "ssh-key"
    config = models.JSONField(default=dict, blank=True)  # its config.json, as it was last prepared here
    front = models.ForeignKey(Balancer, null=True, blank=True, on_delete=models.PROTECT, related_name="gateways")
    backend = models.CharField(max_length=64, blank=True)  # in that balancer's configuration
    servers = models.JSONField(default=dict, blank=True)  # its names there: {"": "gw1"}, or by slot {"1": "gw1-1", …}

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["state", "pool"], name="gateway_state_pool")]

    def __str__(self) -> str:
        return self.name


class HostKey(models.Model):
    """A pinned SSH host key. Never changed by the machine."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="host_keys")
    kind = models.CharField(max_length=40)  # "ssh-ed25519"
    key = models.TextField()  # base64
    pinned_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "kind"], name="one_host_key_a_kind")]

    def __str__(self) -> str:
        return f"{self.gateway_id} {self.kind}"


class Credential(models.Model):
    """A secret, sealed with AES-256-GCM; the row's identity is its associated data (fleet/sealed.py)."""

    name = models.CharField(max_length=80, unique=True)  # "ssh-key", "probe:fra-gw-01"
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=32)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Sample(models.Model):
    """What one slot said at one moment; `values` are those of fleet.ports.SlotMetrics, and the probe's."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="samples")
    slot = models.PositiveSmallIntegerField()
    release = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()
    values = models.JSONField()

    class Meta:
        ordering = ["at"]
        indexes = [models.Index(fields=["gateway", "at"], name="sample_gateway_at")]
        constraints = [models.CheckConstraint(condition=Q(slot__gte=1), name="sample_slot_from_1")]

    def __str__(self) -> str:
        return f"{self.gateway_id}/{self.slot} {self.at:%H:%M:%S}"


class Alert(models.Model):
    """Something that a person should look at, from when to when. Opened and ended by fleet/alerts.py alone.

    Drift is about a part of one gateway; what calls a person for other reasons is about a subject.
    """

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts")
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts")  # of a call
    kind = models.CharField(max_length=20)  # "drift", or a name in fleet.alerts.CALLS
    code = models.CharField(max_length=40, blank=True)  # which part drifted: a name in fleet.drift.PARTS
    subject = models.CharField(max_length=80, blank=True, db_default="")  # of a call: "rollout:12", "budget:fleet"
    link = models.CharField(max_length=200, blank=True, db_default="")  # of a call: the page on which it is decided
    say = models.TextField()
    details = models.JSONField(default=dict)  # {"diff": text with secrets masked, "logins": […], "was", "is"}
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "kind", "code"], condition=Q(ended_at=None), name="one_open_alert_a_code"
            ),
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(ended_at=None) & ~Q(subject=""), name="one_open_call_a_subject"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.code} of {self.subject or self.gateway_id}"

    @property
    def host(self) -> Gateway:
        """The gateway that drifted. Raise LookupError for a call: that may be about none."""
        if self.gateway is None:
            raise LookupError(f"alert {self.pk} is about no gateway")
        return self.gateway


class Agreement(models.Model):
    """What was agreed for one part of one gateway where no rollout and no revision says it: pinned keys, its ocgate.

    Noted at the first look after enrolment, when an errand changed it, when drift is adopted; by fleet/agreements.py.
    """

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="agreements")
    code = models.CharField(max_length=40)  # a name in fleet.drift.PARTS
    value = models.CharField(max_length=200)  # a SHA-256, or a release's name
    shown = models.TextField(blank=True)  # the same for people, a line a fact; differences are shown against it
    why = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "code"], name="one_agreement_a_part")]

    def __str__(self) -> str:
        return f"{self.code} of {self.gateway_id}"


class Errand(models.Model):
    """One thing that a gateway outside any rollout still has to do: claimed by lease, settled once, asked until done.

    Those that are not done are the list of gateways that have not followed yet. `args` carry ids, never secrets.
    """

    class State(models.TextChoices):
        DUE = "due"
        CLAIMED = "claimed"
        DONE = "done"
        FAILED = "failed"  # the gateway said no; a person must look
        DROPPED = "dropped"  # something newer replaced it

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="errands")
    kind = models.CharField(max_length=20)  # a name in fleet.errands.KINDS
    subject = models.CharField(max_length=80)  # what it is for: "signer:3", "config:7"
    args = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DUE)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    say = models.TextField(blank=True)  # what came of the last try
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at"]
        indexes = [models.Index(fields=["state", "due_at"], name="errand_due")]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "kind", "subject"],
                condition=Q(state__in=["due", "claimed"]),
                name="one_open_errand_a_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} on {self.gateway_id}"
