"""A person's browser, as far as the demonstration needs one: cookies, pages, and the forms on them."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any

SECONDS = 15.0  # for one page


class PageError(RuntimeError):
    """A page that is not what a person would need to go on; the message is one sentence."""


@dataclass
class Form:
    """One form: where it goes, what it sends as it stands, and what its lists offer (name → label → value)."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    offers: dict[str, dict[str, str]] = field(default_factory=dict)

    def choose(self, name: str, label: str) -> None:
        """Pick the list entry whose label begins with `label` or has it as a word."""
        for text, value in self.offers.get(name, {}).items():
            if text.startswith(label) or label in text.split():
                self.fields[name] = value
                return
        offered = ", ".join(self.offers.get(name, {})) or "nothing"
        raise PageError(f"The form {self.action} offers no {name} {label!r}, but {offered}.")


@dataclass(frozen=True)
class Page:
    status: int
    url: str
    text: str

    @property
    def path(self) -> str:
        return urllib.parse.urlsplit(self.url).path

    def form(self, ending: str) -> Form:
        """The form whose address ends so; PageError when the page has none."""
        reader = FormReader(self.path)
        reader.feed(self.text)
        for form in reader.forms:
            if form.action.endswith(ending):
                return form
        raise PageError(f"The page {self.path} ({self.status}) has no form for {ending}.")


class FormReader(HTMLParser):
    """Collects the forms of a page. Lists and radio buttons are both offers."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._path = path
        self._open: Form | None = None
        self._choice: tuple[str, str] | None = None  # name and value of the offer whose label is being read
        self._select = ""
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action") or given.get("hx-post") or self._path)
            self.forms.append(self._open)
        if self._open is None or "disabled" in given:
            return
        if tag == "input":
            self._input(self._open, given)
        elif tag == "textarea":
            self._open.fields[given.get("name", "")] = ""
        elif tag == "select":
            self._select = given.get("name", "")
            self._open.offers[self._select] = {}
        elif tag == "option" and self._select:
            self._offer(self._open, self._select, given, chosen="selected" in given)

    def _input(self, form: Form, given: dict[str, str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "text")
        if kind == "radio":
            form.offers.setdefault(name, {})
            self._offer(form, name, given, chosen="checked" in given)
        elif name and kind not in ("submit", "button") and (kind != "checkbox" or "checked" in given):
            form.fields[name] = given.get("value", "")

    def _offer(self, form: Form, name: str, given: dict[str, str], *, chosen: bool) -> None:
        self._choice, self._label = (name, given.get("value", "")), ""
        if chosen:
            form.fields[name] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self._label += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("option", "label") and self._choice and self._open:
            name, value = self._choice
            self._open.offers[name][" ".join(self._label.split())] = value
            self._choice = None
        if tag == "select":
            self._select = ""
        if tag == "form":
            self._open = None


class Browser:
    """One person at the dashboard at `base`."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        # No proxy: the dashboard is on this machine.
        opener = urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(*opener)

    def get(self, path: str) -> Page:
        """Fetch a page, following redirects."""
        return self._ask(urllib.request.Request(self.base + path))

    def data(self, path: str) -> dict[str, Any]:
        """Fetch a JSON answer; PageError when it is none."""
        page = self.get(path)
        if page.status != 200:
            raise PageError(f"{path} answered {page.status}.")
        answer: dict[str, Any] = json.loads(page.text)
        return answer

    def send(self, form: Form, **fields: str) -> Page:
        """Send a form as it stands, with these fields filled in; the page where that leads."""
        body = urllib.parse.urlencode({**form.fields, **fields}).encode()
        return self._ask(urllib.request.Request(self.base + form.action, data=body))

    def sign_in(self, user: str, password: str) -> None:
        """Sign in as a person does; PageError when the dashboard does not let him in."""
        page = self.send(self.get("/sign-in/").form("/sign-in/"), username=user, password=password)
        if page.status != 200 or page.path.startswith("/sign-in/"):
            raise PageError(f"{user} could not sign in: the page answered {page.status}.")

    def _ask(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                return Page(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.url or request.full_url, error.read().decode(errors="replace"))
        except OSError as error:
            raise PageError(f"{request.full_url} did not answer: {error}.") from error
