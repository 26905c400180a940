"""Every address for everybody: nobody, who asks, who approves, who may only look, and who may nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import URLPattern

from tests.scenes import scene
from tests.web.conftest import assert_clean
from upgrader.urls import urlpatterns

Browse = Callable[[str], Client]
SEES = {"operator": 200, "oncall": 200, "auditor": 200}
ROUTES: dict[str, dict[str, int]] = {
    "/": {**SEES, "stranger": 200},
    "/inbox/": {**SEES, "stranger": 200},
    "/rollouts/": {**SEES, "stranger": 200},
    "/rollouts/new/": {**SEES, "stranger": 200},
    "/rollouts/{rollout}/": {**SEES, "stranger": 404},
    "/rollouts/{rollout}/chart/": {**SEES, "stranger": 404},
    "/rollouts/{rollout}/numbers/": {**SEES, "stranger": 404},
    "/rollouts/{rollout}/events/": {**SEES, "stranger": 404},
    "/rollouts/{rollout}/evidence/": {**SEES, "stranger": 404},
    "/rollouts/{rollout}/evidence.json": {"operator": 403, "oncall": 403, "auditor": 200, "stranger": 404},
    "/people/": {**SEES, "stranger": 200},
    "/on-call/": {**SEES, "stranger": 200},
    "/alerts/device/": {**SEES, "stranger": 200},
    "/search/?q=fra": {**SEES, "stranger": 200},
    "/rollouts/{rollout}/hold/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/strategies/": {**SEES, "stranger": 404},
    "/strategies/add/": {**SEES, "stranger": 404},
    "/strategies/check/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/strategies/{strategy}/": {**SEES, "stranger": 404},
    "/strategies/{strategy}/retire/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/decisions/{rollout}/": {**SEES, "stranger": 404},
    "/bounds/": {**SEES, "stranger": 200},
    "/bounds/0/freeze/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/api/bounds/": {**SEES, "stranger": 200},
    "/releases/": {**SEES, "stranger": 200},
    "/releases/add/": {"operator": 200, "oncall": 403, "auditor": 403, "stranger": 403},
    "/api/releases/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/releases/{release}/": {**SEES, "stranger": 404},
    "/releases/matrix/": {**SEES, "stranger": 200},
    "/releases/{release}/compare/{release}/": {**SEES, "stranger": 404},
    "/releases/{release}/pass/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/signers/": {**SEES, "stranger": 403},
    "/rollouts/{rollout}/readings/": {**SEES, "stranger": 404},
    "/rollouts/{rollout}/measured/": {**SEES, "stranger": 404},
    "/pools/{pool}/": {**SEES, "stranger": 404},
    "/pools/{pool}/readings/": {**SEES, "stranger": 404},
    "/pools/{pool}/measured/": {**SEES, "stranger": 404},
    "/gateways/": {**SEES, "stranger": 200},
    "/gateways/add/": {**SEES, "stranger": 200},
    "/gateways/import/": {**SEES, "stranger": 200},
    "/gateways/{gateway}/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/readings/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/numbers/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/charts/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/install/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/install/run/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/gateways/{gateway}/uninstall/run/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/gateways/{gateway}/leave/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/gateways/{gateway}/host-key/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/gateways/{gateway}/probes/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/probes/charts/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/probes/numbers/": {**SEES, "stranger": 404},
    "/prometheus/": {**SEES, "stranger": 200},
    "/prometheus/set/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/prometheus/1/drop/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/gateways/{gateway}/prometheus/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/prometheus/sessions/": {**SEES, "stranger": 404},
    "/probes/": {**SEES, "stranger": 200},
    "/probes/add/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/probes/1/remove/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/gateways/{gateway}/complaint/": {**SEES, "stranger": 404},
    "/gateways/{gateway}/complaint/report/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/tickets/": {**SEES, "stranger": 200},
    "/tickets/1/close/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/tickets/sources/": {**SEES, "stranger": 200},
    "/tickets/sources/add/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/tickets/sources/1/end/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/balancers/": {**SEES, "stranger": 200},
    "/balancers/add/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/credentials/": {"operator": 403, "oncall": 403, "auditor": 200, "stranger": 403},
    "/credentials/rotate/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/credentials/1/sign/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/statements/1/both/": {"operator": 403, "oncall": 403, "auditor": 404, "stranger": 403},
    "/configs/": {**SEES, "stranger": 200},
    "/configs/add/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/alerts/": {**SEES, "stranger": 200},
    "/alerts/rules/": {**SEES, "stranger": 200},
    "/alerts/rules/memory/0/": {**SEES, "stranger": 200},
    "/alerts/rules/new/": {**SEES, "stranger": 200},
    "/alerts/rules/new/try/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/alerts/rules/new/add/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/alerts/rules/memory/{pool}/": {**SEES, "stranger": 404},
    "/alerts/rules/weather/0/": {"operator": 404, "oncall": 404, "auditor": 404, "stranger": 404},
    "/alerts/contacts/": {**SEES, "stranger": 200},
    "/alerts/silences/": {**SEES, "stranger": 200},
    "/alerts/deliveries/": {**SEES, "stranger": 200},
    "/alerts/99/told/": {"operator": 404, "oncall": 404, "auditor": 404, "stranger": 404},
    "/alerts/99/acknowledge/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/alerts/contacts/add/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/alerts/silences/begin/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/errands/1/again/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/keys/": {**SEES, "stranger": 200},
    "/account/tokens/": {**SEES, "stranger": 200},
    "/webhooks/": {**SEES, "stranger": 200},
    "/account/": {**SEES, "stranger": 200},
    "/account/prove/": {**SEES, "stranger": 200},
    "/account/passkeys/add/": {"operator": 302, "oncall": 302, "auditor": 302, "stranger": 302},
    "/account/sessions/1/end/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/accounts/": {"operator": 403, "oncall": 403, "auditor": 403, "stranger": 403},
    "/accounts/1/off/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/keys/add/": {"operator": 405, "oncall": 405, "auditor": 405, "stranger": 405},
    "/changes/": {**SEES, "stranger": 200},
    "/changes/policies/": {**SEES, "stranger": 200},
    "/changes/delegations/": {**SEES, "stranger": 200},
    "/changes/alone/99/": {"operator": 404, "oncall": 404, "auditor": 404, "stranger": 404},
    "/api/decisions/{rollout}/": {**SEES, "stranger": 404},
    "/audit/": {"operator": 403, "oncall": 403, "auditor": 200, "stranger": 403},
    "/audit/?verify=1&verb=rollout.": {"operator": 403, "oncall": 403, "auditor": 200, "stranger": 403},
    "/audit/print/": {"operator": 403, "oncall": 403, "auditor": 200, "stranger": 403},
    "/api/rollouts/{rollout}/": {**SEES, "stranger": 404},
}
OPEN = {
    "/sign-in/": 200,
    "/sign-in/passkey/": 302,
    "/sign-in/second-factor/": 302,
    "/sign-in/cancelled/": 200,
    "/sign-in/off/": 403,
    "/sign-in/company/company/": 404,
    "/sign-in/link/MQ/of-yesterday/": 200,
    "/livez": 200,
    "/readyz": 503,
    "/readyz?of=web": 200,
    "/metrics": 404,
    "/sign-out/": 405,
    "/nowhere/": 404,
    "/kit/forged/": 410,
    "/api/tickets/noc/": 405,
    "/sw.js": 200,
    "/manifest.webmanifest": 200,
}


@pytest.mark.parametrize("who", ["operator", "oncall", "auditor", "stranger"])
@pytest.mark.parametrize("route", ROUTES)
def test_route(browse: Browse, route: str, who: str) -> None:
    made = scene("observing")
    gateway = made.upgrades(1)[0].gateway_id
    of = made.rollout
    path = route.format(rollout=of.pk, release=of.release_id, gateway=gateway, strategy=of.strategy_id, pool=of.pool_id)
    page = browse(who).get(path)
    assert page.status_code == ROUTES[route][who]
    assert_clean(page)
    if who == "stranger":
        assert b"eu-west" not in page.content


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_is_let_in(browse: Browse, route: str) -> None:
    path = route.format(rollout=1, release=1, gateway=1, strategy=1, pool=1)
    page = browse("anonymous").get(path)
    assert page.status_code == (401 if path.startswith("/api/") else 302)
    if page.status_code == 302:
        assert page["Location"].startswith("/sign-in/?next=")
    part = browse("anonymous").get(path, headers={"HX-Request": "true"})
    assert part.status_code == 401
    assert part.headers.get("HX-Redirect", "/sign-in/") == "/sign-in/"


@pytest.mark.parametrize("path", OPEN)
def test_open_to_all(browse: Browse, path: str) -> None:
    page = browse("anonymous").get(path)
    assert page.status_code == OPEN[path]
    assert_clean(page)


def test_no_address_is_forgotten() -> None:
    known = {path.partition("?")[0].strip("/").split("/")[0] for path in (*ROUTES, *OPEN)}
    routes = [pattern for pattern in urlpatterns if isinstance(pattern, URLPattern)]
    assert {str(route.pattern).strip("/").split("/")[0] for route in routes} <= known


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/nowhere/"])
def test_policy_is_strict(browse: Browse, path: str) -> None:
    policy = browse("operator").get(path).headers.get("Content-Security-Policy", "")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_simulated_is_said_on_every_page(browse: Browse, settings: object) -> None:
    rollout = scene("done").rollout
    settings.SIMULATED = True  # type: ignore[attr-defined]  # pytest-django's wrapper
    for path in ("/", "/rollouts/", f"/rollouts/{rollout.pk}/", "/gateways/", "/releases/", "/nowhere/"):
        assert b"Simulated" in browse("operator").get(path).content
