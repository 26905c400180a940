"""Superusers saw every pool because they are superusers. That is no right any more, so they get the role of viewer."""

from django.db import migrations

ROLE, SCOPE = "viewer", "all"


def give(apps, editor):
    people = apps.get_model("approvals", "User").objects.filter(is_superuser=True, is_active=True)
    if not people.exists():
        return
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=f"{ROLE}:{SCOPE}")
    apps.get_model("approvals", "RoleGroup").objects.get_or_create(role=ROLE, scope=SCOPE, defaults={"group": group})
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="fleet", model="pool")
    named = {"content_type": kind, "codename": "view_pool"}
    right, _ = apps.get_model("auth", "Permission").objects.get_or_create(**named, defaults={"name": "Can view pool"})
    group.permissions.add(right)
    for person in people:
        person.groups.add(group)


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0009_roles_and_shifts"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("fleet", "0022_give_role_and_contacts_of_people"),
    ]
    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
