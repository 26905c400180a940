"""Every page of the product with something on it: name → (who looks, path). The rows come from scenes and sights.

A page whose name ends with -open is looked at with every fold opened.
"""

from __future__ import annotations

from tests.browser.site import Site

Pages = dict[str, tuple[str, str]]
ROLLOUTS = {
    **{"observing": "eu-west", "waiting_promotion": "eu-north", "waiting_approval": "us-east", "stuck": "us-west"},
    **{"draining": "asia", "done": "brazil", "rolled_back": "africa", "failed": "oceania", "late": "osaka"},
    **{"cut_asked": "madrid", "back_asked": "lisbon", "ready": "milan", "planned": "athens", "upgrading": "oslo"},
    **{"held": "cairo", "rolling_back": "lima", "rejected": "quito"},
}
"""Scene → the pool that it is played in."""


def drifted(site: Site) -> Pages:
    """Alerts, and the pages that show them."""
    alert, gateway = site.scene("alert"), site.scene("drifted")
    return {
        "alert": ("operator", f"/alerts/{alert}/"),
        "alert-oncall": ("oncall", f"/alerts/{alert}/"),
        "alerts": ("operator", "/alerts/"),
        "rollout-new-drifted": ("operator", f"/rollouts/new/?drift=1&release=1&pool={site.scene('drifted_pool')}"),
        "drifted-overview": ("operator", "/"),
        "gateway-drifted": ("operator", f"/gateways/{gateway}/"),
        "gateway-open": ("operator", f"/gateways/{gateway}/"),
        "gateway-install": ("operator", f"/gateways/{gateway}/install/"),
        "tokens": ("operator", "/account/tokens/"),
        "webhooks": ("operator", "/webhooks/"),
    }


def desks(site: Site) -> Pages:
    """Ways in and out of the fleet, credentials, the test matrix."""
    cell = site.scene("matrix")
    site.scene("credentials")
    warned = site.scene("warned")
    left, quarantined = site.scene("left"), site.scene("quarantined")
    site.scene("bounds")
    return {
        "bounds": ("operator", "/bounds/"),
        "bounds-open": ("operator", "/bounds/"),
        "bounds-auditor": ("auditor", "/bounds/"),
        "matrix": ("operator", "/releases/matrix/"),
        "matrix-cell": ("operator", f"/releases/matrix/cells/{cell}/"),
        "matrix-cell-ratio": ("operator", f"/releases/matrix/cells/{cell - 1}/"),
        "credentials": ("operator", "/credentials/"),
        "credentials-auditor": ("auditor", "/credentials/"),
        "gateway-add": ("operator", "/gateways/add/"),
        "gateway-import": ("operator", "/gateways/import/"),
        "gateway-left": ("operator", f"/gateways/{left}/"),
        "decision-warned": ("oncall", f"/decisions/{warned}/"),
        "gateway-quarantined": ("operator", f"/gateways/{quarantined}/"),
    }


def trusted(site: Site) -> Pages:
    """What two people decide: keys, configurations, signers; releases on their way."""
    change, config, candidate = site.scene("change"), site.scene("config"), site.scene("trust")
    site.scene("policies")
    return {
        "policies-open": ("operator", "/changes/policies/?kind=rollout.start&scope=all"),
        "policies-oncall": ("oncall", "/changes/policies/"),
        "delegations": ("oncall", "/changes/delegations/"),
        "change": ("oncall", f"/changes/{change}/"),
        "change-own": ("operator", f"/changes/{change}/"),
        "changes": ("oncall", "/changes/"),
        "configs": ("operator", "/configs/"),
        "config": ("oncall", f"/configs/{config}/"),
        "keys": ("oncall", "/keys/"),
        "releases": ("operator", "/releases/"),
        "release": ("operator", "/releases/1/"),
        "release-open": ("operator", "/releases/1/"),
        "release-candidate": ("operator", f"/releases/{candidate}/"),
        "release-compare": ("auditor", f"/releases/1/compare/{candidate}/"),
        "release-add": ("operator", "/releases/add/"),
        "signers": ("operator", "/signers/"),
        "signers-open": ("operator", "/signers/"),
        "rollout-new-config": ("operator", f"/rollouts/new/?release=1&pool={site.scene('config_pool')}"),
    }


def planned(site: Site) -> Pages:
    """Strategies, and plans before they are approved."""
    strategy, changed = site.scene("strategy"), site.scene("changed")
    switch, switched = site.scene("switch"), site.scene("switched")
    return {
        "strategies": ("operator", "/strategies/"),
        "strategy": ("operator", f"/strategies/{strategy}/"),
        "strategy-add": ("operator", f"/strategies/add/?from={strategy}"),
        "plan-changed": ("oncall", f"/rollouts/{changed}/"),
        "decision-plan-open": ("oncall", f"/decisions/{changed}/"),
        "plan-between": ("operator", f"/rollouts/{switch}/"),
        "rollout-between": ("oncall", f"/rollouts/{switched}/"),
    }


