"""What may run: releases, the signatures over them, and who may sign."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from fleet.models import Channel, Gateway, Pool


class TrustedSigner(models.Model):
    """Somebody whose signature counts. Pinned by fingerprint, not by name."""

    class Kind(models.TextChoices):
        OPENPGP = "openpgp", "OpenPGP"
        CA = "ca", "company CA"  # whoever it gave a codeSigning certificate; told apart by the certificate's subject

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.OPENPGP)
    fingerprint = models.CharField(max_length=64, unique=True)  # primary key's, or SHA-256 of the CA's DER; upper case
    label = models.CharField(max_length=120)
    public_key = models.TextField()  # armoured; for a CA its certificates in PEM, the root first
    crl = models.TextField(blank=True)  # of a CA, PEM
    group = models.SlugField(max_length=40, default="release")  # what a channel's policy counts
    active = models.BooleanField(default=True)
    added_at = models.DateTimeField()

    class Meta:
        permissions = [
            ("propose_trust", "May propose who may sign, and the channels' policies"),
            ("approve_trust", "May approve who may sign, and the channels' policies"),
        ]

    def __str__(self) -> str:
        return self.label


class TrustStatement(models.Model):
    """What gateways are to trust from now on, for the signers whom they trust until now to sign with their own keys.
    Written by releases/statements.py alone."""

    class State(models.TextChoices):
        WAITING = "waiting"  # for signatures
        SENT = "sent"
        REPLACED = "replaced"  # by a later one, before enough had signed

    serial = models.PositiveIntegerField(unique=True)  # gateways take no lower one
    text = models.TextField()  # canonical JSON, exactly what is signed
    old = models.JSONField()  # {"threshold", "group", "signers": [as signatures.Signer]}: whose signatures it needs
    signatures = models.JSONField(default=list)  # [{"name", "text", "identity"}]
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    drawn_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-serial"]

    def __str__(self) -> str:
        return f"trust {self.serial}"


class ChannelPolicy(models.Model):
    """What a release needs to be in a channel. A missing row is a policy that says no."""

    channel = models.CharField(max_length=10, choices=Channel.choices, unique=True)
    threshold = models.PositiveSmallIntegerField(default=1)  # distinct signers
    group = models.SlugField(max_length=40, blank=True)  # of which group; "" is any
    max_age_days = models.PositiveIntegerField(default=0)  # of a signature when it is used; 0 is any
    matrix = models.JSONField(default=list)  # the parts that must be green to enter: "static", "functional", "stress"

    class Meta:
        permissions = [
            ("pass_release", "May pass a release on to the next channel"),
            ("approve_release", "May approve a release in spite of a red cell"),
        ]
        constraints = [models.CheckConstraint(condition=Q(threshold__gte=1), name="channel_needs_a_signer")]

    def __str__(self) -> str:
        return self.channel


class ChannelUserObjectPermission(UserObjectPermissionBase):
    content_object = models.ForeignKey(ChannelPolicy, on_delete=models.CASCADE)


class ChannelGroupObjectPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(ChannelPolicy, on_delete=models.CASCADE)


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
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.CANDIDATE)
    provenance = models.JSONField(default=dict, blank=True)  # the manifest's: builder, source, revision, place
    tree = models.CharField(max_length=64, blank=True)  # archive.tree of what the bundle unpacks to; drift compares it
    contents = models.JSONField(default=dict, blank=True)  # {"files": n, "unpacked": bytes, "libraries": [names]}
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["-counter", "name"]
        permissions = [("yank_release", "May withdraw a release")]
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
    signed_at = models.DateTimeField(null=True, blank=True)  # as the signed bytes say
    identity = models.CharField(max_length=200)  # who: the fingerprint, or the certificate's subject

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "identity"], name="one_signature_an_identity")]

    def __str__(self) -> str:
        return f"{self.release_id} by {self.signer_id}"


class Downgrade(models.Model):
    """The word *downgrade* over one release's digest, for approvers to sign with their own keys: gateways that have run
    something higher take the release only with it. Written by releases/downgrades.py alone."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="downgrades")
    text = models.TextField()  # canonical JSON, exactly what is signed
    signatures = models.JSONField(default=list)  # [{"name": "alice.sig", "text": armoured SSHSIG}]
    drawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    drawn_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-drawn_at"]

    def __str__(self) -> str:
        return f"downgrade to {self.release_id}"


class ConfigRevision(models.Model):
    """One version of the operator's ocserv.conf, for a pool or for one gateway. The text may hold secrets, so it is
    kept sealed (fleet.sealed, name "config:<id>"); `masked` is what people are shown."""

    class State(models.TextChoices):
        DRAFT = "draft"
        WAITING = "waiting"  # for a second person
        AGREED = "agreed"
        REJECTED = "rejected"

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="configs")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, null=True, blank=True, related_name="configs")
    number = models.PositiveIntegerField()  # from 1, per pool
    sha256 = models.CharField(max_length=64)
    masked = models.TextField()
    note = models.TextField(blank=True)  # why
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    state_reason = models.TextField(blank=True)
    statement = models.TextField(blank=True)  # canonical JSON that approvers signed; "" where one word is enough
    signatures = models.JSONField(default=list)  # [{"name": "alice.sig", "text": armoured SSHSIG}]
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["pool", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "number"], name="config_numbers"),
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="config_digest_is_sha256"),
        ]

    def __str__(self) -> str:
        return f"configuration {self.number} of {self.pool_id}"


class MatrixRun(models.Model):
    """One run of a part of the test matrix over a release, on one machine."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"  # could not be run to its end; that is no verdict on the release

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="matrix_runs")
    part = models.CharField(max_length=10)  # static, functional, stress
    upgraded_from = models.CharField(max_length=64, blank=True)  # the release that it was compared with or came from
    place = models.CharField(max_length=80, blank=True)  # "lab", or the staging gateway's name
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    progress = models.JSONField(default=dict)  # {"say", "done", "total"}
    say = models.TextField(blank=True)
    versions = models.JSONField(default=dict)  # of what took part: openconnect, kernel, the machine
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.part} of {self.release_id}"


class MatrixCell(models.Model):
    """One test's result in a run. Only green lets a release pass."""

    class Verdict(models.TextChoices):
        GREEN = "green"
        RED = "red"
        UNCLEAR = "unclear"  # too little evidence either way

    run = models.ForeignKey(MatrixRun, on_delete=models.CASCADE, related_name="cells")
    test = models.CharField(max_length=40)  # "certificate", "memory growth"
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    say = models.TextField()
    numbers = models.JSONField(default=dict)
    log = models.TextField(blank=True)  # its end, at most 64 KiB
    seconds = models.FloatField(default=0.0)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["run", "test"], name="one_cell_a_test")]

    def __str__(self) -> str:
        return f"{self.test}: {self.verdict}"
