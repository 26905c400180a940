"""The demonstration's browser: the forms of a page, as a person would fill them in."""

from __future__ import annotations

import pytest

from lab.demo.pages import Page, PageError
from lab.demo.people import expect, refusal

PAGE = """
<form action="/a/"><input name="kept" value="1"><input type="submit" name="go" value="no"></form>
<form method="post" action="/rollouts/new/">
  <input type="hidden" name="token" value="t&amp;1">
  <input type="checkbox" name="off" value="1"><input type="checkbox" name="on" value="1" checked>
  <select name="release"><option value="1" selected>ocserv 1.5.0-1</option><option value="2">ocserv 1.3.0-2</option>
  <option value="3">ocserv 1.3.0-2+bad</option></select>
  <label><input type="radio" name="strategy" value="7" checked> Careful canary</label>
  <label><input type="radio" name="strategy" value="8"> Straight <em>ahead</em></label>
  <textarea name="note"></textarea><button disabled name="never">x</button>
</form>
"""


def page(text: str = PAGE, status: int = 200, path: str = "/rollouts/new/") -> Page:
    return Page(status, f"http://127.0.0.1:8000{path}?x=1", text)


def test_sends_what_the_form_holds() -> None:
    sent = {"token": "t&1", "on": "1", "release": "1", "strategy": "7", "note": ""}
    assert page().form("/rollouts/new/").fields == sent


@pytest.mark.parametrize(("label", "value"), [("1.3.0-2", "2"), ("1.3.0-2+bad", "3"), ("ocserv 1.5", "1")])
def test_chooses_by_what_a_person_reads(label: str, value: str) -> None:
    form = page().form("/new/")
    form.choose("release", label)
    assert form.fields["release"] == value


def test_chooses_a_radio_button_by_its_label() -> None:
    form = page().form("/new/")
    form.choose("strategy", "Straight ahead")
    assert form.fields["strategy"] == "8"


def test_says_what_was_offered_instead() -> None:
    with pytest.raises(PageError, match="offers no release '9.9', but ocserv 1.5.0-1, ocserv 1.3.0-2"):
        page().form("/new/").choose("release", "9.9")


def test_says_which_form_is_missing() -> None:
    with pytest.raises(PageError, match=r"/rollouts/new/ \(200\) has no form for /approve/"):
        page().form("/approve/")


def test_a_refusal_is_told_in_the_words_of_the_page() -> None:
    told = page('<div class="notice" role="alert"><b>Nothing was done.</b> Somebody was faster.</div>', 409, "/x/")
    assert refusal(told) == "Nothing was done. Somebody was faster."
    with pytest.raises(PageError, match="/x/ answered 409: Nothing was done"):
        expect(told, "/rollouts/")
