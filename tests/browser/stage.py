"""Makes rows on demand in the database of a running site: one JSON line in, the id of a rollout or a sight out."""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upgrader.settings")
django.setup()

# The models exist only after setup.
from tests.scenes import scene  # noqa: E402
from tests.sights import SIGHTS  # noqa: E402

for line in sys.stdin:
    asked = json.loads(line)
    if asked["name"] in SIGHTS:
        print(SIGHTS[asked["name"]](), flush=True)
    else:
        made = scene(asked["name"], on=asked["on"], release=asked["release"])
        print(made.rollout.pk, flush=True)
