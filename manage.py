#!/usr/bin/env python3
"""Django's command line for Handover."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upgrader.settings")
    # A command is written with hyphens and its module with underscores: manage.py rotate-keys.
    words = [word.replace("-", "_") if at == 1 and word[:1] != "-" else word for at, word in enumerate(sys.argv)]
    execute_from_command_line(words)
