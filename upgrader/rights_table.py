"""What each address answers to whom: every route × role, on the own pool and on another. Pure but for the names.

A line says which right an address asks for and of what its object is; the answers follow from that and from
approvals/roles.py. `manage.py rights table` writes it as docs/rights.md, tests/web/test_rights_walk.py asks every
address as every role and compares, and an address without a line fails tests/web/test_rights.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from approvals.roles import CHANNEL, EVERYTHING, POOL, ROLES, Role
from upgrader.states import ACTION_PERMISSION

VIEW = "fleet.view_pool"
RECORD = "approvals.view_auditevent"
GIVE = "fleet.give_role"


class Of(StrEnum):
    """What the object in an address belongs to."""

    NOTHING = "nothing"  # to nobody in particular: lists show what one may see
    POOL = "pool"  # who does not see the pool is told that there is no such thing
    NAMED = "named"  # the pool stands in the form
    CHANNEL = "channel"  # the right is looked up on the channel
    FLEET = "fleet"  # there is none for who sees no pool at all
    SHOWN = "shown"  # who sees no pool at all is told that it takes that
    PERSON = "person"  # who holds a role on the pool; who gives roles sees everybody


class Answer(StrEnum):
    YES = "yes"  # it is shown, or done, or refused for a reason that is no right
    NO = "no"  # the right that is missing is named
    HIDDEN = "hidden"  # there is no such thing: 404


@dataclass(frozen=True)
class Line:
    """One address. `get` and `post`: the right that it asks for, one of several with a blank between them, "" for
    none, None where the method is not allowed (405)."""

    of: Of
    get: str | None = None
    post: str | None = None
    sees: str = ""  # rights of which one is needed to be told of it at all, in place of seeing the pool
    wide: bool = False  # the object is a pool's, and the right is looked up over everything


@dataclass(frozen=True)
class Holder:
    """One column: a role and where it is held. None: no role at all."""

    role: Role | None
    kind: str = ""

    @property
    def title(self) -> str:
        where = {POOL: "a pool", CHANNEL: "a channel", EVERYTHING: "everything"}
        return f"{self.role.title} of {where[self.kind]}" if self.role else "nobody in particular"

    def rights(self, *, here: bool) -> frozenset[str]:
        """On the object that the role is held on, or on another of its kind."""
        if self.role is None:
            return frozenset()
        if self.kind == EVERYTHING or here:
            return self.role.rights(self.kind)
        return frozenset(self.role.along)

    @property
    def sees(self) -> bool:
        """Whether there is a pool that the holder sees."""
        return VIEW in self.rights(here=True)


HOLDERS: tuple[Holder, ...] = (
    Holder(None),
    *(Holder(role, kind) for kind in (POOL, CHANNEL, EVERYTHING) for role in ROLES.values() if kind in role.kinds),
)


def answer(line: Line, right: str, holder: Holder, *, here: bool = True) -> Answer:
    """What the holder is told where the address asks for `right`. `here`: the object is the holder's own."""
    # A right that knows no pool is asked of everything; one on the own pool is none there.
    everywhere = holder.rights(here=holder.kind == EVERYTHING)
    local = holder.rights(here=here and holder.kind != CHANNEL)
    if not _is_seen(line, holder, local, everywhere):
        return Answer.NO if line.of is Of.SHOWN else Answer.HIDDEN
    if line.of is Of.CHANNEL:
        held = holder.rights(here=holder.kind != POOL)
    else:
        held = local if line.of in (Of.POOL, Of.NAMED, Of.PERSON) and not line.wide else everywhere
    wanted = right.split()
    return Answer.YES if not wanted or held & set(wanted) else Answer.NO


def _is_seen(line: Line, holder: Holder, local: frozenset[str], everywhere: frozenset[str]) -> bool:
    either = set(line.sees.split())
    match line.of:
        case Of.POOL:
            return bool(local & either) if either else VIEW in local
        case Of.FLEET | Of.SHOWN | Of.CHANNEL:
            return holder.sees or bool(everywhere & either)
        case Of.PERSON:
            return VIEW in local or GIVE in holder.rights(here=True)
        case _:
            return True


def lists(*names: str, get: str = "", post: str | None = None) -> dict[str, Line]:
    return {name: Line(Of.NOTHING, get, post) for name in names}


def of_pool(*names: str, get: str | None = "", post: str | None = None) -> dict[str, Line]:
    return {name: Line(Of.POOL, get, post) for name in names}


def does(name: str, right: str, of: Of = Of.NOTHING, sees: str = "") -> dict[str, Line]:
    return {name: Line(of, None, right, sees)}


