import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest

from telefine_assets.deltaone.report import page_of
from telefine_assets.pages.html import html

from .rows import LOOSE
from .told import no_look, story, tickets

VOID = {"meta", "img", "source", "br", "hr", "link", "input"}


class Parsed(HTMLParser):
    """Elements, attributes and text of a page; refuses tags that do not close."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


STORIES = {
    "reached": story(),
    "not reached": story(tickets(20, 26, 420)),
    "no look": (no_look(), None, story()[2]),
    "bare": story(tickets(), LOOSE, regressions=None, history=[], labels={}, asked_with={}, evidence={}),
}


@cache
def written(name):
    return html(page_of(*STORIES[name]))


@pytest.mark.parametrize("name", STORIES)
def test_a_page_is_whole_and_needs_nothing_else(name):
    page = written(name)
    parsed = Parsed(page)
    words = re.sub(rb"base64,[A-Za-z0-9+/=]+", b"", page)
    assert not re.search(rb"https?:|//[a-z]|@import|url\(", words)
    assert "script" not in parsed.tags
    assert "link" not in parsed.tags
    assert not [each for each in parsed.attributes if each[1].startswith("on")]
    sources = [value for _, name, value in parsed.attributes if name in ("src", "srcset", "href")]
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    policy = [value for tag, name, value in parsed.attributes if name == "content" and "default-src" in value]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert parsed.tags.count("h1") == 1


def test_pictures_have_words():
    parsed = Parsed(written("reached"))
    alts = [value for tag, name, value in parsed.attributes if (tag, name) == ("img", "alt")]
    assert len(alts) == parsed.tags.count("img") == 1
    assert "said" in alts[0]
    assert ("div", "role", "img") in parsed.attributes


def test_text_of_programs_stays_text():
    nasty = "</code><script>alert(1)</script>{{ 7 * 7 }}{% raw %}\"'&lt; \u202egnp.exe"
    items = [
        replace(
            each,
            inputs={"text": f"{nasty} {'x' * 1_000_000 if at < 3 else ''}"},
            label={"queue": f"{nasty}{at % 3}"},
            candidate_output={nasty: nasty},
            contributor=nasty,
        )
        for at, each in enumerate(tickets())
    ]
    record, decision, context = story(items, labels={f"metric:{nasty}": 3})
    context = replace(context, program=nasty, metric=nasty, confidence=nasty)
    page = html(page_of({**record, "sentence": nasty}, decision, context))
    parsed = Parsed(page)
    assert "script" not in parsed.tags
    assert "<script>alert(1)</script>{{ 7 * 7 }}{% raw %}\"'&lt; \ufffdgnp.exe" in parsed.text
    assert "\u202e" not in parsed.text
    assert len(page) < 500_000


def test_the_list_of_what_got_worse_is_whole_and_folded():
    parsed = Parsed(written("reached"))
    assert parsed.tags.count("article") == 3 + 3 + 23 + 3 + 1
    assert parsed.tags.count("details") == 3
    assert "All 23" in parsed.text


def test_both_states_are_told_in_words():
    reached, living = (Parsed(written(name)).text for name in ("reached", "not reached"))
    assert "Better by 8.18 percentage points" in reached
    assert "1 in 49,000" in reached
    assert "Not shown to be better" in living
    assert "Looks at this holdout so far" in living


def test_a_living_page_holds_no_text_of_an_item():
    items = [
        replace(each, inputs={"text": "zebra"}, candidate_output={"queue": "zebra"}) for each in tickets(0, 20, 300)
    ]
    assert b"zebra" not in html(page_of(*story(items)))
