"""The budgets count gateways by state and pool before each beginning: from the index, not from 10,000 long rows."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fleet", "0007_balancers")]

    operations = [
        migrations.AddIndex(
            model_name="gateway",
            index=models.Index(fields=["state", "pool"], name="gateway_state_pool"),
        ),
    ]
