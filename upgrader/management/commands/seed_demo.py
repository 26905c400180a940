"""`manage.py seed_demo INVENTORY`: what a demonstration starts with. People's passwords come as JSON on standard input.

The inventory is what lab.fleet.Lab writes, or lab.demo.simulated for gateways in memory. Run again, it changes nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals import people_journal
from approvals.errors import Refused
from approvals.models import Actor, User
from approvals.roles import ADMINISTRATOR, EVERYTHING, ONCALL, POOL
from fleet import sealed, services
from fleet.models import Channel, Gateway, Pool
from releases import configs
from upgrader import strategy_store
from upgrader.models import Budget, Strategy
from upgrader.strategy import SpecError, checked_spec

ACTOR = Actor.machine("seed_demo")

# Who holds which role: on every pool, or on everything.
ROLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "operator": (("operator", EVERYTHING), ("release_manager", EVERYTHING), (ADMINISTRATOR, EVERYTHING)),
    "oncall": ((ONCALL, POOL), ("approver", EVERYTHING), (ADMINISTRATOR, EVERYTHING)),
    "auditor": (("auditor", EVERYTHING),),
}
WHY = "A demonstration needs one who asks, one who approves and one who looks."

# Of three or four gateways: one may be lost, and the next is upgraded all the same.
BUDGET: Mapping[str, int] = {"gateways_percent": 50}

DEMO = """# The careful canary in seconds instead of minutes, for demonstrations.
title: Careful canary (demo)
kind: canary
waves:
  - title: canary
    count: 1
    weights: [25, 100]
  - title: half
    percent: 50
  - title: rest
    rest: true
observe_seconds: 15
poll_seconds: 1
trial_seconds: 120
at_once: 2
promote: hand
limits:
  login_success_min: 0.98
  min_logins: 5
drain:
  deadline_hours: 24
"""


class Command(BaseCommand):
    help = "Seed a demonstration from a lab's inventory; passwords as JSON {name: password} on standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("inventory", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        inventory = json.loads(options["inventory"].read_text())
        try:
            take_releases(inventory)
            pools = {name: a_pool(name) for name in sorted({gateway["pool"] for gateway in inventory["gateways"]})}
            people(json.load(sys.stdin), pools)
            strategies(inventory.get("strategies", {}))
            budget(inventory.get("budget", BUDGET))
            answered = [enrol(gateway, pools) for gateway in inventory["gateways"]]
        except (Refused, SpecError) as refusal:
            raise CommandError(str(refusal)) from refusal
        if not all(answered):
            silent = [row["name"] for row, here in zip(inventory["gateways"], answered, strict=True) if not here]
            raise CommandError(f"No answer from {', '.join(silent)}.")
        try:
            configurations(inventory["gateways"])
        except Refused as refusal:
            raise CommandError(refusal.say) from refusal
        self.stdout.write(f"{len(answered)} gateways are enrolled and answer.")


def take_releases(inventory: Mapping[str, Any]) -> None:
    """Trust the inventory's signer and take in its releases, as a person would; keep the key for the gateways."""
    call_command("signer", "add", inventory["release_key"], "--label", "Lab release key")
    for folder in inventory["releases"].values():
        call_command("release", "add", folder)
    if key := inventory.get("controller_key"):
        call_command("gateway", "key", key)


def a_pool(name: str) -> Pool:
    # The lab is where releases are tried: it takes those that have passed nothing yet.
    defaults = {"title": name.capitalize(), "channel": Channel.CANDIDATE}
    pool, _ = Pool.objects.get_or_create(name=name, defaults=defaults)
    return pool


def people(passwords: Mapping[str, str], pools: Mapping[str, Pool]) -> None:
    """One who asks, one who approves, one who looks, with the roles for it."""
    now = timezone.now()
    for name, held in ROLES.items():
        person, _ = User.objects.get_or_create(username=name)
        person.set_password(passwords[name])
        person.save()
        for role, over in held:
            for scope in [f"pool:{pool.pk}" for pool in pools.values()] if over == POOL else [over]:
                people_journal.give(person, role, scope, actor=ACTOR, now=now, why=WHY)


def strategies(more: Mapping[str, Mapping[str, Any]]) -> None:
    """Store the shipped strategies, the demonstration's, and what the inventory brings (name → title and spec)."""
    now = timezone.now()
    strategy_store.load(actor=ACTOR, now=now)
    if strategy_store.newest_of("careful-canary-demo") is None:
        strategy_store.store("careful-canary-demo", DEMO, by=None, actor=ACTOR, now=now)
    for name, strategy in more.items():
        checked_spec(strategy["spec"])
        Strategy.objects.get_or_create(name=name, version=1, defaults=dict(strategy))


def budget(wanted: Mapping[str, int]) -> None:
    """Widen the budget that a fleet begins with, which is meant for more gateways than a demonstration has."""
    begun_with = {"gateways_percent": 25, "sessions": None, "rollback_gateways": None}
    Budget.objects.get_or_create(pool=None, defaults={"gateways_percent": 25, "made_at": timezone.now()})
    Budget.objects.filter(pool=None, **begun_with).update(**wanted)


def enrol(row: Mapping[str, Any], pools: Mapping[str, Pool]) -> bool:
    """Enrol one gateway of the inventory with its probe account, and look at it; True when it answers."""
    now = timezone.now()
    keys = [(line.split()[0], line.split()[1]) for line in row.get("host_keys", [])]
    gateway = services.enrol(
        name=row["name"],
        pool=pools[row["pool"]],
        address=row["address"],
        port=row["port"],
        host_keys=keys,
        ssh_user=row["user"],
        public_address=row["public"],
        adapter="ssh" if keys else "memory",
        labels={"simulate": row["simulate"]} if "simulate" in row else {},
        why="The lab made the machine and read its host keys from its disk.",
        actor=ACTOR,
        now=now,
    )
    probe = row["probe"]
    sealed.seal(f"probe:{gateway.name}", f"{probe['user']}\n{probe['password']}".encode(), now=now)
    return services.look(gateway, now=now)


def configurations(rows: Sequence[Mapping[str, Any]]) -> None:
    """Each gateway's ocserv.conf as it is becomes its first revision, as the operator would bring it."""
    operator = User.objects.get(username="operator")
    actor = Actor(kind="person", name=operator.username, user_id=operator.pk)
    for row in rows:
        if "conf" not in row:
            continue
        gateway = Gateway.objects.select_related("pool").get(name=row["name"])
        place, text = configs.Place(gateway.pool, gateway), Path(row["conf"]).read_text()
        if configs.agreed_for(place) is None:
            configs.propose(place, text, note="As it is.", by=operator, actor=actor, now=timezone.now())
