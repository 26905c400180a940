from django.apps import AppConfig


class UpgraderConfig(AppConfig):
    name = "upgrader"
    default_auto_field = "django.db.models.BigAutoField"
