"""Install ocgate, or take it away, over an SSH login that a person lends once. Nothing of the login is kept.

The login lives in the request that brought it and in the thread that serves it: no task, no row, no log carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from approvals import audit, changes, rights
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import enrolment, kit
from fleet.errors import Unfinished
from fleet.gateways.dial import Target
from fleet.gateways.guest import Guest, Login
from fleet.gateways.rows import target_of
from fleet.models import Gateway

Clock = Callable[[], datetime]
UNINSTALL = "python3 /usr/lib/ocgate/ocgate uninstall"


@dataclass(frozen=True)
class Work:
    """What is done where, with whose login, and who asked."""

    gateway: Gateway
    target: Target
    login: Login
    verb: str  # of the record
    actor: Actor


def install(gateway: Gateway, login: Login, *, adopt: bool, by: User, actor: Actor, clock: Clock) -> Iterator[str]:
    """Check everything, then return the lines of the installation; they come while it runs. Refused before anything."""
    _demand(by, gateway, login)
    made = kit.kit_of(gateway, adopt=adopt)

    def steps(guest: Guest) -> Iterator[str]:
        yield f"{gateway.name} is the machine that was confirmed. {login.user} is signed in."
        folder = guest.bring(made.data, made.name)
        yield f"{len(made.data):,} bytes are there."
        # Root copies it before it is checked: who lent the login can't change afterwards what runs.
        yield from guest.as_root(kit.script(gateway, made, f"cp {folder}/{made.name} .; rm -r {folder}", adopt=adopt))

    return _told(Work(gateway, target_of(gateway), login, "installed", actor), steps, clock=clock)


def uninstall(gateway: Gateway, login: Login, *, cut: bool, by: User, actor: Actor, clock: Clock) -> Iterator[str]:
    """Take ocgate off a machine that has left the fleet; its host keys are those that were pinned when it left."""
    _demand(by, gateway, login)
    if gateway.state != Gateway.State.LEFT:
        raise Refused(f"{gateway.name} is still in the fleet. Let it leave first.")
    target = _as_it_left(gateway)

    def steps(guest: Guest) -> Iterator[str]:
        yield f"{gateway.name} is the machine that left. {login.user} is signed in."
        yield from guest.as_root(f"{UNINSTALL}{' --cut' if cut else ''}")

    return _told(Work(gateway, target, login, "uninstalled", actor), steps, clock=clock)


def _told(work: Work, steps: Callable[[Guest], Iterator[str]], *, clock: Clock) -> Iterator[str]:
    _record(work, f"{work.verb}_begun", now=clock())

    def told() -> Iterator[str]:
        end, say = "not_" + work.verb, "It broke off."
        try:
            guest = Guest(work.target, work.login)
            try:
                yield from steps(guest)
            finally:
                guest.close()
            end, say = work.verb, "Done. The login is forgotten."
        except Unfinished as failure:
            say = f"{failure.say} The login is forgotten; nothing else was tried."
        finally:
            _record(work, end, now=clock(), reason=say)
            connection.close()  # this runs in a thread of its own
        yield say

    return told()


def _as_it_left(gateway: Gateway) -> Target:
    approved = Request.objects.filter(kind=enrolment.LEAVE, subject=f"gateway:{gateway.pk}", state="approved")
    request = approved.order_by("-pk").first()
    payload = request.summary["payload"] if request else {}
    if request is None or not payload["keys"] or changes.digest(enrolment.LEAVE, request.summary) != request.digest:
        raise Refused(f"Nobody knows the host keys of {gateway.name} any more. Run the command on the machine itself.")
    pairs = tuple((str(kind), str(key)) for kind, key in payload["keys"])
    return Target(gateway.name, gateway.address, gateway.port, gateway.ssh_user, pairs)


def _demand(by: User, gateway: Gateway, login: Login) -> None:
    if not rights.may(by, "fleet.enrol_gateway", f"pool:{gateway.pool_id}"):
        raise Refused(f"You may not do this on {gateway.pool.name}: you lack the right “May enrol gateways”.")
    if not enrolment.USER.fullmatch(login.user):
        raise Refused("Say as whom to sign in: a user of the machine that may become root.")
    if bool(login.password) == bool(login.key) and login.user == "root":
        raise Refused("Give the password or the private key, one of them.")
    if not login.password and not login.key:
        raise Refused("Give the password or the private key of that user.")


def _record(work: Work, verb: str, *, now: datetime, reason: str = "") -> None:
    with transaction.atomic():
        subject, details = f"gateway:{work.gateway.pk}", {"login": work.login.user}
        audit.append(f"gateway.{verb}", subject=subject, actor=work.actor, at=now, reason=reason, details=details)
