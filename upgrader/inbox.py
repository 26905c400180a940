"""Open pages learn at once that something was asked or answered."""

from __future__ import annotations

from functools import partial

from approvals import services
from upgrader import live

services.HEARD.append(partial(live.publish, "inbox"))
