"""The verifier as people use it: as one file from a disk, and on a page of a server that is not trusted."""

import json
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from telefine_assets.api.pages import verifier
from telefine_assets.attestation.archive import pack
from telefine_assets.attestation.bundle import attest
from telefine_assets.attestation.export import export
from telefine_assets.attestation.policy_file import policy_bytes
from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.cli.main import main
from telefine_assets_tests.api.pages.verifying import (
    chosen,
    chromium,
    give,
    modules_page,
    needs_chromium,
    problem,
    said,
    state,
    trust,
    verdict,
)
from telefine_assets_tests.attestation.example import ALICE, ATTESTER, DOMAIN, STRANGER, logged
from telefine_assets_tests.attestation.logs import CLAIM, EVIDENCE
from telefine_assets_tests.attestation.matrix import BOTH, BUNDLE, PARTS
from telefine_assets_tests.cli.attested_home import MONDAY, SIGNER, PaidHome

FOLDER = files("telefine_assets.api.pages") / "static" / "verify"
UID = BUNDLE.envelope["sig"]["uid"]
LOG = canonical_json(PARTS["log"])
UNSAID = f"Signed by {ATTESTER.address}; you have not said whom you trust."
POISON = '<script>window.hacked = 1</script>"><img src=x onerror="window.hacked = 1"> &amp; \u202egnp'


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The one file, as the command writes it."""
    path = tmp_path_factory.mktemp("verifier") / "verify.html"
    assert main_of("attest", "verifier", "--out", str(path)) == 0
    return path


def main_of(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([*arguments])
    return stopped.value.code or 0


@pytest.fixture
def page(browser, file):
    """The one file, opened from a disk; whatever it asks of a network fails the test."""
    opened, asked = browser.new_page(), []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    opened.route(lambda url: not url.startswith("file:"), refuse)
    opened.goto(file.as_uri())
    yield opened
    assert asked == []
    assert opened.evaluate("window.hacked") is None
    opened.close()


BUNDLE_FILE = ("attestation.json", BUNDLE.to_bytes())
LOG_FILE = ("log.json", LOG)


@needs_chromium
def test_from_a_disk_without_network_a_bundle_is_verified_once_the_reader_says_whom_he_trusts(page):
    assert give(page, BUNDLE_FILE) == "undecided"
    assert UNSAID in said(page)
    assert "whom you trust" in trust(page, ATTESTER.address.lower(), "valid")
    assert "whether it was revoked" in said(page)
    assert [state(page, name) for name in ("signature", "inclusion", "revocation", "decision")] == [
        "passed", "passed", "unchecked", "unchecked",
    ]  # fmt: skip
    assert "untrusted_signer" in trust(page, STRANGER.address, "invalid")
    assert problem(page) == ""
    page.get_by_label("Whom do you trust?").fill(ATTESTER.address.swapcase())
    page.wait_for_selector("[data-verdict=undecided]")
    assert "is no address, or was mistyped" in problem(page)


@needs_chromium
def test_what_was_pasted_is_verified_and_so_is_what_was_tampered_with(page):
    page.get_by_text("More files").click()
    paste = page.get_by_label("Or paste")
    paste.fill("\n " + json.dumps(json.loads(BUNDLE.to_bytes()), indent=2))
    assert verdict(page) == "undecided"
    changed = json.loads(BUNDLE.to_bytes())
    changed["statement"]["predicate"]["decision"]["deltaPpm"] += 10_000
    paste.fill(json.dumps(changed))
    page.wait_for_selector("[data-verdict=invalid]")
    assert "statement_mismatch" in said(page)
    assert page.get_by_text("What it claims").count() == 0
    paste.fill("")
    page.wait_for_selector("[data-verify]:not([data-verdict])")


@needs_chromium
def test_files_that_came_along_are_compared_with_what_was_signed(page):
    evidence = [(f"evidence/{digest}", content) for digest, content in EVIDENCE.items()]
    loose = [(name.split("/")[-1], content) for name, content in evidence]
    give(page, BUNDLE_FILE, LOG_FILE, *loose)
    assert (state(page, "evidence"), state(page, "log"), state(page, "weights")) == ("passed", "unchecked", "unchecked")
    trust(page, ATTESTER.address, "valid")
    assert (state(page, "log"), state(page, "revocation")) == ("passed", "passed")
    give(page, BUNDLE_FILE, loose[0])
    assert "not given" in page.locator("[data-check=evidence]").inner_text()
    (digest, content) = loose[0]
    assert give(page, BUNDLE_FILE, (digest, content + b"\n")) == "invalid"
    assert "evidence_digest_mismatch" in said(page)
    archive = pack(dict([BUNDLE_FILE, LOG_FILE, *evidence]))
    assert give(page, ("one.tar", archive)) == "valid"
    assert state(page, "evidence") == "passed"
    page.get_by_label("The attestation").set_input_files([chosen("one.tar", archive[:3000])])
    page.wait_for_selector("[data-verify]:not([data-verdict])")
    assert "no archive" in problem(page)


@needs_chromium
def test_an_own_policy_says_more_than_addresses(page):
    page.get_by_text("More files").click()
    give(page, BUNDLE_FILE, LOG_FILE)
    give(page, ("policy.json", policy_bytes(BOTH)), field="Your own policy")
    page.wait_for_selector("[data-verdict=valid]")
    assert (state(page, "domain"), state(page, "threshold")) == ("passed", "passed")
    other = replace(BOTH, domain=replace(DOMAIN, chain_id=1))
    give(page, ("policy.json", policy_bytes(other)), field="Your own policy")
    page.wait_for_selector("[data-verdict=invalid]")
    assert "wrong_domain" in said(page)
    give(page, ("policy.json", b"{}"), field="Your own policy")
    page.wait_for_selector("[data-verdict=undecided]")
    assert "policy.json" in problem(page)


@needs_chromium
def test_what_a_deployment_exports_verifies(page, tmp_path, monkeypatch):
    monkeypatch.setenv("TELEFINE_HOME", str(tmp_path))
    home = PaidHome(tmp_path)
    home.attest(MONDAY, [ALICE, None])
    record = home.records.read("triage", "attestations", MONDAY)
    written = export(tmp_path / "out", home.evidence.get(record["bundle"]), home.trust(), SIGNER, home.evidence.get)
    give(page, *((path.name, path.read_bytes()) for path in written))
    assert SIGNER.address in trust(page, SIGNER.address, "valid")
    assert state(page, "evidence") == "passed"


@needs_chromium
def test_markup_in_a_signed_statement_is_shown_as_the_text_that_it_is(page):
    claim = replace(CLAIM, program=POISON, decision=replace(CLAIM.decision, grade=POISON))
    bundle = logged(attest(claim, DOMAIN, ATTESTER), key=ATTESTER)
    give(page, ("attestation.json", bundle.to_bytes()))
    trust(page, ATTESTER.address, "valid")
    assert page.get_by_text(POISON.replace("\u202e", "\ufffd"), exact=True).count() == 2
    assert page.locator("[data-verify] img, [data-verify] script").count() == 0


@needs_chromium
def test_the_policy_of_the_file_runs_no_script_but_its_own(browser, page, tmp_path):
    """Neither what is added to the page later nor a script that differs by a byte."""
    add = """() => { for (const make of [
        ["script", (it) => { it.textContent = "window.hacked = 1"; }],
        ["div", (it) => { it.innerHTML = "<img src=x onerror='window.hacked = 1'>"; }],
        ["script", (it) => { it.src = "data:text/javascript,window.hacked = 1"; }],
        ["img", (it) => { it.setAttribute("onerror", "window.hacked = 1"); it.src = "x"; }],
      ]) {
        const it = document.createElement(make[0]);
        try { make[1](it); } catch {}
        document.body.append(it);
      } }"""
    page.evaluate(add)
    page.wait_for_timeout(50)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
    changed = tmp_path / "changed.html"
    changed.write_bytes(verifier.standalone().replace(b"</script>", b" </script>"))
    other = browser.new_page()
    other.goto(changed.as_uri())
    assert "needs JavaScript" in other.locator("[data-verify]").inner_text()
    other.close()


EMBEDDED = """<!doctype html><html lang="en"><head><title>An attestation</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self';
connect-src 'self'; require-trusted-types-for 'script'">
<link rel="stylesheet" href="/static/verify/verify.css">
<script type="module" src="/static/verify/main.js"></script></head>
<body><main><h1>An attestation</h1><h2>Verified by you</h2>%s</main></body></html>"""


def embedded(browser, **sections):
    """A page of ours with some sections, by id, each with its attributes; all of them share one bundle and one log."""
    body = "".join(f'<section data-verify id="{name}" {said}></section>' for name, said in sections.items())
    page = modules_page(browser, page=(EMBEDDED % body).encode(), bundle=BUNDLE.to_bytes(), log=LOG)
    for name in sections:
        page.locator(f"#{name} .verify-verdict:not([data-state=waiting]), #{name} [role=alert]:not(:empty)").wait_for()
    return page


@needs_chromium
def test_on_a_page_of_ours_only_the_bytes_come_from_the_server(browser):
    page = embedded(
        browser,
        whole=f'data-bundle="/bundle" data-uid="{UID}" data-log="/log" data-trust="{ATTESTER.address}"',
        unlogged='data-bundle="/bundle" data-log="/lost"',
        other=f'data-bundle="/bundle" data-uid="0x{"1" * 64}"',
        lost='data-bundle="/lost"',
    )
    found = {name: page.locator(f"#{name}") for name in ("whole", "unlogged", "other", "lost")}
    verdicts = {name: section.get_attribute("data-verdict") for name, section in found.items()}
    assert verdicts == {"whole": "undecided", "unlogged": "undecided", "other": "invalid", "lost": None}
    assert UNSAID in found["whole"].inner_text()
    assert "uid_mismatch" in found["other"].inner_text()
    assert "/lost answered 404" in found["lost"].inner_text()
    for name, expected in (("whole", "passed"), ("unlogged", "unchecked")):
        found[name].get_by_label("Whom do you trust?").fill(ATTESTER.address)
        page.wait_for_selector(f"#{name}[data-verdict=valid]")
        assert found[name].locator("[data-check=revocation]").get_attribute("data-state") == expected


@needs_chromium
def test_whom_a_link_names_is_said_to_be_the_links_word(page, file):
    page.goto("about:blank")
    page.goto(f"{file.as_uri()}#trust={ATTESTER.address}")
    assert give(page, BUNDLE_FILE) == "valid"
    assert "whom the link that you followed tells you to trust" in said(page)
    assert page.get_by_text("These came with the link that you followed").count() == 1
    assert "untrusted_signer" in trust(page, STRANGER.address, "invalid")


@needs_chromium
@pytest.mark.parametrize(("scheme", "expected"), [("light", "undecided"), ("dark", "invalid"), ("dark", None)])
def test_it_is_accessible_in_every_state_and_fits_a_phone(browser, file, scheme, expected):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.goto(file.as_uri())
    page.get_by_text("More files").click()
    bundle = BUNDLE.to_bytes() if expected == "undecided" else BUNDLE.to_bytes().replace(b'"look":1', b'"look":2')
    if expected:
        assert give(page, ("attestation.json", bundle)) == expected
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()


@needs_chromium
def test_it_can_be_used_by_keyboard_alone(page):
    reached, focused = [], "document.activeElement.labels?.[0]?.textContent ?? document.activeElement.tagName"
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
        if reached[-1] == "SUMMARY":
            page.keyboard.press("Enter")
    assert reached == ["The attestation", "Whom do you trust?", "SUMMARY", "Or paste attestation.json",
                       "Your own policy.json", "BODY"]  # fmt: skip


def test_the_command_writes_the_same_bytes_each_time_and_says_their_digest(tmp_path, capsys):
    out = tmp_path / "verify.html"
    for _ in range(2):
        assert main_of("attest", "verifier", "--out", str(out), "--json") == 0
    told = json.loads(capsys.readouterr().out.split("}\n", 1)[0] + "}")
    page = out.read_bytes()
    assert (told["sha256"], told["bytes"]) == (sha256_hex(page), len(page))
    verifier.standalone.cache_clear()
    assert page == verifier.standalone()


def test_the_one_file_refers_to_nothing_outside_and_its_policy_forbids_connections():
    page = verifier.standalone().decode()
    assert "connect-src 'none'" in page and "default-src 'none'" in page and "unsafe" not in page
    assert not re.search(r"\b(src|href)=|@import|url\(|^(import|export) ", page, re.MULTILINE)
    # Else the script would end where a text says so, and not be the one that the policy names.
    assert page.count("<script") == page.count("</script") == 1 and "<!--" not in page


MARKUP_OR_CHANCE = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|Math\.random")


def test_the_modules_can_be_audited():
    """All are listed, each uses only those before it, is short, and parses no markup; one alone may fetch."""
    assert sorted(verifier.MODULES) == sorted(each.name for each in FOLDER.iterdir() if each.name.endswith(".js"))
    for position, name in enumerate(verifier.MODULES):
        text = (FOLDER / name).read_text()
        used = re.findall(r'from "\./([^"]+)"', text)
        assert set(used) <= set(verifier.MODULES[:position]), name
        assert len(re.findall(r"^import ", text, re.MULTILINE)) == len(used)
        assert text.count("\n") < 400 and max(map(len, text.splitlines())) <= 120, name
        assert not MARKUP_OR_CHANCE.search(text)
        assert ("fetch(" in text) == (name == "main.js")


def test_the_routes_serve_these_files_and_no_others():
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    app = FastAPI()
    app.include_router(verifier.router)
    client = TestClient(app)
    page = client.get("/verify")
    assert page.content == verifier.standalone()
    assert page.headers["content-security-policy"].startswith(verifier.policy())
    assert client.get("/static/verify/verify.css").headers["content-type"].startswith("text/css")
    assert client.get("/static/verify/main.js").headers["content-type"].startswith("text/javascript")
