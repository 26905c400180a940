"""Which of the drawn fences a gateway can have seen; of those that were drawn before, all of them."""

from typing import Any

from django.db import migrations, models


def all_of_them(apps: Any, _editor: Any) -> None:
    apps.get_model("fleet", "Gateway").objects.update(ordered=models.F("fence"))


class Migration(migrations.Migration):
    dependencies = [("fleet", "0009_calls_of_rollouts")]

    operations = [
        migrations.AddField("gateway", "ordered", models.BigIntegerField(db_default=0, default=0)),
        migrations.RunPython(all_of_them, migrations.RunPython.noop),
    ]
