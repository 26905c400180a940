"""The forms of sign-in: allauth's, with our field names and with the counter of passkeys."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.internal.auth import parse_authentication_response
from django import forms
from django.db import transaction

from approvals import passkeys


class SignIn(LoginForm):
    """Name and password; the fields are called as password managers and our programs know them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].widget.attrs = {
            "autocomplete": "username webauthn",
            "autocapitalize": "none",
            "autofocus": True,
        }
        self.fields["password"].widget.attrs = {"autocomplete": "current-password"}

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else str(super().add_prefix(field_name))


class Counted(forms.Form):
    """A passkey's signature counter may only grow: neither allauth 65 nor fido2 2 look at it."""

    def clean_credential(self) -> Any:
        found = super().clean_credential()  # type: ignore[misc]  # of the allauth form that stands beside this one
        said = parse_authentication_response(self.cleaned_data["credential"]).response.authenticator_data.counter
        with transaction.atomic():
            row = Authenticator.objects.select_for_update().get(pk=found.pk)
            good = passkeys.advance(row, said)
        if not good:
            passkeys.tell(row, said)
            raise get_adapter().validation_error("incorrect_code")
        found.data = row.data
        return found


class SignInByPasskey(Counted, LoginWebAuthnForm):
    pass


class SecondByPasskey(Counted, AuthenticateWebAuthnForm):
    pass


class ProveByPasskey(Counted, ReauthenticateWebAuthnForm):
    pass


class AddPasskey(AddWebAuthnForm):
    """Always one that can sign in by itself, where the device can keep it."""

    def clean_name(self) -> str:
        return str(super().clean_name())[:60]
