from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_migrate


class UpgraderConfig(AppConfig):
    name = "upgrader"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Or `delay()` would try AMQP. Not in the package itself: the supervisor reads settings and needs no Celery.
        import_module("upgrader.celery")
        # Gateways' charts show what rollouts did there; fleet knows no rollouts.
        import_module("fleet.metrics.pages").MARKERS.append(import_module("upgrader.measured").on_gateway)
        import_module("fleet.tickets.partings").PARTED.append(import_module("upgrader.cuts").of_tickets)
        told = import_module("upgrader.complaint_pages").of_release
        import_module("releases.showing").PARTS.append(("upgrader/_release_complaints.html", told))
        # The event streams of a session end with it; approvals knows no streams.
        import_module("approvals.sessions").ENDED.append(import_module("upgrader.live").publish)
        # The last app's: by then the rights of all apps are there.
        post_migrate.connect(import_module("approvals.people_journal").fit_all, sender=self)
        if settings.OTLP_URL:
            trace(settings.OTLP_URL)


def trace(url: str) -> None:
    """Send spans there. The packages for it are an extra, so they are loaded here and nowhere else."""
    try:
        import_module("upgrader.otel").begin(url)
    except ModuleNotFoundError as missing:
        way_on = "pip install -r requirements-otel.txt, or unset it"
        raise ImproperlyConfigured(f"HANDOVER_OTLP_URL is set and {missing.name} is not there: {way_on}.") from missing
