"""What the pages of signers, channels and one release are given. Reads only."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count

from approvals import rights
from approvals.models import User
from fleet import errands
from fleet.models import Errand
from fleet.selectors import visible_pools
from releases import authority, channels, downgrades, openpgp, policy, proposals, standing, statements
from releases.models import Release, TrustedSigner, TrustStatement

WAYS = ("release", "product", "version", "counter", "architecture", "source", "built", "state_migration")
Part = tuple[str, Callable[[Release, User, datetime], dict[str, Any]]]
PARTS: list[Part] = []
"""Parts of a release's page that the apps above put in: a template and what it is given."""
MADE = {"builder": "Built by", "source": "Built from", "revision": "At revision", "place": "Built at"}


@dataclass(frozen=True)
class SignerRow:
    """One line of the page Signers."""

    signer: TrustedSigner
    signed: int  # kept releases
    until: datetime | None  # of the key, or the CA's root; None: for ever
    crl_due: datetime | None
    state: str  # "good", "late" (expired, or its CRL out of date), "off"
    behind: list[Errand]  # of a CA: gateways that have not taken its newest CRL
    crl_sent: bool


@dataclass(frozen=True)
class Difference:
    """One line of a comparison; `old` and `new` are texts."""

    name: str
    old: str
    new: str

    @property
    def same(self) -> bool:
        return self.old == self.new


def may_see(user: User) -> bool:
    """Who may look at a pool learns who signs for it; so do those who decide about signers."""
    mine = (may_propose(user), rights.may(user, "releases.approve_trust", rights.EVERYTHING))
    return any(mine) or visible_pools(user).exists()


def may_propose(user: User) -> bool:
    return rights.may(user, "releases.propose_trust", rights.EVERYTHING)


def signer_rows(*, now: datetime) -> list[SignerRow]:
    rows = TrustedSigner.objects.annotate(signed=Count("signatures__release", distinct=True)).order_by(
        "-active", "label"
    )
    return [_signer_row(row, signed=row.signed, now=now) for row in rows]


def statement(*, now: datetime) -> dict[str, Any] | None:
    """The trust statement that waits for signatures, else the last one that was sent, with who has not followed."""
    row = TrustStatement.objects.exclude(state=TrustStatement.State.REPLACED).first()
    if row is None:
        return None
    have = {signature["identity"] for signature in row.signatures}
    labels = {one.fingerprint: one.label for one in statements.needs(row)}
    # While a newer one waits, those that have not followed the last one must not be lost sight of.
    told = TrustStatement.objects.filter(state=TrustStatement.State.SENT).first()
    behind = list(errands.behind(statements.subject(told))) if told else []
    older = statements.older(told) if told else []
    return {
        "row": row,
        "told": told,
        "waiting": row.state == TrustStatement.State.WAITING,
        "late": row.state == TrustStatement.State.WAITING and row.expires_at <= now,
        "needs": list(labels.values()),
        "have": sorted(labels.get(identity, identity) for identity in have),
        "needed": row.old["threshold"],
        "behind": behind,
        "older": older,
        "left": len(behind) + len(older),
        "content": json.loads(row.text),
    }


def channel_rows() -> list[dict[str, Any]]:
    """Each channel with its policy in words and its releases."""
    counts = dict(Release.objects.values_list("channel").annotate(Count("pk")))
    found = []
    for name in policy.RANK:
        asked = standing.policy_of(name)
        said = proposals.said(asked) if asked else "no policy, so nothing may go there"
        found.append({"name": name, "policy": asked, "said": said, "releases": counts.get(name, 0)})
    return found


def release_context(release: Release, user: User, *, now: datetime) -> dict[str, Any]:
    """Everything that releases/release_page.html reads beside the release."""
    vouched = standing.vouched(release, now=now)
    to = policy.next_channel(release.channel)
    ready = release.state == Release.State.READY
    downgrade = downgrades.latest(release, now=now) if ready else None
    libraries = release.contents.get("libraries", []) if isinstance(release.contents, dict) else []
    return {
        "release": release,
        "signatures": list(zip(standing.rows(release), vouched, strict=True)),
        "next": to,
        "why_not_next": channels.why_not_next(release, now=now) if to and ready else "",
        "gaps": channels.open_gaps(release, to) if to and ready else [],
        "may_pass": channels.may_pass(user, release),
        "may_lower": rights.may(user, downgrades.ASK, channels.scope_of(release.channel)),
        "lower": ready and downgrades.is_lower(release),
        "downgrade": downgrade,
        "downgrade_lacks": downgrades.lacking(downgrade) if downgrade else "",
        "may_yank": rights.may(user, "releases.yank_release", rights.EVERYTHING),
        "libraries": libraries,
        "made": [(MADE.get(name, name), value) for name, value in release.provenance.items()],
        "others": Release.objects.filter(product=release.product).exclude(pk=release.pk)[:50],
    }


def compare(old: Release, new: Release, *, now: datetime) -> dict[str, Any]:
    """Two releases side by side, the second as what it changes of the first."""
    was, is_now = _libraries(old), _libraries(new)
    lines = difflib.unified_diff(
        old.changelog.splitlines(keepends=True), new.changelog.splitlines(keepends=True), old.name, new.name
    )
    return {
        "old": old,
        "new": new,
        "fields": _differences(old, new, now=now),
        "changelog": "".join(line if line.endswith("\n") else f"{line}\n" for line in lines),
        "gained": sorted(is_now - was),
        "lost": sorted(was - is_now),
        "kept": len(was & is_now),
        "grown": new.size - old.size,
    }


def _differences(old: Release, new: Release, *, now: datetime) -> list[Difference]:
    before, after = json.loads(old.manifest), json.loads(new.manifest)
    found = [Difference(name, _said(before.get(name)), _said(after.get(name))) for name in WAYS]
    names = sorted({*old.provenance, *new.provenance})
    found += [Difference(name, _said(old.provenance.get(name)), _said(new.provenance.get(name))) for name in names]
    sides = [sorted(one.who for one in standing.vouched(row, now=now) if not one.bad) for row in (old, new)]
    found.append(Difference("signed by", *(", ".join(side) or "nobody who counts today" for side in sides)))
    found.append(Difference("channel", old.channel, new.channel))
    return found


def _said(value: object) -> str:
    match value:
        case None:
            return "not said"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _libraries(release: Release) -> set[str]:
    return {str(name) for name in release.contents.get("libraries", [])}


def _signer_row(row: TrustedSigner, *, signed: int, now: datetime) -> SignerRow:
    if row.kind == TrustedSigner.Kind.CA:
        until, due = authority.until(row.public_key), authority.due(row.crl)
        late = due is None or due <= now
    else:
        until, due, late = openpgp.expires(row.public_key), None, False
    late = late or (until is not None and until <= now)
    crls = Errand.objects.filter(kind="crl", subject=statements.crl_subject(row.pk))
    return SignerRow(
        row,
        signed,
        until,
        due,
        state="off" if not row.active else "late" if late else "good",
        behind=list(errands.behind(statements.crl_subject(row.pk))) if due else [],
        crl_sent=bool(due) and crls.exists(),
    )


def beside(release: Release, user: User, now: datetime) -> dict[str, Any]:
    """What the parts of the apps above are given, and which they are."""
    context = {name: value for _, told in PARTS for name, value in told(release, user, now).items()}
    return {**context, "parts": [template for template, _ in PARTS]}
