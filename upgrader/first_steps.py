"""What a new installation lacks before its first rollout, in the order in which it is set up. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from approvals import rights
from approvals.models import User
from fleet.models import Gateway
from fleet.selectors import pools_with
from releases.models import Release, TrustedSigner
from upgrader import drafts


@dataclass(frozen=True)
class Step:
    """`link` names an address; `right` is what this person lacks to do it himself, "" for nothing."""

    done: bool
    title: str
    say: str
    link: str
    right: str = ""


def steps(user: User) -> list[Step]:
    """All four; those that are done say so."""
    enrols, plans = pools_with(user, "enrol_gateway").exists(), drafts.pools(user).exists()
    return [
        Step(
            TrustedSigner.objects.filter(active=True).exists(),
            "Say who may sign releases",
            "The first signer is set up at the machine: manage.py signer add FILE --label NAME.",
            "signers",
        ),
        Step(
            Release.objects.exists(),
            "Add a release",
            "Its bundle, manifest, change log and signatures. All are checked before anything is kept.",
            "release-add",
            "" if rights.everywhere(user, "releases.add_release") else "Can add release",
        ),
        Step(
            Gateway.objects.exists(),
            "Add a gateway",
            "You see the host keys that it shows; a second person compares them on its console.",
            "gateway-add",
            "" if enrols else "May enrol gateways and let them go",
        ),
        Step(
            False,
            "Plan the first rollout",
            "You see what would happen before anybody is asked. Nothing happens until somebody else approves it.",
            "rollout-new",
            "" if plans else "May plan a rollout and ask for approval",
        ),
    ]
