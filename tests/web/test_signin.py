"""Sign-in with a second factor, and the sessions that it makes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from approvals import factor_secrets, sessions
from approvals.models import AuditEvent, User
from tests.browser.site import PASSWORD
from tests.web import signing_in
from tests.web.conftest import assert_clean
from tests.web.signing_in import SECRET, fast, one_code  # noqa: F401 - fixtures

Browse = Callable[[str], Client]
DIFFERENT = "a quite different one"
PLACE = "/sign-in/second-factor/"
pytestmark = pytest.mark.usefixtures("fast")


def half_way(name: str = "oncall") -> Client:
    """A browser in which the password was right."""
    client = Client()
    answer = client.post("/sign-in/", {"username": name, "password": PASSWORD, "next": "/gateways/"})
    assert answer.headers["Location"] == PLACE
    return client


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def test_the_password_alone_is_half_of_it(people: dict[str, User], one_code: str) -> None:  # noqa: F811
    signing_in.with_code_app(people["oncall"])
    client = half_way()
    assert client.get("/gateways/").status_code == 302, "nobody is in yet"
    assert_clean(client.get(PLACE))
    assert client.post(PLACE, {"code": "000000"}).status_code == 422
    before = client.session.session_key
    assert client.post(PLACE, {"code": one_code}).headers["Location"] == "/gateways/"
    assert client.session.session_key != before, "a session that somebody planted is worth nothing"
    assert client.get("/gateways/").status_code == 200
    assert verbs() == ["factor.refused", "session.signed_in"]
    assert '"proven":"code at ' in AuditEvent.objects.get(verb="session.signed_in").body


def test_a_code_is_good_once(people: dict[str, User], one_code: str) -> None:  # noqa: F811
    signing_in.with_code_app(people["oncall"])
    assert half_way().post(PLACE, {"code": one_code}).status_code == 302
    assert half_way().post(PLACE, {"code": one_code}).status_code == 422, "seen over a shoulder, sent again"


def test_a_recovery_code_is_good_once(people: dict[str, User]) -> None:
    signing_in.with_code_app(people["oncall"])
    code = signing_in.recovery_codes(people["oncall"])[3]
    assert half_way().post(PLACE, {"code": code}).status_code == 302
    assert half_way().post(PLACE, {"code": code}).status_code == 422


def test_secrets_are_sealed_and_rotate(people: dict[str, User], settings: object) -> None:
    signing_in.with_code_app(people["oncall"])
    signing_in.recovery_codes(people["oncall"])
    row = Authenticator.objects.get(type="totp")
    assert SECRET not in str(row.data)
    old, settings.SEALING_KEY = settings.SEALING_KEY, "another"  # type: ignore[attr-defined]  # pytest-django's wrapper
    settings.SEALING_KEYS_OLD = [old]  # type: ignore[attr-defined]
    assert len(list(factor_secrets.rotate())) == 2
    settings.SEALING_KEYS_OLD = []  # type: ignore[attr-defined]
    assert factor_secrets.unseal(Authenticator.objects.get(type="totp").data["secret"]) == SECRET
    assert factor_secrets.waiting() == 0


def test_nobody_learns_which_names_exist(people: dict[str, User]) -> None:
    pages = []
    for name in ("oncall", "nobody"):
        page = Client().post("/sign-in/", {"username": name, "password": "wrong"})
        text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.content.decode())
        pages.append((page.status_code, text.replace(f'value="{name}"', "")))
    assert pages[0] == pages[1]


@pytest.mark.parametrize("path", ["/sign-up/", "/accounts/signup/", "/account/signup/", "/account/email/"])
def test_nobody_signs_up(people: dict[str, User], path: str) -> None:
    assert Client().post(path, {"username": "me", "password1": PASSWORD}).status_code in (302, 404)
    assert Client().get(path).status_code == 404
    assert not User.objects.filter(username="me").exists()


def test_sessions_are_listed_and_end(browse: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(sessions, "ENDED", [told.append])
    here, there, stranger = (signing_in.listed(browse(name)) for name in ("oncall", "oncall", "operator"))
    page = here.get("/account/")
    assert_clean(page)
    assert page.content.decode().count("This one") == 1
    [row] = [row for row, _ in page.context["sessions"] if row.session_key == there.session.session_key]
    path = f"/account/sessions/{row.pk}/end/"
    assert [stranger.post(path).status_code, here.get(path).status_code] == [404, 405]
    assert here.post(path).status_code == 302
    assert told == [sessions.topic(row.session_key)]
    assert there.get("/").status_code == 302, "out at the next request"
    assert here.post(path).status_code == 404, "nothing the second time"
    assert here.get("/").status_code == 200
    assert verbs() == ["session.ended"]


def test_all_others_end_at_once(browse: Browse) -> None:
    here, *others = (signing_in.listed(browse("oncall")) for _ in range(3))
    assert here.get("/account/sessions/end/").status_code == 405
    assert here.post("/account/sessions/end/").status_code == 302
    assert [client.get("/").status_code for client in (here, *others)] == [200, 302, 302]


def test_another_password_ends_the_others(browse: Browse) -> None:
    here, there = (
        signing_in.proven(signing_in.listed(browse("oncall")), "password"),
        signing_in.listed(browse("oncall")),
    )
    words = {"old_password": PASSWORD, "new_password1": DIFFERENT, "new_password2": DIFFERENT}
    assert here.post("/account/password/", words).headers["Location"] == "/account/"
    assert [here.get("/").status_code, there.get("/").status_code] == [200, 302]
    assert verbs() == ["session.ended", "password.changed"]


def test_the_cache_is_the_one_of_all_processes(settings: object) -> None:
    backend = settings.CACHES["default"]["BACKEND"]  # type: ignore[attr-defined]
    assert backend == "django.core.cache.backends.db.DatabaseCache", "or a code would be good once a process"
    assert cache.add("code", "y")
    assert not cache.add("code", "y")
