import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


MOVED = ("pass_release", "approve_release")


def move(apps, of, to):
    """The rights keep their rows, so whoever held them still does; what changes is what they are about."""
    kinds = apps.get_model("contenttypes", "ContentType")
    named = apps.get_model("auth", "Permission").objects.filter(codename__in=MOVED, content_type__app_label="releases")
    held = named.filter(content_type__model=of)
    if held.exists():
        held.update(content_type=kinds.objects.get_or_create(app_label="releases", model=to)[0])


def to_channels(apps, editor):
    move(apps, "release", "channelpolicy")


def to_releases(apps, editor):
    move(apps, "channelpolicy", "release")


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('releases', '0004_downgrades'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(to_channels, to_releases),
        migrations.AlterModelOptions(
            name='channelpolicy',
            options={'permissions': [('pass_release', 'May pass a release on to the next channel'), ('approve_release', 'May approve a release in spite of a red cell')]},
        ),
        migrations.AlterModelOptions(
            name='release',
            options={'ordering': ['-counter', 'name'], 'permissions': [('yank_release', 'May withdraw a release')]},
        ),
        migrations.CreateModel(
            name='ChannelGroupObjectPermission',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('content_object', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='releases.channelpolicy')),
                ('group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='auth.group')),
                ('permission', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='auth.permission')),
            ],
            options={
                'abstract': False,
                'unique_together': {('group', 'permission', 'content_object')},
            },
        ),
        migrations.CreateModel(
            name='ChannelUserObjectPermission',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('content_object', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='releases.channelpolicy')),
                ('permission', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='auth.permission')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
                'unique_together': {('user', 'permission', 'content_object')},
            },
        ),
    ]
