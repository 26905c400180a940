"""Another SSH key, or another SSH CA, for all gateways: begun by two people, signed by approvers, no gateway forgotten.

New beside old everywhere, then switch, then the old one goes. Each gateway checks the statement itself: a taken
controller can begin this, and no gateway follows. The only writer of KeyRotation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from approvals import audit, changes, statement
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import errands, ports, sealed, sshca
from fleet.gateways.dial import fingerprint_of, public_line
from fleet.gateways.rows import SSH_KEY
from fleet.models import Errand, Gateway, KeyRotation
from fleet.ocgate.authorize import line, sha256_of
from fleet.ocgate.install import PROGRAM
from fleet.ocgate.statement import canonical, drafted, moment
from fleet.phrases import count, listed

State = KeyRotation.State
OPEN = (State.SIGNING, State.SPREADING, State.CLEANING)
BEGIN, SWITCH = "ssh.rotate", "ssh.switch"
WORD = {SSH_KEY: "SSH key", sshca.SSH_CA: "SSH CA"}
GOOD_FOR = timedelta(days=90)
STEP = timedelta(seconds=1)  # between statements: a gateway that was told one can't be told an earlier one again
STAGE = {State.SPREADING: "both", State.CLEANING: "only"}


def propose(kind: str, *, by: User, actor: Actor, now: datetime, why: str = "") -> Request:
    """Ask a second person for a new SSH key or CA. The first one of its kind is simply made."""
    if kind not in WORD:
        raise Refused(f"There is no {kind[:20]} to rotate.")
    _refuse_open(kind)
    there = sealed.unseal_or_none(kind) is not None
    steps = "Approvers sign what gateways shall let in; each gateway checks that, then follows. Nobody is cut off."
    return changes.propose(
        BEGIN,
        by=by,
        actor=actor,
        now=now,
        subject=f"credential:{kind}",
        payload={"kind": kind},
        title=f"Make {'another' if there else 'the first'} {WORD[kind]}",
        lines=[f"{count(_fleet().count(), 'gateway')} must follow.", steps],
        why=why,
    )


def begun(applied: Applied) -> None:
    """The second person said yes: the new key is made and sealed, and what approvers sign is written down."""
    kind = str(applied.payload["kind"])
    _refuse_open(kind)
    fresh = sealed.unseal_or_none(kind) is None
    sealed.seal(kind if fresh else f"{kind}-next", sshca.make(), now=applied.now)
    if fresh and kind == SSH_KEY:
        _told("credential.kept", kind, actor=applied.actor, now=applied.now)
        return  # nobody knew another one: gateways get this one when they are installed
    both, only = _lines(kind)
    made = max(applied.now, _last_made() + STEP)
    try:
        with transaction.atomic():
            KeyRotation.objects.create(
                kind=kind,
                both=_stage(both, made=made),
                only=_stage(only, made=made + STEP),
                begun_at=applied.now,
                since=applied.now,
            )
    except IntegrityError:
        raise Refused(f"Another rotation of the {WORD[kind]} is under way.")
    _told("credential.rotation_begun", kind, actor=applied.actor, now=applied.now)


def sign(rotation: KeyRotation, stage: str, signature: str, *, actor: Actor, now: datetime) -> None:
    """Add an approver's signature; when both statements have enough, the gateways are told."""
    if rotation.state != State.SIGNING or stage not in ("both", "only"):
        raise Refused("This rotation takes no signature any more.")
    said = getattr(rotation, stage)
    found = statement.signed(said["text"], signature)
    if f"{found.name}.sig" not in [known for known, _ in said["signatures"]]:
        said["signatures"].append([f"{found.name}.sig", found.text])
    with transaction.atomic():
        _write(rotation, **{stage: said})
        details = {"by": found.name, "statement": stage}
        _told("credential.rotation_signed", rotation.kind, actor=actor, now=now, **details)
        if not lacking(rotation, "both") and not lacking(rotation, "only"):
            _move(rotation, State.SPREADING, actor=actor, now=now)
            _ask(rotation, _fleet(), now=now, actor=actor)


def lacking(rotation: KeyRotation, stage: str) -> str:
    """Why gateways would not follow this stage's statement yet: too few approvers signed it; "" when they would."""
    return statement.lacking(statement.people_of(name for name, _ in getattr(rotation, stage)["signatures"]))


