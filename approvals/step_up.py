"""Step-up: what decides asks for a recent proof, by method. The rule is in approvals/proofs.py; this reads the request.

A door that decides asks `missing(request)` or wears `@required`. The person proves himself on /account/prove/ and comes
back to the page he came from, with the reason that he had typed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from approvals import proofs
from approvals.models import User
from approvals.proofs import Proof

KEPT = "step_up_typed"  # in the session: what was typed where
View = Callable[..., HttpResponse]
SAYS = {
    proofs.PASSWORD: "This asks for your password, not older than 15 minutes.",
    proofs.SECOND_FACTOR: "This asks for a second factor, not older than 15 minutes.",
    proofs.PASSKEY: "This asks for a passkey, not older than 15 minutes.",
}


def shown(request: HttpRequest) -> list[Proof]:
    """Every proof of the one who is signed in, in this session."""
    if not hasattr(request, "session"):
        return []  # a program with a token proves nothing
    return proofs.read(get_authentication_records(request, cast("User", request.user)))


def fresh(request: HttpRequest, strength: str) -> bool:
    """Whether the person has proven himself with `strength` (of proofs.RANKS) or better within 15 minutes."""
    now = time.time()
    return any(proof.fresh(strength, now) for proof in shown(request))


def proof(request: HttpRequest) -> Proof | None:
    """The strongest recent proof, else the latest, else None: what the record says beside the name."""
    return proofs.best(shown(request), time.time())


def asked_of(user: User) -> str:
    """What deciding asks of this person: one of proofs.RANKS, or "" for nothing."""
    setting = str(settings.STEP_UP)
    return proofs.asked(setting, has_factor=has_factor(user), has_password=user.has_usable_password())


def has_factor(user: User, *kinds: str) -> bool:
    """Whether he has a second factor: of these kinds ("totp", "webauthn", "recovery_codes"), or any but the codes."""
    return bool(Authenticator.objects.filter(user=user, type__in=kinds or ("totp", "webauthn")).exists())


def missing(request: HttpRequest, strength: str = "") -> str:
    """The strength that is asked for and not proven yet, or "". Without `strength`: what deciding asks of him."""
    wanted = strength or asked_of(cast("User", request.user))
    if wanted and not fresh(request, wanted):
        return wanted
    if request.method == "POST" and hasattr(request, "session") and KEPT in request.session:
        del request.session[KEPT]  # it is being sent now
    return ""


def to_change(request: HttpRequest) -> str:
    """What changing one's own ways of signing in asks for: a second factor that one has, else the password, else that
    the company's sign-in was just now. Never nothing: a page left open must not be enough."""
    return proofs.SECOND_FACTOR if has_factor(cast("User", request.user)) else proofs.PASSWORD


def ask(request: HttpRequest, *, back: str, strength: str) -> HttpResponse:
    """Send him to prove himself. `back` is the page to come back to; what he typed as reason waits for him there.

    A part of a page and a program get 403 with {"say": …, "step_up": address}.
    """
    keep(request, back)
    where = f"{reverse('prove')}?{urlencode({'next': back, 'with': strength})}"
    by_page = request.headers.get("HX-Request")
    if not by_page and request.content_type != "application/json" and not request.path.startswith("/api/"):
        return redirect(where)
    answer = JsonResponse({"say": SAYS[strength], "step_up": where}, status=403)
    if by_page:
        answer.headers["HX-Redirect"] = where
    return answer


def required(back: Callable[..., str], strength: str = "") -> Callable[[View], View]:
    """Let a POST through only with a fresh proof. `back(request, *args, **kwargs)` is the page to come back to."""

    def around(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            wanted = missing(request, strength) if request.method == "POST" else ""
            if wanted:
                return ask(request, back=back(request, *args, **kwargs), strength=wanted)
            return view(request, *args, **kwargs)

        return checked

    return around


def keep(request: HttpRequest, back: str) -> None:
    """Keep what was typed in this form for the page `back`."""
    typed = str(request.POST.get("reason") or request.POST.get("why") or "").strip()[:2000]
    if typed and hasattr(request, "session"):
        request.session[KEPT] = {"back": back, "typed": typed, "user": request.user.pk, "at": time.time()}


def typed(request: HttpRequest) -> str:
    """What he had typed on this page before he was sent to prove himself; "" else, and after a quarter of an hour.

    It stays until the form is sent: the page draws itself anew as soon as its stream is open.
    """
    kept = request.session.get(KEPT)
    if not kept or kept["back"] != request.get_full_path() or kept["user"] != request.user.pk:
        return ""
    return str(kept["typed"]) if time.time() - kept["at"] < proofs.SECONDS else ""
