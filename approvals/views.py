"""Sign-in and sign-out."""

from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from approvals import audit, people
from approvals.models import Actor


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class SignIn(LoginView):
    """Django's own, in the house's dress and on the record."""

    template_name = "approvals/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        with transaction.atomic():
            actor = people.actor(self.request)
            audit.append("session.signed_in", subject=f"user:{actor.user_id}", actor=actor, at=timezone.now())
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        name = str(form.data.get("username", ""))[:80]
        actor = Actor(kind="person", name=name or "nobody", ip=str(self.request.META.get("REMOTE_ADDR", "")))
        with transaction.atomic():
            audit.append("session.refused", subject="user:unknown", actor=actor, at=timezone.now())
        return self.render_to_response(self.get_context_data(form=form), status=422)


class SignOut(LogoutView):
    """POST only, as Django has it; on the record."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated:
            actor = people.actor(request)
            with transaction.atomic():
                audit.append("session.signed_out", subject=f"user:{actor.user_id}", actor=actor, at=timezone.now())
        return super().post(request, *args, **kwargs)
