from django.db import migrations

from approvals import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor.connection, [triggers.RECORD])


def remove(apps, schema_editor):
    triggers.remove(schema_editor.connection, [triggers.RECORD])


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_first")]
    operations = [migrations.RunPython(install, remove)]
