"""Probe hosts and what they found. Part of fleet.models. Written by fleet/probes/journal.py and store.py alone."""

from __future__ import annotations

from django.db import models


class ProbeHost(models.Model):
    """A machine outside of the gateways that signs in at those of its pool. Added and changed by two persons only."""

    name = models.SlugField(max_length=60, unique=True)
    pool = models.ForeignKey("fleet.Pool", on_delete=models.PROTECT, related_name="probe_hosts")
    address = models.CharField(max_length=255)  # where its sshd answers
    port = models.PositiveIntegerField(default=22)
    ssh_user = models.CharField(max_length=64, default="probegate")
    key_kind = models.CharField(max_length=40)  # "ssh-ed25519"
    key = models.TextField()  # base64, pinned
    ssh_ca = models.BooleanField(default=False)  # it lets our SSH CA's certificates in; else the key "probe-key"
    seen_from = models.GenericIPAddressField()  # where gateways see it come from: their numbers leave it out
    ping = models.GenericIPAddressField(protocol="IPv4", null=True, blank=True)  # none: the gateway's own end
    fetch = models.CharField(max_length=300, blank=True)  # http address behind the tunnels; "": echo packets
    shut = models.TextField(blank=True)  # why nobody talks to it until a person has looked; "": it is talked to
    asked_at = models.FloatField(default=0.0)  # epoch seconds
    answered_at = models.FloatField(default=0.0)
    misses = models.PositiveIntegerField(default=0)  # in a row
    say = models.TextField(blank=True)  # why it did not answer

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Probe(models.Model):
    """How one gateway looks from one host: when it is due again, and what came last."""

    host = models.ForeignKey(ProbeHost, on_delete=models.CASCADE, related_name="probes")
    gateway = models.ForeignKey("fleet.Gateway", on_delete=models.CASCADE, related_name="probes")
    due_at = models.FloatField()  # epoch seconds; moved before the gateway is asked, so that a crash asks no sooner
    at = models.FloatField(default=0.0)  # of what came last; 0: nothing yet
    outcome = models.CharField(max_length=12, blank=True)  # a name in fleet.probes.verdict.Outcome
    say = models.TextField(blank=True)
    good_at = models.FloatField(default=0.0)
    failures = models.PositiveIntegerField(default=0)  # in a row
    values = models.JSONField(default=dict)  # columns of the last ProbeReading

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "gateway"], name="one_probe_a_host_and_gateway")]

    def __str__(self) -> str:
        return f"{self.host_id} {self.gateway_id} {self.outcome}"


class ProbeReading(models.Model):
    """One probe, or all of an hour: counts in it, and means of what was measured. None: it was not come so far.

    `slot` and `release` say who answered, as the tunnel's address tells; slot 0: not known.
    """

    ONE, HOUR = 1, 3600
    KEEP_DAYS = {ONE: 7, HOUR: 400}
    """Span → days. A host with 100 gateways makes a million single ones in a week."""

    gateway = models.ForeignKey("fleet.Gateway", on_delete=models.CASCADE, related_name="+", db_index=False)
    host = models.ForeignKey(ProbeHost, on_delete=models.CASCADE, related_name="+", db_index=False)
    span = models.PositiveIntegerField()
    at = models.BigIntegerField()  # epoch seconds: its begin
    slot = models.PositiveSmallIntegerField(default=0)
    release = models.CharField(max_length=64, blank=True)
    tried = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()  # of these; one that was banned or stopped by its own host is none
    banned = models.PositiveIntegerField()
    dtls = models.PositiveIntegerField(null=True)  # tunnels with DTLS
    sent = models.PositiveIntegerField(null=True)
    lost = models.PositiveIntegerField(null=True)
    connect_ms = models.FloatField(null=True)
    handshake_ms = models.FloatField(null=True)
    login_ms = models.FloatField(null=True)
    tunnel_ms = models.FloatField(null=True)
    rtt_ms = models.FloatField(null=True)
    jitter_ms = models.FloatField(null=True)
    kbit_s = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gateway", "span", "at", "host", "slot"], name="one_probe_reading_a_span")
        ]
        # The roll-up and the purge look for an hour of all gateways.
        indexes = [models.Index(fields=["span", "at"], name="probe_reading_span_at")]

    def __str__(self) -> str:
        return f"{self.gateway_id} from {self.host_id} {self.at} + {self.span} s"
