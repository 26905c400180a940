"""A process of its own on PostgreSQL: two people answer the same question at the same moment, one yes and one no.

Prints for each round what both were told, how many answers are kept and how the question stands, as JSON.
"""

from __future__ import annotations

import json
import sys

import django

django.setup()

from approvals.errors import Refused  # noqa: E402 - models load after django.setup
from approvals.models import Request  # noqa: E402
from tests.db.approvals.cast import ask, decide, person  # noqa: E402
from tests.stack.racer import at_once  # noqa: E402


def a_round(number: int) -> dict[str, object]:
    request = ask(subject=f"rollout:{number}")
    told: dict[str, str] = {}

    def answer(name: str, **words: object) -> None:
        try:
            told[name] = decide(request, name, **words).state
        except Refused as refusal:
            told[name] = refusal.say

    faults = at_once(lambda: answer("Li"), lambda: answer("Kim", yes=False, reason="Not tonight."))
    seen = Request.objects.get(pk=request.pk)
    return {"told": told, "faults": faults, "answers": seen.decisions.count(), "state": seen.state}


def main(rounds: int) -> None:
    for name in ("Mo", "Li", "Kim"):
        person(name)
    print(json.dumps([a_round(number) for number in range(rounds)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
