from django.db import migrations, models


class Migration(migrations.Migration):
    """Where Django's cache keeps what all processes must know together."""

    dependencies = [("approvals", "0007_policies_delegations_glass")]

    operations = [
        migrations.CreateModel(
            name="CacheRow",
            fields=[
                ("cache_key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("expires", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "approvals_cache"},
        ),
    ]
