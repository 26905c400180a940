"""Load balancers in front of gateways. Part of fleet.models."""

from __future__ import annotations

from django.db import models


class Balancer(models.Model):
    """What stands in front of gateways: one machine, or several that do the same (its peers)."""

    class Kind(models.TextChoices):
        HAPROXY = "haproxy", "HAProxy"

    name = models.SlugField(max_length=60, unique=True)
    pool = models.ForeignKey("fleet.Pool", on_delete=models.PROTECT, related_name="balancers")
    shared_with = models.ManyToManyField("fleet.Pool", blank=True, related_name="shared_balancers")
    kind = models.CharField(
        max_length=12, choices=Kind.choices, default=Kind.HAPROXY
    )  # a name in fleet.traffic.DRIVERS
    seen = models.JSONField(default=dict, blank=True)  # what its peers said when they were last looked at
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BalancerPeer(models.Model):
    """One machine of a balancer, with its pinned SSH host key. Added and changed by two persons only."""

    balancer = models.ForeignKey(Balancer, on_delete=models.CASCADE, related_name="peers")
    name = models.SlugField(max_length=60)
    address = models.CharField(max_length=255)  # where its sshd answers
    port = models.PositiveIntegerField(default=22)
    ssh_user = models.CharField(max_length=64, default="hagate")
    key_kind = models.CharField(max_length=40)  # "ssh-ed25519"
    key = models.TextField()  # base64
    shut = models.TextField(blank=True)  # why nobody talks to it until a person has looked; "": it is talked to

    class Meta:
        ordering = ["balancer", "name"]
        constraints = [models.UniqueConstraint(fields=["balancer", "name"], name="one_peer_a_name")]

    def __str__(self) -> str:
        return f"{self.balancer_id} {self.name}"
