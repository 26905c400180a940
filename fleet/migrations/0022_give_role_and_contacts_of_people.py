import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fleet', '0021_signed_webhooks'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='pool',
            options={'ordering': ['name'], 'permissions': [('submit_rollout', 'May plan a rollout and ask for approval'), ('approve_rollout', 'May approve a rollout'), ('promote_rollout', 'May promote the next wave'), ('hold_rollout', 'May hold and resume a rollout'), ('rollback_rollout', 'May roll back'), ('set_bounds', 'May begin a freeze, and ask for windows, budgets and the end of a freeze'), ('approve_bounds', 'May confirm windows, budgets and the end of a freeze'), ('pass_freeze', 'May approve a rollout that passes a freeze'), ('propose_config', 'May propose a configuration'), ('approve_config', 'May approve a configuration'), ('enrol_gateway', 'May enrol gateways and let them go, and ask to adopt or put back drift'), ('approve_gateway', 'May confirm gateways, host keys and what becomes of drift'), ('give_role', 'May give and take roles, and set who is on call'), ('approve_role', 'May confirm roles that approve or administer')]},
        ),
        migrations.AddField(
            model_name='contact',
            name='person',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
    ]