ENROL, HOLD, BOUNDS = "fleet.enrol_gateway", "fleet.hold_rollout", "fleet.set_bounds"
TRUST, CONTACT, PASS = "releases.propose_trust", "fleet.change_contact", "releases.pass_release"
PROPOSE, AGREE = "fleet.propose_config", "fleet.approve_config"
ADD, KEYS = "releases.add_release", "approvals.add_approverkey"
LOOK_AT_KEYS = f"{ENROL} fleet.approve_gateway {RECORD}"

LINES: dict[str, Line] = {
    # what everybody has who is signed in: lists, and what is his own
    **lists("overview", "inbox", "search", "rollouts", "bounds", "releases", "matrix", "configs", "gateways"),
    **lists(
        "tickets", "ticket-sources", "balancers", "prometheus", "probes", "alerts", "silences", "deliveries", "rules"
    ),
    **lists("contacts", "changes", "policies", "delegations", "people", "keys", "api-bounds"),
    # the record
    **lists("audit", "record-print", "record-file", get=RECORD),
    **of_pool("evidence"),
    **of_pool("evidence-file", get=RECORD),
    # rollouts
    **of_pool("rollout", "rollout-chart", "rollout-numbers", "rollout-readings", "rollout-measured", "rollout-events"),
    **of_pool("decision", "api-rollout", "api-decision"),
    **of_pool("rollout-left", get=HOLD),
    "rollout-new": Line(Of.NAMED, "", "fleet.submit_rollout"),
    **{f"rollout-move {name}": Line(Of.POOL, None, right) for name, right in ACTION_PERMISSION.items()},
    **{f"api-rollout-move {name}": Line(Of.POOL, None, right) for name, right in ACTION_PERMISSION.items()},
    # strategies and bounds
    **{name: Line(Of.FLEET, "", sees="upgrader.add_strategy") for name in ("strategies", "strategy")},
    "strategy-add": Line(Of.FLEET, "", "upgrader.add_strategy", "upgrader.add_strategy"),
    **does("strategy-check", "", Of.FLEET, "upgrader.add_strategy"),
    **does("strategy-retire", "upgrader.add_strategy", Of.FLEET, "upgrader.add_strategy"),
    **of_pool("freeze-begin", "window-set", "budget-set", "freeze-lift", "window-end", get=None, post=BOUNDS),
    # releases
    "release-add": Line(Of.NOTHING, ADD, ADD),
    "api-releases": Line(Of.NOTHING, None, ADD),
    **{name: Line(Of.FLEET, "", sees=ADD) for name in ("release", "release-compare", "release-choose")},
    **{name: Line(Of.FLEET, "", sees=ADD) for name in ("matrix-cell", "matrix-chart", "downgrade-text")},
    **{name: Line(Of.CHANNEL, None, PASS, ADD) for name in ("release-pass", "downgrade-draw")},
    "downgrade-sign": Line(Of.FLEET, None, "", ADD),
    **does("release-yank", "releases.yank_release", Of.FLEET, ADD),
    # signers and configurations
    "signers": Line(Of.SHOWN, "", sees=f"{TRUST} releases.approve_trust"),
    "trust-text": Line(Of.SHOWN, "", sees=f"{TRUST} releases.approve_trust"),
    **{name: Line(Of.NOTHING, None, TRUST) for name in ("signer-add", "signer-strike", "signer-crl", "trust-draw")},
    **{name: Line(Of.NOTHING, None, TRUST) for name in ("trust-send", "channel-policy")},
    "trust-sign": Line(Of.NOTHING, None, TRUST),
    **of_pool("config", "config-statement"),
    "config-sign": Line(Of.POOL, None, ""),
    "config-add": Line(Of.NAMED, None, PROPOSE),
    "change": Line(Of.POOL, "", sees=f"{PROPOSE} {AGREE} {RECORD}"),
    "change-decide": Line(Of.POOL, None, AGREE, f"{PROPOSE} {AGREE} {RECORD}"),
    # gateways
    **of_pool("pool", "pool-readings", "pool-measured", "gateway", "gateway-readings", "gateway-numbers"),
    **of_pool("probe-chart", "probe-numbers"),
    **of_pool("gateway-chart", "gateway-probes", "gateway-prometheus", "prometheus-chart", "ticket-form"),
    **of_pool("gateway-leave", "gateway-host-key", "gateway-believe", get=None, post=ENROL),
    **of_pool("gateway-install-run", "gateway-uninstall-run", get=None, post=ENROL),
    **of_pool("gateway-install", get="", post=ENROL),
    "gateway-add": Line(Of.NAMED, "", ENROL),
    "gateway-import": Line(Of.NAMED, "", ENROL),
    "balancer-add": Line(Of.NAMED, None, ENROL),
    "prometheus-set": Line(Of.NAMED, None, ENROL),
    "probe-add": Line(Of.NAMED, None, ENROL),
    **of_pool("prometheus-drop", "probe-remove", get=None, post=ENROL),
    "credentials": Line(Of.NOTHING, LOOK_AT_KEYS),
    "rotation-statement": Line(Of.NOTHING, LOOK_AT_KEYS),
    "credential-rotate": Line(Of.NOTHING, None, ENROL),
    "rotation-act": Line(Of.NOTHING, None, f"{ENROL} fleet.approve_gateway"),
    # alerts and complaints
    **of_pool("alert", "alert-told"),
    **of_pool("alert-acknowledge", "ticket-report", "ticket-close", get=None, post=HOLD),
    **of_pool("ticket-source-end", "ticket-source-renew", "silence-end", get=None, post=HOLD),
    **{f"alert-act {name}": Line(Of.POOL, None, ENROL) for name in ("adopt", "put-back")},
    **of_pool("errand-again", get=None, post=ENROL),
    "silence-begin": Line(Of.NAMED, None, HOLD),
    "ticket-source-add": Line(Of.NAMED, None, HOLD),
    "rollout-complaint": Line(Of.POOL, "", HOLD),
    "rule": Line(Of.POOL, ""),
    "rule-change": Line(Of.NOTHING, None, "fleet.change_alarmrule"),
    **does("contact-add", CONTACT),
    **does("contact-retire", CONTACT),
    **does("contact-try", CONTACT),
    **does("contact-secret", CONTACT),
    "delivery-again": Line(Of.POOL, None, CONTACT, wide=True),
    **lists("rule-new", "webhooks"),
    **does("rule-add", "fleet.change_alarmrule"),
    **does("webhook-add", CONTACT),
    **{name: Line(Of.POOL, None, "", CONTACT) for name in ("webhook-test", "webhook-end", "webhook-again")},
    # people
    **lists("accounts", get="approvals.add_user"),
    **does("account-add", "approvals.add_user"),
    **does("account-do", "approvals.add_user"),
    **does("key-add", KEYS),
    **does("key-retire", "approvals.change_approverkey"),
    "person": Line(Of.PERSON, ""),
    "role-give": Line(Of.PERSON, None, GIVE),
    "role-take": Line(Of.PERSON, None, GIVE),
    # who is on call
    **lists("duties"),
    **of_pool("duty"),
    **of_pool("shift-add", "cover-add", "duty-end shift", "duty-end cover", get=None, post=GIVE),
    **of_pool("duty-take", "duty-note", "duty-word", get=None, post=""),
    # how many have to agree, and who stands in for whom
    **does("policy-propose", "approvals.add_approvalpolicy"),
    **does("identity-propose", "approvals.add_approvalpolicy"),
    **does("delegation-give", ""),
}
"""Name of an address → its line; "name variant" where one address stands for several acts."""

