"""Where the record's checkpoints are copied to, and how long names behind its pseudonyms are kept: docs/record.md."""

from __future__ import annotations

import os

ALL = (
    os.environ.get("HANDOVER_CHECKPOINT_FILE", ""),  # on another disk or another machine's mount
    os.environ.get("HANDOVER_CHECKPOINT_SYSLOG", ""),  # udp://, tcp://, tls:// or unix://
    os.environ.get("HANDOVER_CHECKPOINT_WEBHOOK", ""),  # https://
    os.environ.get("HANDOVER_CHECKPOINT_WEBHOOK_SECRET", ""),  # "whsec_…"
    int(os.environ.get("HANDOVER_NAMES_DAYS", "90")),
)
