"""What exists, how to reach it, how it feels."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase


class Pool(models.Model):
    """Gateways that are run by the same people under the same rules; permissions are granted here."""

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("submit_rollout", "May plan a rollout and ask for approval"),
            ("approve_rollout", "May approve a rollout"),
            ("promote_rollout", "May promote the next wave"),
            ("hold_rollout", "May hold and resume a rollout"),
            ("rollback_rollout", "May roll back"),
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
        ENROLLED = "enrolled"
        UNREACHABLE = "unreachable"
        QUARANTINED = "quarantined"  # its host key is not the pinned one: nobody talks to it until a person looked

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
    labels = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.ENROLLED)
    state_reason = models.TextField(blank=True)
    fence = models.BigIntegerField(default=0)  # only grows; drawn anew at each claim of a step
    facts = models.JSONField(default=dict, blank=True)  # the last answer of `facts`, as it came
    facts_at = models.DateTimeField(null=True, blank=True)
    release = models.CharField(max_length=64, blank=True)  # committed, as the gateway last said
    sessions = models.PositiveIntegerField(default=0)  # as the gateway last said

    class Meta:
        ordering = ["name"]

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
