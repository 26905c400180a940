"""Trust statements, and a policy for each channel: a missing one says no."""

from django.db import migrations, models

POLICIES = (
    {"channel": "candidate", "threshold": 1, "max_age_days": 0, "matrix": []},
    {"channel": "staging", "threshold": 1, "max_age_days": 0, "matrix": ["static", "functional"]},
    {"channel": "production", "threshold": 1, "max_age_days": 365, "matrix": ["static", "functional", "stress"]},
)


def seed(apps, editor):
    model = apps.get_model("releases", "ChannelPolicy")
    for policy in POLICIES:
        model.objects.get_or_create(channel=policy["channel"], defaults=policy)


class Migration(migrations.Migration):
    dependencies = [("releases", "0002_channels_configs_matrix")]

    operations = [
        migrations.CreateModel(
            name="TrustStatement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("serial", models.PositiveIntegerField(unique=True)),
                ("text", models.TextField()),
                ("old", models.JSONField()),
                ("signatures", models.JSONField(default=list)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("sent", "Sent"), ("replaced", "Replaced")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("drawn_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={"ordering": ["-serial"]},
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
