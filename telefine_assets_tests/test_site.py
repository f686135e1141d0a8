"""The documentation as a site: it builds, every page is in it, the references are whole, and it asks nobody."""

import os
import re
import subprocess
import sys
import threading
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from telefine_assets.settings.schema import Settings
from telefine_assets_tests.api.pages.verifying import chromium, needs_chromium
from telefine_assets_tests.test_docs import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as a release builds it: any warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ".mkdocs.yml", "-d", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELEFINE_")}
    built = subprocess.run(
        command, cwd=ROOT, env=environment | {"NO_COLOR": "1"}, capture_output=True, text=True, check=False, timeout=240
    )
    assert built.returncode == 0, built.stderr[-3000:]
    return folder


TRIES = 24


def text_of(page: Path) -> str:
    """What a reader sees."""
    return unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_page_of_the_repository_is_in_the_site(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    named = {path.with_name("index.html") if path.stem == "README" else path for path in pages}
    assert [page for page in named if not (site / page).is_file()] == []
    for page, heading in (("contributing", "Contributing"), ("reporting", "Security"), ("changes", "Changes")):
        assert heading in text_of(site / f"{page}.html")


def test_no_page_loads_anything_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"?([^\s\">]+)", page.read_text())
        assert [each for each in loaded if "//" in each] == [], page.name
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\(\W?https?:|@import", sheet.read_text()) == [], sheet.name


def test_the_reference_of_the_configuration_has_every_key_with_its_variable_and_bounds(site):
    told = text_of(site / "configuration.html")
    schema = Settings.model_json_schema()
    keys = {key for group in [schema, *schema["$defs"].values()] for key in group.get("properties", {})}
    assert len(keys) > 200
    assert [key for key in keys if key not in told] == []
    assert "TELEFINE_PROGRAMS__NAME__PAYOUT__POOL" in told
    assert "integer, at least 1, at most 256" in told
    assert re.search(r"TELEFINE_LM__API_KEY\s+text\s+none\s+Only from TELEFINE_LM__API_KEY[^|]*?Secret\.", told)


def test_the_references_in_the_repository_are_those_of_the_code(own_environment, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_hooks"))
    import references

    stale = [page.name for page, text in references.pages().items() if page.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make site`, and commit what it wrote"


def test_a_setting_without_a_description_fails_the_build(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_hooks"))
    import settings_reference

    schema = Settings.model_json_schema()
    del schema["$defs"]["PayoutSettings"]["properties"]["pool"]["description"]
    with pytest.raises(ValueError, match=r"without a description: programs\.NAME\.payout\.pool$"):
        settings_reference.markdown(schema)


def test_the_reference_of_the_api_has_every_operation_with_its_scope(site):
    told = text_of(site / "api-reference.html")
    assert told.count("POST /v1/") >= 3
    assert told.count("GET /v1/") >= 25
    for asked in ("GET /v1/health", "POST /v1/runs", "POST /v1/programs/{program}/traces"):
        assert asked in told
    for path, scope in (("GET /v1/programs¶", "read"), ("POST /v1/runs¶", "operate"), ("/traces¶", "submit")):
        assert re.search(rf"{re.escape(path)}.{{0,900}}?Needs a key with the scope {scope}\.", told, re.DOTALL), path


@needs_chromium
def test_the_search_works_and_asks_nobody_else(site):
    serving = partial(SimpleHTTPRequestHandler, directory=str(site))
    server = ThreadingHTTPServer(("127.0.0.1", 0), serving)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    asked: list[str] = []
    try:
        with chromium() as browser:
            page = browser.new_page()
            page.on("request", lambda request: asked.append(request.url))
            here = f"http://127.0.0.1:{server.server_port}/"
            page.goto(f"{here}index.html")
            found, box = page.locator(".md-search-result__link").first, page.get_by_role("textbox", name="Search")
            for _ in range(TRIES):
                # What is typed before the page has begun to listen is lost.
                box.click()
                box.press_sequentially("escrow")
                page.wait_for_timeout(5000 * (not found.is_visible()))
                if found.is_visible():
                    break
                box.clear()
            assert "escrow" in found.inner_text().casefold()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert len(asked) > 3
    assert [each for each in asked if not each.startswith((here, "blob:", "data:"))] == []
