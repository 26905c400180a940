"""Sign-in and sign-out: allauth's views in the house's dress and on the record."""

from __future__ import annotations

import json
from typing import Any, cast

from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.views import AddWebAuthnView, EditWebAuthnView, LoginWebAuthnView, RemoveWebAuthnView
from allauth.socialaccount.adapter import get_adapter
from django.contrib.auth.views import LogoutView, PasswordResetConfirmView
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from approvals import audit, signin_record
from approvals.models import Actor, User


def as_attribute(options: Any) -> str:
    """What the browser is asked for, for a data attribute: the Content-Security-Policy forbids inline scripts."""
    return json.dumps(options, cls=DjangoJSONEncoder)


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class SignIn(LoginView):
    """Name and password, a passkey, or the company's sign-in."""

    template_name = "account/sign_in.html"

    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        return in_now(self.request, answer)

    def form_invalid(self, form: Any) -> HttpResponse:
        locked = form.has_error("__all__", code="locked")
        name = str(form.data.get("username", ""))
        if not locked:
            signin_record.refused("session.refused", name, self.request)
        elif signin_record.news(name, self.request):
            signin_record.refused("session.locked", name, self.request)
        answer: HttpResponse = self.render_to_response(self.get_context_data(form=form))
        answer.status_code = 429 if locked else 422
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | entrance(self.request)


class SecondFactor(AuthenticateView):
    """After the password: a code, a recovery code or a passkey."""

    template_name = "account/second_factor.html"

    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        return in_now(self.request, answer)

    def form_invalid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_invalid(form)
        answer.status_code = 422
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        asked = (context.get("js_data") or {}).get("request_options")
        bad = self.request.method == "POST"
        return context | {"options": as_attribute(asked) if asked else "", "bad": bad}


class PasskeySignIn(LoginWebAuthnView):
    """Sign-in by passkey alone: no name, no password."""

    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        return in_now(self.request, answer)

    def form_invalid(self, form: Any) -> HttpResponse:
        signin_record.refused("passkey.unknown", "nobody", self.request)
        context = entrance(self.request) | {"passkey_refused": True}
        return render(self.request, "account/sign_in.html", context, status=422)


class SignOut(LogoutView):
    """POST only, as Django has it; on the record."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated:
            signin_record.event("session.signed_out", request)
        return super().post(request, *args, **kwargs)


class Link(PasswordResetConfirmView):
    """An administrator's link: sets a password, once, and within a day."""

    template_name = "account/link.html"
    success_url = reverse_lazy("sign-in")

    def form_valid(self, form: Any) -> HttpResponse:
        user = cast("User", self.user)
        actor = Actor(kind="person", name=user.get_username(), user_id=user.pk)
        with transaction.atomic():
            answer = super().form_valid(form)
            audit.append("password.set", subject=f"user:{user.pk}", actor=actor, at=timezone.now())
        return answer


class AddCodeApp(ActivateTOTPView):
    template_name = "account/code_app.html"


class RemoveCodeApp(DeactivateTOTPView):
    template_name = "account/remove.html"
    extra_context = {"what": "the code app", "after": "Codes that it shows do nothing from then on."}


class RecoveryCodes(ViewRecoveryCodesView):
    template_name = "account/recovery_codes.html"


class NewRecoveryCodes(GenerateRecoveryCodesView):
    template_name = "account/recovery_codes_new.html"


class AddPasskey(AddWebAuthnView):
    template_name = "account/passkey_add.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"options": as_attribute(webauthn.begin_registration(self.request.user, True))}

    def form_invalid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_invalid(form)
        answer.status_code = 422
        return answer


class NamePasskey(EditWebAuthnView):
    template_name = "account/passkey_name.html"


class RemovePasskey(RemoveWebAuthnView):
    template_name = "account/remove.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        name = self.object.wrap().name
        return context | {"what": f"the passkey “{name}”", "after": "Delete it on the device, too."}


def in_now(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Put it on the record if that was the last step."""
    if request.user.is_authenticated:
        signin_record.signed_in(request)
    return answer


def entrance(request: HttpRequest) -> dict[str, Any]:
    """What the page of sign-in shows beside its form: where it leads afterwards, and the companies."""
    return {"companies": companies(request), "next": request.POST.get("next") or request.GET.get("next") or ""}


def companies(request: HttpRequest) -> list[dict[str, str]]:
    """The companies that one may sign in with: name and address."""
    rows = []
    for app in get_adapter().list_apps(request):
        where_to = reverse("openid_connect_login", kwargs={"provider_id": app.provider_id})
        rows.append({"name": app.name, "address": where_to})
    return rows


def cancelled(request: HttpRequest) -> HttpResponse:
    """Somebody left the company's page."""
    return render(request, "account/refused.html", {"why": "You left your company's sign-in without signing in."})


def off(request: HttpRequest) -> HttpResponse:
    """An account that was turned off: allauth sends here who proved that it is his."""
    why = "Your account is turned off. Ask whoever runs this dashboard."
    return render(request, "account/refused.html", {"why": why}, status=403)