OWN = frozenset(
    {
        *("sign-out", "account_logout", "account", "prove", "account-password", "sessions-end", "session-end"),
        *("mfa_index", "mfa_list_webauthn", "mfa_activate_totp", "mfa_deactivate_totp", "mfa_view_recovery_codes"),
        *("mfa_generate_recovery_codes", "mfa_add_webauthn", "mfa_edit_webauthn", "mfa_remove_webauthn"),
        *("tokens", "token-add", "token-end", "device", "device-on", "device-off"),
    }
)
"""Addresses about what is one's own: the same for every role."""

OPEN = frozenset(
    {
        *("sign-in", "account_login", "mfa_login_webauthn", "mfa_authenticate", "socialaccount_login_cancelled"),
        *("account_inactive", "openid_connect_login", "openid_connect_callback", "sign-in-link"),
        *("livez", "readyz", "metrics", "kit", "ticket-intake", "manifest", "worker"),
    }
)
"""Addresses for whoever asks: they know other keys than a session."""

ELSEWHERE = {
    "break-glass": "tests/web/test_break_glass.py",
    "glass": "tests/web/test_break_glass.py",
    "glass-review": "tests/web/test_break_glass.py",
    "delegation-end": "tests/web/test_delegations.py",
    "rule-try": "tests/web/test_own_rules.py",
}
"""Addresses whose answer hangs on more than the role, and where their rights are tested."""