def ask_again(rotation: KeyRotation, *, actor: Actor, now: datetime) -> int:
    """Ask those that have not followed once more, gateways that came since among them; return how many."""
    if rotation.state not in STAGE:
        raise Refused("There is nothing to ask of gateways now.")
    with transaction.atomic():
        return _ask(rotation, not_followed(rotation), now=now, actor=actor)


def not_followed(rotation: KeyRotation) -> QuerySet[Gateway]:
    """The gateways of the fleet that have not done what this stage asks."""
    done = Errand.objects.filter(subject=_subject(rotation), state=Errand.State.DONE).values("gateway")
    return _fleet().exclude(pk__in=done).select_related("pool").order_by("name")


def switch(rotation: KeyRotation, *, actor: Actor, now: datetime) -> None:
    """Sign in with the new one from now on. Refused while a gateway has not followed: `propose_switch`."""
    behind = list(not_followed(rotation).values_list("name", flat=True)[:4])
    if behind:
        raise Refused(f"{listed(behind)} would be cut off: not followed yet. A second person may decide to leave them.")
    with transaction.atomic():
        _switch(rotation, [], actor=actor, now=now)


def propose_switch(rotation: KeyRotation, *, by: User, actor: Actor, now: datetime, why: str) -> Request:
    """Ask a second person to switch although these gateways have not followed; he is shown each name."""
    _refuse_unless_spreading(rotation)
    behind = list(not_followed(rotation).values_list("name", flat=True))
    return changes.propose(
        SWITCH,
        by=by,
        actor=actor,
        now=now,
        subject=f"rotation:{rotation.pk}",
        payload={"rotation": rotation.pk, "behind": behind},
        title=f"Switch to the new {WORD[rotation.kind]} without {listed(behind)}",
        lines=[f"Not followed: {name}" for name in behind],
        warning=f"{count(len(behind), 'gateway')} can't be reached with the new one: let them leave, or install anew.",
        why=why,
    )


def switched(applied: Applied) -> None:
    """The second person said yes to leaving exactly these behind."""
    rotation = KeyRotation.objects.get(pk=applied.payload["rotation"])
    named = set(applied.payload["behind"])
    others = [name for name in not_followed(rotation).values_list("name", flat=True) if name not in named]
    if others:
        raise Refused(f"{listed(others)} would be left behind too since this was asked. Ask anew.")
    _switch(rotation, sorted(named), actor=applied.actor, now=applied.now)


def finish(rotation: KeyRotation, *, actor: Actor, now: datetime) -> None:
    """End it when no gateway lets the old one in any more."""
    if rotation.state != State.CLEANING:
        raise Refused("The switch comes first.")
    behind = set(not_followed(rotation).values_list("name", flat=True)) - set(rotation.left_behind)
    if behind:
        raise Refused(f"{listed(sorted(behind))} still lets the old one in.")
    with transaction.atomic():
        _move(rotation, State.DONE, actor=actor, now=now)


def authorize(job: errands.Job, gateway: ports.Gateway) -> str:
    """The errand: bring the keys with the statement that approvers signed."""
    rotation = KeyRotation.objects.get(pk=job.args["rotation"])
    said = getattr(rotation, str(job.args["stage"]))
    signatures = tuple((str(name), str(text)) for name, text in said["signatures"])
    done = gateway.authorize(said["keys"], statement=ports.Statement(said["text"], signatures), fence=job.fence)
    job.agreed("keys", done.sha256)
    if rotation.kind == sshca.SSH_CA:
        Gateway.objects.filter(pk=job.gateway.pk).update(ssh_ca=True)
    return "It lets in the keys that were signed for." if not done.already else "It let these keys in already."


def note_trust_in_ca(gateway: Gateway, authorized_keys_sha256: str) -> None:
    """A gateway that was installed with our CA's line says so by the hash of its authorized_keys: sign in by that."""
    key, ca = sealed.unseal_or_none(SSH_KEY), sealed.unseal_or_none(sshca.SSH_CA)
    if gateway.ssh_ca or key is None or ca is None:
        return
    lines = [f"{public_line(key)} handover", f"{sshca.trusted_line(ca)} handover"]
    text = "".join(line(one, program=PROGRAM, gateway=gateway.name) for one in lines)
    if hashlib.sha256(text.encode()).hexdigest() == authorized_keys_sha256:
        Gateway.objects.filter(pk=gateway.pk).update(ssh_ca=True)


