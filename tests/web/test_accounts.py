"""Accounts are made by people who may, and opened by a link that works once."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client

from approvals.models import AuditEvent, User
from tests.browser.site import PASSWORD
from tests.web import signing_in
from tests.web.conftest import assert_clean
from tests.web.signing_in import fast  # noqa: F401 - a fixture

Browse = Callable[[str], Client]
NEW = "correct horse battery"
pytestmark = pytest.mark.usefixtures("fast")


@pytest.fixture
def admin(browse: Browse, people: dict[str, User]) -> Client:
    people["auditor"].user_permissions.add(Permission.objects.get(codename="add_user"))
    return browse("auditor")


def invited(admin: Client, name: str = "wei") -> str:
    """The path of the link that was shown."""
    page = admin.post("/accounts/add/", {"name": name, "email": f"{name}@example.org"})
    assert page.status_code == 200
    assert_clean(page)
    return str(urlsplit(page.context["link"]).path)


def open_link(path: str, password: str = NEW) -> int:
    client = Client()
    page = client.get(path, follow=True)
    words = {"new_password1": password, "new_password2": password}
    return client.post(page.redirect_chain[-1][0], words).status_code if page.redirect_chain else 410


def test_a_link_sets_the_first_password_once(admin: Client) -> None:
    path = invited(admin)
    assert open_link(path, "short") == 200, "the form again, with what is wrong"
    assert open_link(path) == 302
    assert Client().post("/sign-in/", {"username": "wei", "password": NEW}).status_code == 302
    assert open_link(path) == 410
    assert list(AuditEvent.objects.order_by("seq").values_list("verb", "actor")) == [
        ("account.made", "auditor"),
        ("account.link_made", "auditor"),
        ("password.set", "wei"),
        ("session.signed_in", "wei"),
    ]


def test_links_end(admin: Client, settings: object) -> None:
    first = invited(admin)
    user = User.objects.get(username="wei")
    second = urlsplit(admin.post(f"/accounts/{user.pk}/link/").context["link"]).path
    assert open_link(first) == 410, "a newer one ends it"
    settings.PASSWORD_RESET_TIMEOUT = -1  # type: ignore[attr-defined]  # pytest-django's wrapper
    assert open_link(second) == 410


def test_a_name_is_given_once(admin: Client) -> None:
    for name in ("oncall", "no spaces please", ""):
        page = admin.post("/accounts/add/", {"name": name})
        assert page.status_code == 422
        assert "No account was made" in page.content.decode()


def test_turned_off_is_out(admin: Client, browse: Browse, people: dict[str, User]) -> None:
    oncall = signing_in.listed(browse("oncall"))
    path = f"/accounts/{people['oncall'].pk}"
    assert [admin.post(f"{path}/off/").status_code, oncall.get("/").status_code] == [200, 302]
    words = {"username": "oncall", "password": PASSWORD}
    assert Client().post("/sign-in/", words).status_code == 422
    assert admin.post(f"{path}/link/").status_code == 409
    admin.post(f"{path}/off/")
    assert [admin.post(f"{path}/on/").status_code, Client().post("/sign-in/", words).status_code] == [200, 302]
    verbs = list(AuditEvent.objects.filter(verb__startswith="account.").values_list("verb", flat=True))
    assert verbs == ["account.turned_off", "account.turned_on"]


def test_lost_factors_are_forgotten_with_a_reason(admin: Client, people: dict[str, User]) -> None:
    signing_in.with_code_app(people["oncall"])
    path = f"/accounts/{people['oncall'].pk}/forget/"
    assert admin.post(path).status_code == 409
    assert admin.post(path, {"reason": "He stood before me"}).status_code == 200
    assert not Authenticator.objects.exists()
    assert AuditEvent.objects.get(verb="factor.forgotten").reason == "He stood before me"
    assert admin.post(path, {"reason": "again"}).status_code == 409


def test_only_who_may_and_by_post(admin: Client, browse: Browse, people: dict[str, User]) -> None:
    own = people["auditor"].pk
    assert [browse("oncall").get("/accounts/").status_code, admin.get("/accounts/").status_code] == [403, 200]
    assert [browse("oncall").post("/accounts/add/").status_code, admin.get("/accounts/add/").status_code] == [403, 405]
    assert browse("oncall").post(f"/accounts/{own}/off/").status_code == 403
    assert admin.get(f"/accounts/{own}/off/").status_code == 405
    assert admin.post(f"/accounts/{own}/off/").status_code == 409, "not one's own"
    User.objects.filter(username="operator").update(is_superuser=True)
    other = f"/accounts/{people['operator'].pk}"
    for what in ("link", "off", "forget"):
        assert admin.post(f"{other}/{what}/").status_code == 409, "not a way to be a superuser"


def test_the_command_line_makes_one(people: dict[str, User]) -> None:
    with pytest.raises(CommandError, match="--add"):
        call_command("sign_in_link", "wei")
    out = StringIO()
    call_command("sign_in_link", "wei", "--add", stdout=out)
    assert open_link(out.getvalue().strip()) == 302
