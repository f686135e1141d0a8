"""The page in a real browser: readable on a phone, in the light and in the dark, and by those who do not see it."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*QUIET, "--disable-background-networking", "--disable-component-update"]
        )
        yield opened
        opened.close()


@pytest.mark.parametrize(("width", "scheme"), [(1000, "dark"), (390, "light")])
def test_it_is_accessible_and_never_wider_than_the_screen(browser, report, tmp_path, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    (tmp_path / "report.html").write_bytes(report.files["report.html"])
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [each for each in asked if not each.startswith(("file:", "data:"))] == []
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    context.close()
