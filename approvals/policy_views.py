"""The page Policies: what each kind of request needs, and how that is changed; by what people are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import people, policies, policy_changes
from approvals.errors import Refused
from approvals.models import ApprovalPolicy, Identity, User
from approvals.policies import ALL, EVERY, KINDS
from approvals.policy_changes import Wish
from approvals.policy_spec import STRENGTH_WORDS, Rules, as_data, said

GROUPS = 3  # of one policy, on the form


@dataclass(frozen=True)
class Line:
    """One policy as the page shows it."""

    kind: str
    title: str
    scope: str
    where: str
    version: int  # 0: as shipped
    says: list[str]
    unreadable: str = ""
    row: ApprovalPolicy | None = None


@require_safe
def policy_list(request: HttpRequest) -> HttpResponse:
    """Every policy in force; ?kind=&scope= opens the form for that one."""
    return _page(request, kind=str(request.GET.get("kind", "")), scope=str(request.GET.get("scope", ALL)))


@require_POST
def policy_propose(request: HttpRequest) -> HttpResponse:
    """Ask a second person for a policy."""
    form = request.POST
    kind, scope = str(form.get("kind", "")), str(form.get("scope", ""))
    spec = None if form.get("drop") else spec_of(form)
    wish = Wish(kind, scope, spec, _number(form.get("version")), str(form.get("why", "")))
    who = {"by": people.person(request), "actor": people.actor(request), "now": timezone.now()}
    try:
        asked = policy_changes.propose(wish, **who)
    except Refused as refusal:
        typed = {"spec": spec, "why": wish.why}
        return _page(request, kind=kind, scope=scope, refusal=refusal.say, typed=typed)
    return redirect("change", asked.pk)


@require_POST
def identity_propose(request: HttpRequest) -> HttpResponse:
    """Ask a second person to note by what somebody is known."""
    form = request.POST
    user = get_object_or_404(User, pk=_number(form.get("user")))
    value = f"{form.get('what', '')}:{str(form.get('name', '')).strip()}"
    who = {"by": people.person(request), "actor": people.actor(request), "now": timezone.now()}
    try:
        asked = policy_changes.propose_identity(user, value, why=str(form.get("why", "")), **who)
    except Refused as refusal:
        return _page(request, kind="", scope=ALL, refusal=refusal.say)
    return redirect("change", asked.pk)


def spec_of(form: QueryDict) -> dict[str, Any]:
    """The policy that was typed; what is no number stays a text, and is refused as such."""
    rows = [(str(form.get(f"count-{n}", "")).strip(), str(form.get(f"of-{n}", ""))) for n in range(GROUPS)]
    minutes = ("decide_minutes", "use_minutes", "remind_minutes", "escalate_minutes")
    return {
        "needs": [{"count": _typed(count), "of": of} for count, of in rows if count],
        "not_signer": bool(form.get("not_signer")),
        "step_up": str(form.get("step_up", "")),
        **{name: _typed(str(form.get(name, ""))) for name in minutes},
    }


def lines(person: User) -> list[Line]:
    """What counts everywhere for each kind, and each policy that was made for a place that the person may know of."""
    places = policies.scopes_for(person)
    current = ApprovalPolicy.objects.filter(current=True, scope__in=places).exclude(spec=None)
    rows = {(row.kind, row.scope): row for row in current.select_related("made_by", "agreed_by")}
    shipped = [(kind, ALL) for kind in KINDS if (kind, ALL) not in rows]
    order = {kind: number for number, kind in enumerate(KINDS)}
    wanted = sorted([*rows, *shipped], key=lambda it: (order.get(it[0], len(order)), it[1] != ALL, it[1]))
    return [_line(kind, scope, rows.get((kind, scope)), places) for kind, scope in wanted]


def _line(kind: str, scope: str, row: ApprovalPolicy | None, places: dict[str, str]) -> Line:
    title = policies.title(kind) if kind else "Every kind that has none of its own"
    where = places.get(scope, scope)
    if row is None:
        force = policies.in_force(kind, [ALL]) if KINDS else policies.Force(Rules())
        says = said(force.rules)
        return Line(kind, title, scope, where, 0, says)
    try:
        return Line(kind, title, scope, where, row.version, said(policies.read(row)), row=row)
    except Refused as no:
        return Line(kind, title, scope, where, row.version, [], no.say, row)


def _page(
    request: HttpRequest, *, kind: str, scope: str, refusal: str = "", typed: dict[str, Any] | None = None
) -> HttpResponse:
    known = kind in KINDS or kind == EVERY
    values = (typed or {}).get("spec") or _values(kind if known else EVERY, scope)
    context = {
        "lines": lines(people.person(request)),
        "may_ask": policy_changes.may_ask(people.person(request)),
        "kinds": [(name, one.title, name == kind) for name, one in KINDS.items()],
        "places": [
            (place, name, place == scope) for place, name in policies.scopes_for(people.person(request)).items()
        ],
        "values": values,
        "seats": seats(values),
        "why": typed["why"] if typed else "",
        "version": policy_changes.version_of(kind, scope),
        "choosing": known and "kind" in request.GET or typed is not None,
        "groups": policy_changes.groups(),
        "strengths": STRENGTH_WORDS.items(),
        "identities": Identity.objects.select_related("user"),
        "users": User.objects.filter(is_active=True).order_by("username"),
        "refusal": refusal,
    }
    return render(request, "approvals/policy_list.html", context, status=409 if refusal else 200)


def seats(values: dict[str, Any]) -> list[tuple[int, Any, str]]:
    """The rows of the form: number, how many, of which group."""
    rows = [(one["count"], one["of"]) for one in values["needs"]]
    empty = [("", "")] * GROUPS
    return [(number, count, of) for number, (count, of) in enumerate((rows + empty)[:GROUPS])]


def _values(kind: str, scope: str) -> dict[str, Any]:
    try:
        return as_data(policies.in_force(kind, policies.scopes_of(scope)).rules)
    except Refused:
        return as_data(Rules())


def _typed(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else text


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
