from django.db import migrations, models

COLUMNS = ("verb", "subject", "actor")


def drop_single(apps, schema_editor):
    """By hand: on SQLite, Django would build the table anew for it and lose the triggers of 0002."""
    model = apps.get_model("approvals", "AuditEvent")
    for column in COLUMNS:
        for name in schema_editor._constraint_names(model, [column], index=True, unique=False, primary_key=False):
            schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


def make_single(apps, schema_editor):
    for column in COLUMNS:
        schema_editor.execute(f"CREATE INDEX approvals_auditevent_{column}_again ON approvals_auditevent ({column})")


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_approver_keys")]
    operations = [
        migrations.CreateModel(
            name="EventAbout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event", models.BigIntegerField()),
                ("about", models.CharField(max_length=120)),
            ],
            options={
                "indexes": [models.Index(fields=["event"], name="about_by_event")],
                "constraints": [models.UniqueConstraint(fields=("about", "event"), name="event_is_about_once")],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_single, make_single)],
            state_operations=[
                migrations.AlterField("auditevent", "verb", models.CharField(max_length=60)),
                migrations.AlterField("auditevent", "subject", models.CharField(max_length=80)),
                migrations.AlterField("auditevent", "actor", models.CharField(max_length=150)),
            ],
        ),
        *(
            migrations.AddIndex("auditevent", models.Index(fields=[name, "seq"], name=f"event_by_{name}"))
            for name in COLUMNS
        ),
    ]
