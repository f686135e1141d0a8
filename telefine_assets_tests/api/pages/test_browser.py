"""The pages in a real browser, from a real server: they show, complain of nothing, and shut nobody out."""

from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe

from telefine_assets.api import runs
from telefine_assets.control.records import RunStatus
from telefine_assets_tests.api.pages.told import HOSTILE, LAST, REVOKED, Told, listening
from telefine_assets_tests.api.pages.verifying import chromium, needs_chromium
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY

pytestmark = needs_chromium
_LEFT = "net::ERR_ABORTED"
"""What was not waited for: the page was left before."""
PHONE, SCREEN = {"width": 360, "height": 780}, {"width": 1100, "height": 800}


@pytest.fixture(scope="module")
def told(home):
    served = Told(*home)
    served.control.begin()
    served.control.change("run-0000", status=RunStatus.FAILED, error="the model did not answer")
    return served


@pytest.fixture(scope="module")
def at(told):
    with listening(told.app) as address:
        yield address


@pytest.fixture(scope="module")
def browser(at):
    with chromium() as found:
        yield found


@pytest.fixture
def paths(home):
    uids = home[1]
    shown = ["/", "/programs/triage", f"/attestations/{uids[LAST]}", f"/attestations/{uids[REVOKED]}"]
    return [*shown, "/contributors", f"/contributors/{ALICE}", "/sign-in"]


@contextmanager
def visiting(browser, *, key=None, at="", **context):
    """A page of somebody's own browser; whatever it complains of is an error."""
    own = browser.new_context(**context)
    page, complaints = own.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda asked: complaints.append(asked.url) if asked.failure != _LEFT else None)
    if key is not None:
        sign_in(page, at, key)
    yield page
    own.close()
    assert complaints == []


def sign_in(page, at, key):
    page.goto(f"{at}/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{at}/")


def violations(page, **options):
    """What axe finds; ``runOnly`` narrows what it looks for."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def settled(page):
    """Wait until the verifier, where there is one, has come to its verdict."""
    if page.locator("[data-verify]").count():
        page.locator("[data-verify][data-verdict]").wait_for(timeout=10_000)


@pytest.mark.parametrize(("scheme", "options"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_everybody_can_read_every_page(told, at, browser, paths, scheme, options):
    with visiting(browser, key=told.key("read"), at=at, color_scheme=scheme, viewport=SCREEN) as page:
        for path in paths:
            page.goto(at + path)
            settled(page)
            assert violations(page, **options) == [], path
            assert page.locator("h1").count() == 1


def test_no_page_is_wider_than_a_phone(told, at, browser, paths):
    with visiting(browser, viewport=PHONE) as page:
        for path in paths:
            page.goto(at + path)
            settled(page)
            for detail in page.locator("details:not([open]) > summary").all():
                detail.click()
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide == 360, path


def test_errors_are_pages_that_can_be_read_too(at, browser):
    own = browser.new_context(viewport=PHONE)
    page = own.new_page()
    for path, said in (("/nowhere", "There is no such thing"), ("/contributors/alice.eth", "That is no wallet")):
        page.goto(at + path)
        assert page.locator("h1").inner_text() == said
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_label("Address of your wallet").fill(ALICE.lower())
    page.keyboard.press("Enter")
    page.wait_for_url(f"{at}/contributors/{ALICE}")
    own.close()


def test_signing_in_shows_more_and_signing_out_hides_it_again(told, at, browser):
    with visiting(browser) as page:
        page.goto(f"{at}/programs/triage")
        assert page.get_by_role("heading", name="Runs").count() == 0
        key = told.key("read")
        sign_in(page, at, key)
        page.goto(f"{at}/programs/triage")
        assert "the model did not answer" in page.get_by_role("region", name="Runs").inner_text()
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["name"]) == (True, "Strict", "telefine_session")
        assert key not in page.content() + cookie["value"]
        page.get_by_role("link", name="2 Nov 2026").last.click()
        page.wait_for_url(f"{at}/programs/triage/reports/{MONDAY}")
        page.goto(at)
        page.get_by_role("link", name="Signed in").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{at}/")
        assert page.context.cookies() == []
        page.goto(f"{at}/programs/triage")
        assert page.get_by_role("heading", name="Runs").count() == 0


def test_a_wrong_key_is_told_where_it_was_typed(at, browser):
    own = browser.new_context()
    page = own.new_page()
    page.goto(f"{at}/sign-in")
    page.get_by_label("API key").fill("telefine_wrong")
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").inner_text() == "This key is unknown, expired or revoked."
    assert page.url == f"{at}/sign-in"
    assert violations(page) == []
    own.close()


def test_a_run_is_followed_live(told, at, browser, monkeypatch):
    monkeypatch.setattr(runs, "LOOK_SECONDS", 0.02)
    run_id = told.control.begin()
    told.control.change(run_id, progress="3 of 120 answered")
    with visiting(browser, key=told.key("read"), at=at) as page:
        page.goto(f"{at}/programs/triage")
        row = page.locator("[data-events]")
        assert row.inner_text().startswith("running")
        told.control.change(run_id, progress=HOSTILE)
        row.get_by_text("<script>alert(1)</script>").wait_for()
        told.control.change(run_id, status=RunStatus.SUCCEEDED, progress=None, ended_ms=1)
        page.locator("[data-events][data-state=succeeded]").wait_for()
        assert row.inner_text().startswith("succeeded")


def test_the_readers_browser_verifies_and_believes_whom_the_reader_trusts(told, at, browser):
    uid, signer = told.uids[LAST], told.here.signer.address
    with visiting(browser) as page:
        page.goto(f"{at}/attestations/{uid}")
        page.locator("[data-verify][data-verdict=undecided]").wait_for(timeout=10_000)
    with visiting(browser) as page:
        page.goto(f"{at}/attestations/{uid}#trust={signer}")
        page.locator("[data-verify][data-verdict=valid]").wait_for(timeout=10_000)
    with visiting(browser) as page:
        page.goto(f"{at}/attestations/{told.uids[REVOKED]}#trust={signer}")
        page.locator("[data-verify][data-verdict=invalid]").wait_for(timeout=10_000)


def test_pages_can_be_read_without_javascript(told, at, browser, paths):
    with visiting(browser, java_script_enabled=False) as page:
        for path in paths:
            page.goto(at + path)
            assert page.get_by_role("heading", level=1).is_visible()
        page.goto(f"{at}/attestations/{told.uids[LAST]}")
        assert page.get_by_text("This needs JavaScript.").is_visible()
        sign_in(page, at, told.key("read"))
        assert page.get_by_role("link", name="Signed in").is_visible()


def test_the_keyboard_comes_to_the_content_at_once(at, browser):
    with visiting(browser) as page:
        page.goto(f"{at}/programs/triage")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