def rollouts(site: Site) -> Pages:
    """A rollout in each state, and what is decided about it."""
    ids = {name: site.scene(name, on=pool) for name, pool in ROLLOUTS.items()}
    return {f"rollout-{name}": ("oncall", f"/rollouts/{pk}/") for name, pk in ids.items()} | {
        "rollout-planned": ("operator", f"/rollouts/{ids['planned']}/"),
        "rollout-observing-auditor": ("auditor", f"/rollouts/{ids['observing']}/"),
        "rollout-waiting_approval-operator": ("operator", f"/rollouts/{ids['waiting_approval']}/"),
        "rollout-late-open": ("oncall", f"/rollouts/{ids['late']}/"),
        "rollout-left": ("oncall", f"/rollouts/{ids['late']}/left/"),
        "rollout-complaint": ("operator", f"/rollouts/{ids['observing']}/complaint/"),
        "decision-approve": ("oncall", f"/decisions/{ids['waiting_approval']}/"),
        "decision-promote": ("oncall", f"/decisions/{ids['waiting_promotion']}/"),
        "decision-agree-back": ("oncall", f"/decisions/{ids['back_asked']}/"),
        "decision-agree-cut": ("oncall", f"/decisions/{ids['cut_asked']}/"),
        "decision-extend": ("oncall", f"/decisions/{ids['late']}/?do=extend"),
        "decision-ask-cut": ("operator", f"/decisions/{ids['late']}/?do=ask-cut"),
        "decision-abort": ("oncall", f"/decisions/{ids['observing']}/?do=abort"),
        "decision-roll-back": ("oncall", f"/decisions/{ids['observing']}/?do=roll-back"),
        "decision-nothing": ("oncall", f"/decisions/{ids['done']}/"),
        "numbers": ("oncall", f"/rollouts/{ids['observing']}/numbers/?wave=1"),
        "evidence-open": ("auditor", f"/rollouts/{ids['rolled_back']}/evidence/"),
        "rollout-events": ("oncall", f"/rollouts/{ids['done']}/events/"),
    }


def signed(site: Site) -> Pages:
    """Sign-in, one's own account, and everybody's."""
    site.scene("accounts")
    return {
        "sign-in-link-dead": ("", "/sign-in/link/MQ/of-yesterday/"),
        "sign-in-cancelled": ("", "/sign-in/cancelled/"),
        "account": ("oncall", "/account/"),
        "account-open": ("auditor", "/account/"),
        "account-password": ("oncall", "/account/password/"),
        "account-code-app": ("oncall", "/account/code-app/"),
        "account-passkey": ("oncall", "/account/passkeys/add/"),
        "account-prove": ("oncall", "/account/prove/?with=password&next=/"),
        "account-prove-first": ("oncall", "/account/prove/?with=passkey&next=/"),
        "accounts": ("auditor", "/accounts/"),
    }


def lists(_: Site) -> Pages:
    """What one opens first."""
    return {
        "overview": ("oncall", "/"),
        "overview-stranger": ("stranger", "/"),
        "rollouts": ("operator", "/rollouts/"),
        "rollout-new": ("operator", "/rollouts/new/"),
        "gateways": ("oncall", "/gateways/"),
        "gateway": ("oncall", "/gateways/1/"),
        "audit": ("auditor", "/audit/?verify=1"),
        "audit-open": ("auditor", "/audit/?since=2026-01-01&zone=Asia/Shanghai&verb=rollout."),
        "record-print": ("auditor", "/audit/print/?seed=2026&size=3"),
        "search": ("oncall", "/search/?q=fra"),
        "search-nothing": ("oncall", "/search/?q=no+such+thing"),
        "refused": ("oncall", "/audit/"),
        "missing": ("oncall", "/nowhere/"),
        "sign-in": ("", "/sign-in/"),
    }


def called(site: Site) -> Pages:
    """What waits behind a freeze, balancers, and what calls people."""
    waiting, crowded, three = (site.scene(name) for name in ("waiting", "crowded", "three"))
    site.scene("balancer")
    site.scene("called")
    probed = site.scene("probed")
    return {
        "rollout-crowded": ("oncall", f"/rollouts/{crowded}/"),
        "rollout-three-slots": ("oncall", f"/rollouts/{three}/"),
        "rollout-waits": ("oncall", f"/rollouts/{waiting}/"),
        "balancers": ("operator", "/balancers/"),
        "probes-open": ("operator", "/probes/"),
        "probes": ("auditor", "/probes/"),
        "gateway-probes": ("operator", f"/gateways/{probed}/probes/"),
        "prometheus-open": ("operator", "/prometheus/"),
        "gateway-prometheus": ("operator", f"/gateways/{probed}/prometheus/"),
        "alerts-called": ("oncall", "/alerts/"),
    }