def _switch(rotation: KeyRotation, behind: list[str], *, actor: Actor, now: datetime) -> None:
    _refuse_unless_spreading(rotation)
    new = sealed.unseal_or_none(f"{rotation.kind}-next")
    if new is not None:  # the first CA is in its place already
        sealed.seal(rotation.kind, new, now=now)
        sealed.drop(f"{rotation.kind}-next")
    _write(rotation, left_behind=behind)
    _move(rotation, State.CLEANING, actor=actor, now=now)
    _ask(rotation, _fleet().exclude(name__in=behind), now=now, actor=actor)


def _lines(kind: str) -> tuple[list[str], list[str]]:
    """What gateways let in while both are good, and at the end."""
    key, ca = sealed.unseal(SSH_KEY), sealed.unseal_or_none(sshca.SSH_CA)
    next_key, next_ca = sealed.unseal_or_none(f"{SSH_KEY}-next"), sealed.unseal_or_none(f"{sshca.SSH_CA}-next")
    if kind == SSH_KEY:
        next_ca = None
    else:
        next_key = None
    keys = [f"{public_line(one)} handover" for one in (key, next_key) if one]
    cas = [f"{sshca.trusted_line(one)} handover" for one in (ca, next_ca) if one]
    only_keys, only_cas = keys[-1:], cas[-1:]
    return [*keys, *cas], [*only_keys, *only_cas]


def _last_made() -> datetime:
    """When the newest statement was made: a gateway believes none that is older than one it has followed."""
    last = KeyRotation.objects.order_by("-pk").first()
    if last is None:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromtimestamp(moment(json.loads(last.only["text"])["made"]), UTC)


def _stage(keys: list[str], *, made: datetime) -> dict[str, Any]:
    fields = {**drafted("authorize", "*", made=made, lasts=GOOD_FOR), "sha256": sha256_of(keys)}
    return {"keys": keys, "text": canonical(fields), "signatures": []}


def _ask(rotation: KeyRotation, gateways: QuerySet[Gateway], *, now: datetime, actor: Actor) -> int:
    args = {"rotation": rotation.pk, "stage": STAGE[State(rotation.state)]}
    return errands.send(gateways, "authorize", subject=_subject(rotation), args=args, now=now, actor=actor)


def _subject(rotation: KeyRotation) -> str:
    return f"rotation:{rotation.pk}:{STAGE.get(State(rotation.state), 'only')}"


def _fleet() -> QuerySet[Gateway]:
    here = (*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED)
    return Gateway.objects.filter(state__in=here)


def _refuse_open(kind: str) -> None:
    if KeyRotation.objects.filter(kind=kind, state__in=OPEN).exists():
        raise Refused(f"A rotation of the {WORD[kind]} is under way. Bring it to its end first.")


def _refuse_unless_spreading(rotation: KeyRotation) -> None:
    rotation.refresh_from_db()
    if rotation.state != State.SPREADING:
        raise Refused("The switch is made already, or approvers have not signed yet.")


def _write(rotation: KeyRotation, **columns: Any) -> None:
    """Compare-and-set on the version: two signatures at the same moment must not undo each other."""
    here = KeyRotation.objects.filter(pk=rotation.pk, state=rotation.state, version=rotation.version)
    if here.update(version=F("version") + 1, **columns) != 1:
        raise Refused("Somebody else changed this rotation at the same moment. Look at it again.")
    rotation.refresh_from_db()


def _move(rotation: KeyRotation, to: State, *, actor: Actor, now: datetime) -> None:
    before = rotation.state
    _write(rotation, state=to, since=now)
    _told("credential.rotation_moved", rotation.kind, actor=actor, now=now, before=before, after=str(to))


def _told(verb: str, kind: str, *, actor: Actor, now: datetime, **details: Any) -> None:
    shown: Mapping[str, Any] = {name: _shown(name) for name in (kind, f"{kind}-next")}
    about = {"public": {name: print for name, print in shown.items() if print}, **details}
    audit.append(verb, subject=f"credential:{kind}", actor=actor, at=now, details=json.loads(json.dumps(about)))


def _shown(name: str) -> str:
    secret = sealed.unseal_or_none(name)
    return fingerprint_of(public_line(secret).split()[1]) if secret else ""
