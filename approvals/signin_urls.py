"""Addresses of sign-in and of one's own account. allauth finds its pages by its own names, so some stand here twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse

from approvals import account_views as mine
from approvals import accounts_views as accounts
from approvals import signin_views as views
from approvals import step_up
from approvals.signin_oidc import Tokens


def _account(request: HttpRequest, *args: Any, **kwargs: Any) -> str:
    # A form's page, so that the person goes on where he was; a POST alone has none.
    return request.get_full_path() if request.method == "GET" else reverse("account")


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """What changes how one signs in asks for a proof, already when the page is opened: at least the password."""

    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wanted = step_up.missing(request, step_up.to_change(request))
        if wanted:
            return step_up.ask(request, back=_account(request), strength=wanted)
        return view(request, *args, **kwargs)

    return checked


def _tokens(request: HttpRequest, provider_id: str) -> Tokens:
    tokens = Tokens(request, provider_id)
    try:
        tokens.get_provider()
    except SocialApp.DoesNotExist:
        raise Http404("No company's sign-in is set up here.") from None
    return tokens


def company(request: HttpRequest, provider_id: str) -> HttpResponse:
    """To the company's sign-in."""
    answer: HttpResponse = OAuth2LoginView.adapter_view(_tokens(request, provider_id))(request)
    return answer


def company_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Back from there: in, or a page that says why not."""
    before = request.user.pk
    answer: HttpResponse = OAuth2CallbackView.adapter_view(_tokens(request, provider_id))(request)
    return answer if before else views.in_now(request, answer)


sign_in, sign_out = login_not_required(views.SignIn.as_view()), login_not_required(views.SignOut.as_view())
link = login_not_required(views.Link.as_view())

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/", sign_in, name="sign-in"),
    path("sign-in/", sign_in, name="account_login"),
    path("sign-in/passkey/", login_not_required(views.PasskeySignIn.as_view()), name="mfa_login_webauthn"),
    path("sign-in/second-factor/", views.SecondFactor.as_view(), name="mfa_authenticate"),
    path("sign-in/cancelled/", login_not_required(views.cancelled), name="socialaccount_login_cancelled"),
    path("sign-in/off/", login_not_required(views.off), name="account_inactive"),
    path("sign-in/company/<str:provider_id>/", login_not_required(company), name="openid_connect_login"),
    path("sign-in/company/<str:provider_id>/back/", login_not_required(company_back), name="openid_connect_callback"),
    path("sign-in/link/<str:uidb64>/<str:token>/", link, name="sign-in-link"),
    path("sign-out/", sign_out, name="sign-out"),
    path("sign-out/", sign_out, name="account_logout"),
    path("account/", mine.account, name="account"),
    path("account/", mine.account, name="mfa_index"),
    path("account/", mine.account, name="mfa_list_webauthn"),
    path("account/prove/", mine.prove, name="prove"),
    path("account/password/", guarded(mine.Password.as_view()), name="account-password"),
    path("account/sessions/end/", mine.sessions_end, name="sessions-end"),
    path("account/sessions/<int:session_id>/end/", mine.session_end, name="session-end"),
    path("account/code-app/", guarded(views.AddCodeApp.as_view()), name="mfa_activate_totp"),
    path("account/code-app/remove/", guarded(views.RemoveCodeApp.as_view()), name="mfa_deactivate_totp"),
    path("account/recovery-codes/", guarded(views.RecoveryCodes.as_view()), name="mfa_view_recovery_codes"),
    path("account/recovery-codes/new/", guarded(views.NewRecoveryCodes.as_view()), name="mfa_generate_recovery_codes"),
    path("account/passkeys/add/", guarded(views.AddPasskey.as_view()), name="mfa_add_webauthn"),
    path("account/passkeys/<int:pk>/name/", guarded(views.NamePasskey.as_view()), name="mfa_edit_webauthn"),
    path("account/passkeys/<int:pk>/remove/", guarded(views.RemovePasskey.as_view()), name="mfa_remove_webauthn"),
    path("accounts/", accounts.account_list, name="accounts"),
    path("accounts/add/", accounts.account_add, name="account-add"),
    path("accounts/<int:user_id>/<str:what>/", accounts.account_do, name="account-do"),
]
