"""Makes rollouts on demand in the database of a running site: one JSON line in, the rollout's id out."""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upgrader.settings")
django.setup()

# The models exist only after setup.
from tests.scenes import scene  # noqa: E402

for line in sys.stdin:
    asked = json.loads(line)
    made = scene(asked["name"], on=asked["on"], release=asked["release"])
    print(made.rollout.pk, flush=True)
