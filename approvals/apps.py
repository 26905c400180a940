from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class ApprovalsConfig(AppConfig):
    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Each names its kinds of changes in approvals.changes.KINDS; this app may not import them by name.
        for module in settings.CHANGES:
            import_module(module)
        import_module("approvals.signin_record").listen()
