"""Saves every page as a picture: desktop 1440 and phone 390, light and dark, into .cache/screenshots/.

Usage: python -m tests.browser.screenshots [PART-OF-A-NAME…]
"""

from __future__ import annotations

import sys
from functools import partial

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.site import ARGS, BROWSER, PASSWORD, ROOT, Site, running

OUT = ROOT / ".cache" / "screenshots"
SCENES = ("observing", "waiting_promotion", "waiting_approval", "stuck", "draining", "done", "rolled_back", "failed")
POOLS = ("eu-west", "eu-north", "us-east", "us-west", "asia", "brazil", "africa", "oceania")
ASKED = {"late": "osaka", "cut_asked": "madrid", "back_asked": "lisbon", "ready": "milan"}
WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}


def sign_in(page: Page, site: Site, who: str) -> None:
    page.goto(f"{site.url}/sign-in/")
    page.fill("#id_username", who)
    page.fill("#id_password", PASSWORD)
    page.click("button.go")


def drifted(site: Site) -> dict[str, tuple[str, str]]:
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
    }


def desks(site: Site) -> dict[str, tuple[str, str]]:
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
        "credentials": ("operator", "/credentials/"),
        "credentials-auditor": ("auditor", "/credentials/"),
        "gateway-add": ("operator", "/gateways/add/"),
        "gateway-import": ("operator", "/gateways/import/"),
        "gateway-left": ("operator", f"/gateways/{left}/"),
        "decision-warned": ("oncall", f"/decisions/{warned}/"),
        "gateway-quarantined": ("operator", f"/gateways/{quarantined}/"),
    }


def trusted(site: Site) -> dict[str, tuple[str, str]]:
    """What two people decide: keys, configurations, signers; releases on their way."""
    change, config, candidate = site.scene("change"), site.scene("config"), site.scene("trust")
    return {
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


def planned(site: Site) -> dict[str, tuple[str, str]]:
    """Strategies, and plans before they are approved."""
    strategy, changed = site.scene("strategy"), site.scene("changed")
    return {
        "strategies": ("operator", "/strategies/"),
        "strategy": ("operator", f"/strategies/{strategy}/"),
        "strategy-add": ("operator", f"/strategies/add/?from={strategy}"),
        "plan-changed": ("oncall", f"/rollouts/{changed}/"),
        "decision-plan-open": ("oncall", f"/decisions/{changed}/"),
    }


def pages(site: Site) -> dict[str, tuple[str, str]]:
    """Name → (who looks, path)."""
    ids = {name: site.scene(name, on=pool) for name, pool in (*zip(SCENES, POOLS, strict=True), *ASKED.items())}
    made = {f"rollout-{name}": ("oncall", f"/rollouts/{pk}/") for name, pk in ids.items()}
    return (
        made
        | drifted(site)
        | trusted(site)
        | desks(site)
        | planned(site)
        | {
            "rollout-observing-auditor": ("auditor", f"/rollouts/{ids['observing']}/"),
            "decision-approve": ("oncall", f"/decisions/{ids['waiting_approval']}/"),
            "decision-agree-back": ("oncall", f"/decisions/{ids['back_asked']}/"),
            "decision-agree-cut": ("oncall", f"/decisions/{ids['cut_asked']}/"),
            "decision-extend": ("oncall", f"/decisions/{ids['late']}/?do=extend"),
            "decision-ask-cut": ("operator", f"/decisions/{ids['late']}/?do=ask-cut"),
            "decision-abort": ("oncall", f"/decisions/{ids['observing']}/?do=abort"),
            "rollout-late-open": ("oncall", f"/rollouts/{ids['late']}/"),
            "decision-roll-back": ("oncall", f"/decisions/{ids['observing']}/?do=roll-back"),
            "overview": ("oncall", "/"),
            "overview-stranger": ("stranger", "/"),
            "rollouts": ("operator", "/rollouts/"),
            "rollout-new": ("operator", "/rollouts/new/"),
            "gateways": ("oncall", "/gateways/"),
            "gateway": ("oncall", "/gateways/1/"),
            "audit": ("auditor", "/audit/?verify=1"),
            "numbers": ("oncall", f"/rollouts/{ids['observing']}/numbers/?wave=1"),
            "refused": ("oncall", "/audit/"),
            "missing": ("oncall", "/nowhere/"),
            "sign-in": ("", "/sign-in/"),
        }
    )


def called(site: Site) -> dict[str, tuple[str, str]]:
    """What waits behind a freeze, balancers, and what calls people."""
    waiting = site.scene("waiting")
    site.scene("balancer")
    site.scene("called")
    return {
        "rollout-waits": ("oncall", f"/rollouts/{waiting}/"),
        "balancers": ("operator", "/balancers/"),
        "alerts-called": ("oncall", "/alerts/"),
    }


def emergency(site: Site) -> dict[str, tuple[str, str]]:
    """Asked for by name only: its band stands on every page."""
    loud = site.scene("emergency")
    site.scene("called")
    return {
        "emergency-rollout": ("oncall", f"/rollouts/{loud}/"),
        "emergency-overview": ("oncall", "/"),
        "emergency-alerts": ("auditor", "/alerts/"),
    }


def shoot(browser: Browser, site: Site, wanted: dict[str, tuple[str, str]]) -> list[str]:
    """Save the pictures; return what the browser complained about."""
    complaints: list[str] = []
    for size, (width, height) in WIDTHS.items():
        for scheme in ("light", "dark"):
            for who in sorted({who for who, _ in wanted.values()}):
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                page = context.new_page()
                page.on("console", partial(listen, page, complaints))
                if who:
                    sign_in(page, site, who)
                for name, (looker, path) in wanted.items():
                    if looker == who:
                        page.goto(site.url + path)
                        if name.endswith("-open"):
                            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
                        page.wait_for_timeout(900)  # the chart's own drawing
                        page.screenshot(path=OUT / f"{name}-{size}-{scheme}.png", full_page=True)
                context.close()
    return complaints


def listen(page: Page, complaints: list[str], said: ConsoleMessage) -> None:
    """Refusals are pages, too; all else that the console says is a fault of ours."""
    if said.type in ("error", "warning") and "status of 40" not in said.text:
        complaints.append(f"{page.url}: {said.text}")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with running() as site, sync_playwright() as play:
        every = pages(site) | called(site) | (emergency(site) if "emergency" in sys.argv[1:] else {})
        wanted = {
            name: page for name, page in every.items() if not sys.argv[1:] or any(p in name for p in sys.argv[1:])
        }
        browser = play.chromium.launch(executable_path=BROWSER, args=list(ARGS))
        complaints = shoot(browser, site, wanted)
        browser.close()
    print(f"{len(wanted) * 4} pictures in {OUT}")
    if complaints:
        sys.exit("The browser complained:\n" + "\n".join(sorted(set(complaints))))


if __name__ == "__main__":
    main()
