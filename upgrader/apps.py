from importlib import import_module

from django.apps import AppConfig


class UpgraderConfig(AppConfig):
    name = "upgrader"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Or `delay()` would try AMQP. Not in the package itself: the supervisor reads settings and needs no Celery.
        import_module("upgrader.celery")
