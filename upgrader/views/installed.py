"""What a phone needs to install the dashboard: its manifest, and the worker that shows alerts (static/js/worker.js)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_safe

SIZES = (192, 512)
WORKER = settings.BASE_DIR / "static/js/worker.js"


@require_safe
def manifest(request: HttpRequest) -> JsonResponse:
    """The Web App Manifest; for everybody, for a browser asks for it without a session."""
    icons = [{"src": static(f"img/icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"} for size in SIZES]
    whole = {"src": static("img/icon-maskable-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"}
    said = {
        "name": "Handover",
        "short_name": "Handover",
        "description": "Upgrades VPN gateways without cutting off who is on them.",
        "id": "/",
        "start_url": reverse("overview"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#10151c",
        "theme_color": "#10151c",
        "icons": [*icons, whole],
        "shortcuts": [{"name": "Alerts", "url": reverse("alerts")}, {"name": "Rollouts", "url": reverse("rollouts")}],
    }
    return JsonResponse(said, content_type="application/manifest+json")


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, from the top: a worker speaks for what lies below its address."""
    answer = HttpResponse(WORKER.read_bytes(), content_type="text/javascript; charset=utf-8")
    answer["Cache-Control"] = "no-cache"
    return answer
