"""One's own account: how one signs in, where one is signed in, and the proof that deciding asks for."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.mfa.base.forms import ReauthenticateForm as CodeForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.views import PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals import people, proofs, sessions, signin_record, step_up
from approvals.devices import named
from approvals.signin_forms import ProveByPasskey
from approvals.signin_views import as_attribute, companies


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """How one signs in, and where one is signed in now."""
    user = people.person(request)
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((row for row in rows if row.type == "recovery_codes"), None)
    context = {
        "code_app": next((row for row in rows if row.type == "totp"), None),
        "passkeys": [row for row in rows if row.type == "webauthn"],
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "company": SocialAccount.objects.filter(user=user).first(),
        "sessions": [(row, named(row.user_agent)) for row in sessions.of(user)],
        "here": request.session.session_key,
        "proof": step_up.proof(request),
        "asks": step_up.asked_of(user),
        "has_factor": step_up.has_factor(user),
    }
    return render(request, "account/account.html", context)


@require_POST
def session_end(request: HttpRequest, session_id: int) -> HttpResponse:
    """End one of one's own sessions; another's is not found."""
    found = [row for row in sessions.of(people.person(request)) if row.pk == session_id]
    if not found:
        raise Http404("That session has ended already, or it is not yours.")
    sessions.end(found, actor=people.actor(request), now=timezone.now())
    return redirect("account")


@require_POST
def sessions_end(request: HttpRequest) -> HttpResponse:
    """End all of one's sessions but this one."""
    here = request.session.session_key
    others = [row for row in sessions.of(people.person(request)) if row.session_key != here]
    sessions.end(others, actor=people.actor(request), now=timezone.now())
    return redirect("account")


@method_decorator(sensitive_post_parameters(), name="dispatch")
class Password(PasswordChangeView):
    """Another password; every other session ends with it."""

    template_name = "account/password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        user = people.person(self.request)
        here = self.request.session.session_key
        others = [row for row in sessions.of(user) if row.session_key != here]
        sessions.end(others, actor=people.actor(self.request), now=timezone.now())
        answer = super().form_valid(form)
        signin_record.event("password.changed", self.request)
        return answer


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def prove(request: HttpRequest) -> HttpResponse:
    """Show that it is you, and go back to where that was asked for. `next` is that page, `with` the strength."""
    back = _back(request)
    strength = str(request.POST.get("with") or request.GET.get("with") or "")
    strength = strength if strength in proofs.RANKS else step_up.asked_of(people.person(request)) or proofs.PASSWORD
    if request.method != "POST":
        return _prove_page(request, strength, back)
    wrong = _proven(request)
    if wrong:
        signin_record.refused("session.not_proven", people.person(request).get_username(), request)
        return _prove_page(request, strength, back, wrong=wrong, status=422)
    proof = step_up.proof(request)
    signin_record.event("session.proven", request, by=proof.method if proof else "")
    return redirect(back)


def _proven(request: HttpRequest) -> str:
    """Check what was sent; "" when it is right, else the sentence why not."""
    user = people.person(request)
    form: Any
    if "credential" in request.POST:
        form = ProveByPasskey(user=user, data=request.POST)  # type: ignore[call-arg]  # allauth's, without types
    elif "code" in request.POST:
        form = CodeForm(user=user, data=request.POST)
    else:
        form = ReauthenticateForm(user=user, data=request.POST)
        if form.is_valid():
            reauthenticate_by_password(request)
            return ""
    if not form.is_valid():
        return " ".join(str(one) for row in form.errors.values() for one in row)
    form.save()
    return ""


def _prove_page(request: HttpRequest, strength: str, back: str, *, wrong: str = "", status: int = 200) -> HttpResponse:
    user = people.person(request)
    rank = proofs.RANKS[strength]
    key = step_up.has_factor(user, "webauthn")
    code = step_up.has_factor(user, "totp", "recovery_codes") and rank <= proofs.RANKS[proofs.SECOND_FACTOR]
    company = SocialAccount.objects.filter(user=user).exists()
    context = {
        "say": step_up.SAYS[strength],
        "strength": strength,
        "back": back,
        "wrong": wrong,
        "options": as_attribute(webauthn.begin_authentication(user)) if key else "",
        "code": code,
        "password": strength == proofs.PASSWORD and user.has_usable_password(),
        "companies": companies(request) if company else [],
        "none": not (key or code or strength == proofs.PASSWORD),
    }
    return render(request, "account/prove.html", context, status=status)


def _back(request: HttpRequest) -> str:
    """Where to go afterwards: a page of ours, or the account."""
    asked = str(request.POST.get("next") or request.GET.get("next") or "")
    ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if ours and asked.startswith("/") else reverse("account")
