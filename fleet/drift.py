"""What on a gateway is not as it was agreed. Pure: what is agreed and what is there come in as values.

A part that is only late (an errand is on its way, a newer ocgate was not taken yet) is no drift: errands.behind says
who has not followed. Nothing agreed about a part: it is not judged.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fleet.inventory import Inventory, Pinned, SlotProgram
from fleet.phrases import listed

KIND = "drift"  # of fleet.models.Alert

PARTS: dict[str, str] = {
    "conf": "ocserv.conf",
    "agreed": "the agreed configuration",
    "release": "a release's files",
    "program": "a running program",
    "version": "the committed release",
    "ocgate": "ocgate",
    "trust": "the pinned signers",
    "keys": "who may sign in as the controller",
    "inventory": "what is on it",
}
"""Code of an alert → what it is about."""

_HASH = re.compile(r"[0-9a-f]{64}")
ADOPTED = "adopted"  # the release name of the ocserv that ran before ocgate came


@dataclass(frozen=True)
class Agreed:
    """What should be there. An empty value is one that nobody has agreed yet."""

    confs: frozenset[str] = frozenset()  # SHA-256 of each configuration that counts as agreed here
    trees: Mapping[str, str] = field(default_factory=dict)  # release → hash of its unpacked files
    digests: Mapping[str, str] = field(default_factory=dict)  # release → digest of its manifest
    committed: str = ""  # release
    ocgates: frozenset[str] = frozenset()  # SHA-256 of each program that counts
    trust: str = ""  # SHA-256 of the trust folder
    trust_shown: str = ""
    keys: str = ""  # SHA-256 of authorized_keys
    changing: frozenset[str] = frozenset()  # codes that an errand is changing now


@dataclass(frozen=True)
class Difference:
    """One part that is not as agreed. `now` is what is there: whoever adopts it adopts exactly that."""

    code: str
    say: str
    agreed: str
    now: str
    diff: str = ""  # unified, secrets masked

    @property
    def sha256(self) -> str:
        """What a yes to adopting it binds: the hash that is there now, or that of what is said to be there."""
        return self.now if _HASH.fullmatch(self.now) else hashlib.sha256(self.now.encode()).hexdigest()


def compare(name: str, there: Inventory, agreed: Agreed, *, committed: str = "") -> list[Difference]:
    """Return every difference on the gateway `name`; `committed`: the release that its facts say is committed."""
    found = [
        *_conf(name, there, agreed),
        *_releases(name, there, agreed),
        *_programs(name, there),
        *_version(name, committed, agreed),
        *_ocgate(name, there, agreed),
        *_trust(name, there, agreed),
        *_keys(name, there, agreed),
    ]
    return [difference for difference in found if difference.code not in agreed.changing]


def trust_shown(pinned: Pinned) -> str:
    """The trust folder as lines for people."""
    lines = [f"threshold {pinned.threshold}"]
    lines += sorted(f"OpenPGP {fingerprint}" for fingerprint in pinned.signers)
    lines += sorted(f"company CA {ca.subject} {ca.sha256}" for ca in pinned.cas)
    lines += sorted(f"revocation list of {ca.subject} until {ca.crl_next_update}" for ca in pinned.cas)
    lines += sorted(f"approver {fingerprint}" for fingerprint in pinned.approvers)
    return "\n".join(lines)


def trees_shown(there: Inventory) -> str:
    """The unpacked releases as lines; `trees_of` reads them back."""
    return "\n".join(f"{held.release} {held.tree}" for held in sorted(there.releases, key=lambda held: held.release))


def trees_of(shown: str) -> dict[str, str]:
    """Release → tree."""
    return {release: tree for release, _, tree in (line.partition(" ") for line in shown.splitlines())}


def unified(before: str, after: str) -> str:
    """What differs between two texts of lines."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "agreed", "there now", lineterm="", n=3)
    return "\n".join(lines)


def _conf(name: str, there: Inventory, agreed: Agreed) -> Iterator[Difference]:
    conf = there.conf
    if conf.sha256 != conf.agreed_sha256:
        what = "was edited after it was agreed" if conf.sha256 else "is gone"
        say = f"{conf.path} on {name} {what}. Slots that run keep the configuration that they started with."
        yield Difference("conf", say, conf.agreed_sha256, conf.sha256, conf.diff)
    if agreed.confs and conf.agreed_sha256 not in agreed.confs:
        short = conf.agreed_sha256[:12]
        say = f"{name} takes a configuration for the agreed one ({short}…) that nobody has agreed to here."
        yield Difference("agreed", say, " ".join(sorted(agreed.confs)), conf.agreed_sha256)


def _releases(name: str, there: Inventory, agreed: Agreed) -> Iterator[Difference]:
    was, now = [], []
    for held in there.releases:
        # A release without an agreed tree came by an intake that did not compute one: its manifest is all there is.
        wanted = (agreed.digests.get(held.release, held.digest), agreed.trees.get(held.release) or held.tree)
        if wanted != (held.digest, held.tree):
            was.append(f"{held.release} {wanted[1]}")
            now.append(f"{held.release} {held.tree}")
    if now:
        names = listed([line.partition(" ")[0] for line in now])
        say = f"Files of {names} on {name} are not those that were signed: added, removed or changed after unpacking."
        yield Difference("release", say, "\n".join(was), "\n".join(now), unified("\n".join(was), "\n".join(now)))


def _programs(name: str, there: Inventory) -> Iterator[Difference]:
    wrong = [_wrong_program(slot) for slot in there.slots]
    said = [why for why in wrong if why]
    if said:
        now = " ".join(f"{slot.slot}:{slot.exe}" for slot, why in zip(there.slots, wrong, strict=True) if why)
        yield Difference("program", f"On {name} {listed(said)}.", "", now)


def _wrong_program(slot: SlotProgram) -> str:
    """What is wrong with what runs in a slot, "" for nothing."""
    if slot.exe_deleted:
        return f"slot {slot.slot} runs a program whose file was replaced or removed ({slot.exe})"
    if slot.exe and slot.release != ADOPTED and f"/releases/{slot.release}/" not in slot.exe:
        return f"slot {slot.slot} should run {slot.release} and runs {slot.exe}"
    return ""


def _version(name: str, committed: str, agreed: Agreed) -> Iterator[Difference]:
    if agreed.committed and committed and committed != agreed.committed:
        say = f"{name} serves {committed}; what was rolled out to it last is {agreed.committed}."
        yield Difference("version", say, agreed.committed, committed)


def _ocgate(name: str, there: Inventory, agreed: Agreed) -> Iterator[Difference]:
    if agreed.ocgates and there.ocgate_sha256 not in agreed.ocgates:
        version = there.ocgate_version
        say = f"ocgate {version} on {name} is neither this controller's nor the one that was agreed before."
        yield Difference("ocgate", say, " ".join(sorted(agreed.ocgates)), there.ocgate_sha256)


def _trust(name: str, there: Inventory, agreed: Agreed) -> Iterator[Difference]:
    if agreed.trust and there.trust.sha256 != agreed.trust:
        say = f"Who may sign for {name} was changed on the host, not by a statement from here."
        diff = unified(agreed.trust_shown, trust_shown(there.trust)) if agreed.trust_shown else ""
        yield Difference("trust", say, agreed.trust, there.trust.sha256, diff)


def _keys(name: str, there: Inventory, agreed: Agreed) -> Iterator[Difference]:
    if agreed.keys and there.authorized_keys_sha256 != agreed.keys:
        say = f"The keys that may sign in to {name} as the controller were changed on the host."
        yield Difference("keys", say, agreed.keys, there.authorized_keys_sha256)