def staffed(site: Site) -> Pages:
    """Who holds which role, and who is on call."""
    pool, relieved = site.scene("duty"), site.scene("relieved")
    return {
        "people": ("ada", "/people/"),
        "people-nobody": ("stranger", "/people/"),
        "person-open": ("ada", f"/people/{relieved}/"),
        "on-call": ("luis", "/on-call/"),
        "on-call-pool": ("maria", f"/on-call/{pool}/"),
        "on-call-pool-open": ("ada", f"/on-call/{pool}/"),
    }


def measured(site: Site) -> Pages:
    """Charts of what the collector wrote: a wave's two sides, and a pool by release."""
    rollout = site.scene("measured")
    pool = site.scene("measured_pool")
    return {
        "rollout-measured": ("oncall", f"/rollouts/{rollout}/"),
        "measured-table": ("oncall", f"/rollouts/{rollout}/measured/?wave=1"),
        "pool": ("operator", f"/pools/{pool}/"),
        "gateway-measured": ("operator", f"/gateways/{site.scene('measured_gateway')}/"),
        "pool-table": ("auditor", f"/pools/{pool}/measured/?hours=1"),
    }


def lost(site: Site) -> Pages:
    """Quiet loss and complaints, where they are shown."""
    gateway = site.scene("quiet")
    site.scene("complaints")
    return {
        "tickets": ("operator", "/tickets/"),
        "ticket-report": ("operator", f"/gateways/{gateway}/complaint/"),
        "ticket-sources": ("operator", "/tickets/sources/"),
        "ticket-sources-auditor": ("auditor", "/tickets/sources/"),
        "gateway-quiet": ("oncall", f"/gateways/{gateway}/"),
        "gateway-quiet-open": ("oncall", f"/gateways/{gateway}/"),
    }


def alarmed(site: Site) -> Pages:
    """What rules found, whom it reaches, and what was sent."""
    alert = site.scene("alarms")
    return {
        "alarms": ("oncall", "/alerts/"),
        "alarm": ("oncall", f"/alerts/{alert}/told/"),
        "alarm-auditor": ("auditor", f"/alerts/{alert}/told/"),
        "alarm-rules": ("auditor", "/alerts/rules/"),
        "alarm-rule": ("operator", "/alerts/rules/memory/0/"),
        "alarm-rule-new": ("operator", "/alerts/rules/new/"),
        "alarm-rule-auditor": ("auditor", "/alerts/rules/memory/0/"),
        "alarm-contacts-open": ("operator", "/alerts/contacts/"),
        "alarm-deliveries": ("operator", "/alerts/deliveries/"),
        "alarm-silences": ("oncall", "/alerts/silences/"),
        "alarm-device": ("oncall", "/alerts/device/"),
    }


def emergency(site: Site) -> Pages:
    """Asked for by name only: its band stands on every page."""
    loud = site.scene("emergency")
    site.scene("called")
    alone = site.scene("alone")
    return {
        "alone-review": ("oncall", f"/changes/alone/{alone}/"),
        "alone-overview": ("oncall", "/"),
        "emergency-rollout": ("oncall", f"/rollouts/{loud}/"),
        "emergency-overview": ("oncall", "/"),
        "emergency-alerts": ("auditor", "/alerts/"),
    }


def every(site: Site) -> Pages:
    """All of them but the first run's and the emergency's, whose band stands on every page."""
    made: Pages = {}
    for part in (rollouts, drifted, trusted, desks, planned, called, measured, staffed, lost, alarmed, signed, lists):
        made |= part(site)
    return made


def first_run(site: Site) -> Pages:
    """What stands there before anything is: no gateway, no release, no rollout. Call it before the others."""
    site.scene("people")
    places = (
        "rollouts",
        "strategies",
        "releases",
        "gateways",
        "bounds",
        "changes",
        "alerts",
        "balancers",
        "probes",
        "prometheus",
    )
    more = (
        "signers",
        "configs",
        "credentials",
        "keys",
        "alerts/rules",
        "alerts/contacts",
        "alerts/silences",
        "alerts/device",
        "alerts/deliveries",
        "releases/matrix",
        "rollouts/new",
        "releases/add",
        "gateways/add",
    )
    found = {f"first-{place.replace('/', '-')}": ("operator", f"/{place}/") for place in (*places, *more)}
    return found | {
        "first-overview": ("operator", "/"),
        "first-audit": ("auditor", "/audit/"),
        "first-overview-auditor": ("auditor", "/"),
    }
