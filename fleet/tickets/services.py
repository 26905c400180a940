"""What people and programs may ask about complaints. Refused(sentence) where it is no."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from approvals import rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet import selectors
from fleet.models import Gateway, Pool, Ticket, TicketSource
from fleet.tickets import journal, mapping, match, proofs
from fleet.tickets.proofs import Proven

RIGHT = "hold_rollout"
NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")
LONGEST_WHY = 2000
AGAIN = timedelta(minutes=2)  # in which the same words are the same form, sent twice


@dataclass(frozen=True)
class Wish:
    """A system that somebody wants to let report. `pool`: its gateways only; None: those of all pools."""

    name: str
    kind: str
    pool: Pool | None
    lines: str  # the mapping, a field a line
    proof: str = TicketSource.Proof.TOKEN


def take(proof: Proven, body: Any, *, now: datetime) -> tuple[int, int]:
    """(new, known) complaints of one message. All of it is read before anything is written.

    A copy of a signed message that was taken is not read again: (0, 0).
    """
    if proof.was_taken:
        return 0, 0
    source = proof.source
    found = mapping.complaints(source.kind, source.mapping, body, now)
    hosts = hosts_of(source.pool_id) if any(one.gateway for one in found) else []
    new = sum(journal.take(source, one, gateway=match.named(one.gateway, hosts), now=now) for one in found)
    # Only now: a worker that dies before leaves it to the sender's next try, which finds what is there already.
    journal.note(proof, now=now)
    return new, len(found) - new


def hosts_of(pool_id: int | None) -> list[match.Host]:
    """Gateways by the names and addresses that complaints may know them by. `pool_id`: of one pool only."""
    rows = Gateway.objects.exclude(state=Gateway.State.LEFT).filter(**({"pool": pool_id} if pool_id else {}))
    told = rows.values_list("pk", "name", "address", "public_address")
    return [match.Host(pk, name, tuple(filter(None, addresses))) for pk, name, *addresses in told]


def may_report(user: User, pool_id: int | None) -> bool:
    return rights.may(user, f"fleet.{RIGHT}", f"pool:{pool_id}" if pool_id else rights.EVERYTHING)


def report(where: Gateway | Pool, said: dict[str, str], *, by: User, actor: Actor, now: datetime) -> Ticket:
    """A complaint that a person writes down, about a gateway or about one of a pool's that is found by the session.

    `said`: user, address, text, at.
    """
    pool, gateway = (where.pool, where) if isinstance(where, Gateway) else (where, None)
    if not may_report(by, pool.pk):
        raise Refused(f"Reporting a complaint needs the right “May hold and resume a rollout” on {pool}.")
    if not said["text"]:
        raise Refused("Say what the user complains of.")
    if gateway is None and not (said.get("user") or said.get("address")):
        raise Refused("Name the gateway, the user or an address: else nobody can say which gateway it is about.")
    for name, most in mapping.LONGEST.items():
        if len(said.get(name, "")) > most:
            raise Refused(f"The field {name} has {len(said[name]):,} characters; {most:,} are allowed.")
    at = mapping.moment(said.get("at", ""), now)
    since = at - AGAIN if not said.get("at") else at
    about = {"pool": pool} if gateway is None else {"gateway": gateway}
    same = Ticket.objects.filter(source=None, **about, user=said.get("user", ""), text=said["text"])
    if same.filter(reported_at__range=(since, at)).exists():
        raise Refused("This complaint is there already.")
    row = {name: said.get(name, "") for name in ("user", "address", "text")}
    found = {"gateway": gateway, "pool": pool, "due_at": now}
    return journal.report({**row, **found, "reported_at": at}, actor=actor, now=now)


def close(ticket: Ticket, *, by: User, actor: Actor, now: datetime) -> None:
    if not may_report(by, ticket.pool_id):
        raise Refused("Closing a complaint needs the right “May hold and resume a rollout” on its pool.")
    if not journal.close(ticket, actor=actor, now=now):
        raise Refused("It was closed already.")


def add_source(wish: Wish, *, by: User, actor: Actor, why: str, now: datetime) -> tuple[TicketSource, str]:
    """A system, and its token or secret: shown this once."""
    if not may_report(by, wish.pool.pk if wish.pool else None):
        where = f"on {wish.pool}" if wish.pool else "on all pools"
        raise Refused(f"Letting a system report needs the right “May hold and resume a rollout” {where}.")
    if not NAME.fullmatch(wish.name):
        raise Refused("A name has 2 to 40 small letters, digits and hyphens, and begins with a letter.")
    if wish.kind not in TicketSource.Kind.values:
        raise Refused("Choose JSON or Alertmanager.")
    if wish.proof not in TicketSource.Proof.values:
        raise Refused("Choose a token, or which signature it sends.")
    _demand_why(why)
    fields = mapping.mapping_of(wish.lines) if wish.kind == TicketSource.Kind.JSON else {}
    secret = proofs.made(wish.proof)
    row = {"name": wish.name, "kind": wish.kind, "pool": wish.pool, "mapping": fields, "proof": wish.proof}
    return journal.add_source(row, secret, actor=actor, now=now, why=why), secret


@dataclass(frozen=True)
class Renewal:
    """Another token or secret. `hours`: so long the one before is good, too; `seen`: proofs.version of who asks."""

    hours: int
    seen: str
    why: str


def renew_source(source: TicketSource, wish: Renewal, *, by: User, actor: Actor, now: datetime) -> str:
    """The new token or secret: shown this once."""
    if not may_report(by, source.pool_id):
        raise Refused("Changing its secret needs the right “May hold and resume a rollout” where it reports.")
    if wish.hours not in proofs.HOURS:
        raise Refused("Say for how long the one before is good, too.")
    _demand_why(wish.why)
    secret = proofs.made(source.proof)
    journal.renew_source(source, secret, wish=(wish.hours, wish.seen), actor=actor, now=now, why=wish.why)
    return secret


def _demand_why(why: str) -> None:
    if not why or len(why) > LONGEST_WHY:
        raise Refused(f"Say why, in at most {LONGEST_WHY:,} characters.")


def end_source(source: TicketSource, *, by: User, actor: Actor, why: str, now: datetime) -> None:
    if not may_report(by, source.pool_id):
        raise Refused("Letting a system go needs the right “May hold and resume a rollout” where it reports.")
    if not why:
        raise Refused("Say why.")
    journal.end_source(source, actor=actor, now=now, why=why[:LONGEST_WHY])


def pools_of(user: User) -> list[Pool]:
    return list(selectors.pools_with(user, RIGHT))
