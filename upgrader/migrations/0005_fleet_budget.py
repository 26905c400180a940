"""A fleet begins with a budget: a quarter of it may be out at the same time."""

from typing import Any

from django.db import migrations
from django.utils import timezone


def give(apps: Any, _editor: Any) -> None:
    budget = apps.get_model("upgrader", "Budget")
    if not budget.objects.filter(pool=None).exists():
        budget.objects.create(pool=None, gateways_percent=25, made_at=timezone.now())


def take(apps: Any, _editor: Any) -> None:
    apps.get_model("upgrader", "Budget").objects.filter(pool=None).delete()


class Migration(migrations.Migration):
    dependencies = [("upgrader", "0004_bounds_and_strategies")]

    operations = [migrations.RunPython(give, take)]
