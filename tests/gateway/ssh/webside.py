"""Fills the database of a web process of a test: one signed release of the lab, one gateway with a ticket for it.

`python -m tests.gateway.ssh.webside KEY FOLDER` prints {"sha256", "ticket"}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upgrader.settings")
django.setup()

# The models exist only after setup.
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from approvals.models import Actor  # noqa: E402
from fleet.models import Gateway, Pool  # noqa: E402
from releases import services, tickets  # noqa: E402

TEST = Actor.machine("test")

call_command("migrate", verbosity=0)
call_command("signer", "add", sys.argv[1], "--label", "Lab", stdout=sys.stderr)
release = services.take_in(Path(sys.argv[2]), by=None, actor=TEST, now=timezone.now())
gateway = Gateway.objects.create(name="gw1", pool=Pool.objects.create(name="edge"), calls_in=True)
ticket = tickets.issue(release, gateway, actor=TEST, now=timezone.now())
print(json.dumps({"sha256": release.sha256, "ticket": ticket}))
