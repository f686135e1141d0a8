"""Every runbook has the same shape, and every rehearsal is of a page that is there."""

import re

import pytest

from telefine_assets_tests.runbooks.rehearsal import PAGES, SHAPE, commands

WANTED = {
    "stuck-run", "lost-daemon", "corrupt-partition", "wrong-feedback", "leaked-key", "lm-outage", "mlflow-upgrade",
    "disk-full", "restore",
}  # fmt: skip


def test_there_is_a_page_for_everything_that_may_happen():
    assert {page.stem for page in PAGES.glob("*.md")} >= WANTED


@pytest.mark.parametrize("page", sorted(WANTED))
def test_a_page_says_how_one_notices_what_to_do_and_what_never_to_do(page):
    text = (PAGES / f"{page}.md").read_text()
    assert tuple(re.findall(r"^## (.*)$", text, re.MULTILINE)) == SHAPE
    assert len(text.splitlines()) <= 80
    for section in ("What to do", "How to see that it is over"):
        assert commands(page, section)
