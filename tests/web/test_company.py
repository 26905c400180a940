"""Sign-in at the company: who is let in, once and then by (iss, sub), and what its word is worth for deciding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from approvals import step_up
from approvals.models import AuditEvent, User
from tests.web.company import CLIENT, Company, running
from upgrader.signin_settings import companies

PLACE = "/sign-in/company/company/"
ANNA = {"email": "anna@example.org", "email_verified": True}


@pytest.fixture(scope="module")
def server() -> Iterator[Company]:
    with running() as company:
        yield company


@pytest.fixture
def company(server: Company, settings: object, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    said = {"HANDOVER_OIDC_ISSUER": server.address, "HANDOVER_OIDC_CLIENT": CLIENT, "HANDOVER_OIDC_NAME": "Example AG"}
    provider = {"provider_class": "approvals.signin_oidc.Company", "APPS": companies(said)}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": provider}  # type: ignore[attr-defined]  # pytest-django's wrapper
    server.claims = dict(ANNA)
    return server


@pytest.fixture
def anna(company: Company) -> User:
    """An account that an administrator made for her, and that nobody has used."""
    user = User(username="anna", email="anna@example.org")
    user.set_unusable_password()
    user.save()
    return user


def gone_there(client: Client, company: Company, query: str = "") -> str:
    """Off to the company; where its answer goes."""
    asked = parse_qs(urlsplit(client.get(PLACE + query).headers["Location"]).query)
    company.nonce = asked["nonce"][0]
    assert asked["code_challenge_method"] == ["S256"]
    return f"{urlsplit(asked['redirect_uri'][0]).path}?code=c&state={asked['state'][0]}"


def come_in(company: Company) -> tuple[Client, int]:
    client = Client()
    assert "Example AG" in client.get("/sign-in/").content.decode()
    return client, client.get(gone_there(client, company)).status_code


def who(client: Client) -> str:
    return str(client.session.get("_auth_user_id", ""))


def test_who_is_expected_comes_in_and_stays_the_same(company: Company, anna: User) -> None:
    client, status = come_in(company)
    assert (status, who(client)) == (302, str(anna.pk))
    company.claims["email"] = "anna.new@example.org"
    assert who(come_in(company)[0]) == str(anna.pk), "a person is (iss, sub)"
    company.claims = {**ANNA, "sub": "u-2"}
    stranger, status = come_in(company)
    assert (status, who(stranger)) == (403, ""), "an address that was given to another is no key"
    verbs = list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))
    assert verbs == ["company.joined", "session.signed_in", "session.signed_in"]


@pytest.mark.parametrize("claims", [{"email": "eve@example.org"}, {"email": ""}, {"email": "oncall@example.org"}])
def test_nobody_else_comes_in(company: Company, people: dict[str, User], claims: dict[str, str]) -> None:
    User.objects.filter(username="oncall").update(email="oncall@example.org")  # he has a password here
    company.claims |= claims
    client, status = come_in(company)
    assert (status, who(client)) == (403, "")
    assert User.objects.count() == len(people)


@pytest.mark.parametrize(
    "claims", [{"aud": "x"}, {"iss": "https://evil.example"}, {"nonce": "x"}, {"exp": 1}, {"email_verified": False}]
)
def test_a_bad_token_opens_nothing(company: Company, anna: User, claims: dict[str, object]) -> None:
    company.claims |= claims
    client, status = come_in(company)
    assert (status, who(client)) == (401, "")


def test_an_answer_that_nobody_asked_for(company: Company, anna: User) -> None:
    victim = Client()
    path = gone_there(Client(), company)
    assert (victim.get(path).status_code, who(victim)) == (401, ""), "somebody else's sign-in, planted"


def test_its_word_counts_only_with_the_moment_and_the_method(company: Company, anna: User) -> None:
    client, _ = come_in(company)
    assert strongest(client) == ""
    company.claims |= {"auth_time": int(time.time()), "amr": ["pwd", "otp"]}
    path = gone_there(client, company, "?process=redirect&next=/decisions/7/")
    before = client.session.session_key
    assert client.get(path).headers["Location"] == "/decisions/7/"
    assert (strongest(client), client.session.session_key) == ("second-factor", before)


def test_an_account_is_never_joined_to_whoever_is_signed_in_there(company: Company, people: dict[str, User]) -> None:
    client = Client()
    client.force_login(people["oncall"])
    assert client.get(gone_there(client, company, "?process=connect")).status_code == 403
    assert not people["oncall"].socialaccount_set.exists()  # type: ignore[attr-defined]  # allauth's relation


def strongest(client: Client) -> str:
    request = client.get("/account/").wsgi_request
    proof = step_up.proof(request)
    return proof.strength if proof else ""
