"""Who holds which role where. The roles themselves are approvals/roles.py."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models


class RoleGroup(models.Model):
    """The group that stands for one role on one scope: its members hold the role, its permissions are the role's.

    Written by approvals/people_journal.py alone, which makes the group's permissions what approvals/roles.py says.
    """

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="stands_for")
    role = models.CharField(max_length=20)  # a name in approvals.roles.ROLES
    scope = models.CharField(max_length=80)  # "all", "pool:3", "channel:2"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "scope"], name="one_group_a_role_and_scope")]

    def __str__(self) -> str:
        return f"{self.role} on {self.scope}"
