"""What the pages tell, to whom, and that nothing a stranger wrote becomes more than text."""

import re
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from telefine_assets.api import pages
from telefine_assets.api.pages.certified import certified
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.records import Choice
from telefine_assets_tests.api.pages.told import HOSTILE, LAST, REVOKED, Told
from telefine_assets_tests.api.served import NOW, Served, small_home
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, SIGNER

CAROL = "0x" + "9" * 40


class Reading(HTMLParser):
    """Text and tags of a page."""

    def __init__(self, html):
        super().__init__()
        self.words, self.tags = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())

    def linked(self):
        return [attrs["href"] for tag, attrs in self.tags if tag == "a"]


def read(answer, status=200):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Reading(answer.text)


@pytest.fixture
def paths(told):
    uid = told.uids[LAST]
    return ["/", "/programs/triage", f"/attestations/{uid}", "/contributors", f"/contributors/{ALICE}", "/sign-in"]


def test_the_list_of_programs_names_what_serves_and_the_last_gain(told):
    page = read(told.look("/"))
    assert "Last certified gain +11.50 pp 16 Nov 2026" in page.text
    assert "Gains in force 4" in page.text
    assert {"/programs/triage", f"/attestations/{told.uids[LAST]}"} <= set(page.linked())


def test_a_program_tells_its_champion_and_its_story_to_everybody(told):
    page = read(told.look("/programs/triage"))
    serving = told.here.champions.current("triage")
    assert serving.version in page.text
    assert f"+11.50 pp over what served before , signed by {SIGNER.address}" in page.text
    assert "Promoted by its attestation, without a hand" in page.text
    for said in ("+12.50 pp +8.48 pp 400 in force", "+8.75 pp +5.19 pp 400 revoked"):
        assert said in page.text
    assert "0.500000000000000001 TOKEN 1 0.5 TOKEN" in page.text
    assert {f"/attestations/{uid}" for uid in told.uids.values()} <= set(page.linked())


def test_strangers_are_told_nothing_of_looks_that_failed_of_runs_and_of_reports(told):
    told.control.begin()
    strange, known = (read(told.look("/programs/triage", cookie)) for cookie in (None, told.signed_in()))
    assert "4 Nov 2026: look 1 did not reach DeltaOne" in known.text
    for said in ("look", "not reach", "Runs", "Reports", "traces, cleaned"):
        assert said not in strange.text.replace("nothing is told of what was tried", ""), said
    assert "/programs/triage/reports/2026-11-02" in known.linked()
    assert not [tag for tag, attrs in strange.tags if "data-events" in attrs]


def test_a_failed_look_tells_no_score_even_to_readers(told):
    page = read(told.look("/programs/triage", told.signed_in()))
    (title,) = [word for word in page.words if word.startswith("4 Nov 2026: ")]
    assert title == "4 Nov 2026: look 1 did not reach DeltaOne"


def test_an_attestation_says_in_words_what_it_claims_and_who_signed(told):
    uid = told.uids[LAST]
    page = read(told.look(f"/attestations/{uid}"))
    for said in (
        "Better by 11.50 percentage points",
        "did better than the one that served: by +11.50 pp of exact_match , on 400 items",
        "did better on 58 and worse on 12.",
        "+7.45 pp lower end of the 95 % interval",
        "p = 1.2 × 10⁻⁸ below 2.5 %, the level of look 1",
        "exact McNemar test",
        "The log admits this key at position 0, and it is good still.",
        "In escrow: a name was given in place of an address 33.3334 %",
        "Revoked no, by the log of this server",
    ):
        assert said in page.text, said
    files = told.get(f"/v1/attestations/{uid}/statement").json()["predicate"]["evidence"]
    assert all(file["sha256"] in page.text for file in files)
    assert not [href for href in page.linked() if "/evidence/" in href]
    assert read(told.look(f"/attestations/{uid.upper().replace('0X', '0x')}")).text == page.text


def test_the_verification_is_the_browsers_and_the_server_says_no_verdict(told):
    uid = told.uids[LAST]
    page = read(told.look(f"/attestations/{uid}"))
    ((_, section),) = [each for each in page.tags if "data-verify" in each[1]]
    assert section["data-bundle"] == f"/v1/attestations/{uid}"
    assert (section["data-uid"], section["data-log"]) == (uid, "/v1/log")
    for word in ("verified by", "valid", "is genuine", "we checked"):
        assert word not in page.text.lower(), word


def test_a_revoked_attestation_says_so_first(told):
    page = read(told.look(f"/attestations/{told.uids[REVOKED]}"))
    assert "revoked Attestation of 6 November 2026" in page.text
    assert "Revoked at position 6 of the log: The holdout had leaked <b>into</b> the prompt." in page.text
    assert "b" not in {tag for tag, _ in page.tags}


def test_public_evidence_can_be_downloaded(home):
    settings = home[0].settings
    public = Served(settings, public_evidence=True)
    uid = home[1][LAST]
    page = read(public.get(f"/attestations/{uid}"))
    hrefs = [href for href in page.linked() if "/evidence/" in href]
    assert len(hrefs) == 8
    assert public.get(hrefs[0]).status_code == 200


def test_a_contributor_sees_parts_payments_and_the_claim_that_the_api_gives(told):
    page = read(told.look(f"/contributors/{ALICE.lower()}"))
    claim = told.get(f"/v1/programs/triage/contributors/{ALICE}/claim").json()
    assert claim["total"] == "1499999000000000001"
    for said in ("Earned 1.499999000000000001 TOKEN", "Used in 5 DeltaOnes", claim["total"], claim["root"]):
        assert said in page.text, said
    assert all(word in page.text for word in claim["proof"])
    assert "2 Nov 2026 50 % 0.500000000000000001 TOKEN in force" in page.text
    assert "3 Nov 2026 50 % not paid in force" in page.text
    assert f"/v1/programs/triage/contributors/{ALICE}/claim" in page.linked()


def test_what_somebody_gave_is_told_to_readers_alone(told):
    strange, known = (read(told.look(f"/contributors/{ALICE}", cookie)) for cookie in (None, told.signed_in()))
    assert "What was given" not in strange.text
    assert "unlabelled" not in strange.text
    assert "What was given for readers" in known.text
    assert "triage 2 1 unlabelled: 1" in known.text


@pytest.mark.parametrize(
    ("address", "status", "cure"),
    [
        ("alice.eth", 400, "paste the address that it stands for"),
        (ALICE[:-1], 400, "0x and 40 digits"),
        ("0x" + "0" * 40, 400, "the zero address is nobody"),
        ("0xdBF03B407c01E7cD3CBea99509d93f8DDDC8C6Fb", 400, "copy it again from your wallet"),
        (HOSTILE.replace("/", ""), 400, "0x and 40 digits"),
        (CAROL, 404, f"nothing is told of {CAROL}"),
    ],
)
def test_a_bad_address_is_told_with_its_cure(told, address, status, cure):
    page = read(told.look(f"/contributors/{address}"), status)
    assert cure.lower() in page.text.lower()
    assert "evil" not in page.text


def test_the_form_leads_to_the_page_of_the_address(told):
    answer = told.look(f"/contributors?address=%20{BOB.lower()}%20")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/contributors/{BOB}")
    read(told.look("/contributors?address=//evil.example"), 400)


def test_text_of_strangers_is_text(home, tmp_path):
    hostile = Told(*home, description=HOSTILE)
    run_id = hostile.control.begin()
    hostile.control.change(run_id, progress=HOSTILE, error=HOSTILE)
    cookie = hostile.signed_in()
    for path in ("/", "/programs/triage"):
        answer = hostile.look(path, cookie)
        page = read(answer)
        assert "<script>alert(1)</script> \"'{{ 7*7 }}" in page.text
        assert "\u202e" not in answer.text
        scripts = [attrs.get("src", "") for tag, attrs in page.tags if tag == "script"]
        assert all(src.startswith("/static/") for src in scripts)


def test_no_page_brings_anything_from_elsewhere_or_anything_inline(told, paths):
    for cookie in (None, told.signed_in()):
        for path in paths:
            answer = told.look(path, cookie)
            page = read(answer)
            assert len(answer.content) < 50_000
            for tag, attrs in page.tags:
                assert not {"style", "onclick", "onload"} & attrs.keys(), (path, tag)
                for name in ("src", "href", "action"):
                    assert re.match(r"[/#](?!/)", attrs.get(name, "/")), (path, attrs)
            assert "style" not in {tag for tag, _ in page.tags}
            assert ("html", {"lang": "en"}) in page.tags


def test_pages_are_harmless_to_those_who_read_them(told, paths):
    for path in [*paths, "/nowhere"]:
        headers = told.look(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "form-action": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == ("same-origin" if path == "/sign-in" else "no-referrer")
        assert "Cookie" in headers["vary"]


def test_the_same_page_is_not_sent_again_and_what_readers_see_is_not_kept(told):
    first = told.look("/programs/triage")
    assert first.headers["cache-control"] == "private, no-cache"
    again = told.look("/programs/triage", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    known = told.look("/programs/triage", told.signed_in(), **{"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.headers["cache-control"]) == (200, "no-store")


def test_static_files_are_kept_for_ever_by_their_digest_alone(told):
    page = read(told.look("/"))
    (style,) = [attrs["href"] for tag, attrs in page.tags if attrs.get("rel") == "stylesheet"]
    kept = told.get(style)
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert told.get(style, **{"If-None-Match": kept.headers["etag"]}).status_code == 304
    assert told.get("/static/pages.css?v=other").headers["cache-control"] == "public, no-cache"
    for path in (
        "/static/",
        "/static/words.py",
        "/static/..%2fwords.py",
        "/static/pages.css/..",
        "/static/base.html.j2",
    ):
        assert told.get(path).status_code in (400, 404), path


def test_a_version_that_was_chosen_by_hand_names_who_and_why_to_readers_alone(tmp_path, own_environment):
    told = Told(SimpleNamespace(settings=small_home(tmp_path)), {})
    choice = Choice("triage", LAST, "d" * 64, "customers complained", "user ann", "by hand", 0)
    Champions(told.here.ledger).choose(choice, NOW)
    strange, known = (read(told.look("/programs/triage", cookie)) for cookie in (None, told.signed_in()))
    assert "Came to serve Chosen by hand Rests on" in strange.text
    assert "Chosen by hand by user ann: customers complained" in known.text


def test_the_page_of_a_long_story_stays_light(told, monkeypatch):
    (known,) = [each for each in certified(told.here, "triage") if each.uid == told.uids[LAST]]
    days = [(date(2026, 1, 1) + timedelta(number)).isoformat() for number in range(500)]
    many = [replace(known, claim=replace(known.claim, partition=day)) for day in days]
    monkeypatch.setattr("telefine_assets.api.pages.programs.certified", lambda *_: many)
    answer = told.look("/programs/triage")
    assert "and 460 earlier;" in read(answer).text
    assert len(answer.content) < 50_000


def test_a_deployment_in_which_nothing_happened_says_so(tmp_path, own_environment):
    served = Served(small_home(tmp_path))
    page = read(served.get("/programs/triage"))
    for said in (
        "The first version, as it was written.",
        "No gain has been certified yet.",
        "Nothing has been paid yet.",
    ):
        assert said in page.text
    assert "None yet" in read(served.get("/")).text


def test_dagster_that_cannot_be_asked_takes_nothing_else_from_the_page(told):
    cookie = told.signed_in()
    told.control.down = True
    try:
        page = read(told.look("/programs/triage", cookie))
    finally:
        told.control.down = False
    assert "Dagster cannot be asked at the moment." in page.text
    assert "/secret/place" not in page.text
    assert "The story of its DeltaOnes" in page.text


def test_reports_are_pages_too_for_those_who_signed_in(told):
    path = f"/programs/triage/reports/{MONDAY}"
    assert told.look(path).status_code == 401
    report = told.look(path, told.signed_in())
    assert report.status_code == 200
    assert "script-src" not in report.headers["content-security-policy"]
    assert told.look("/programs/triage/reports/2026-12-24", told.signed_in()).status_code == 404


def test_without_pages_there_is_the_api_alone(home):
    served = Served(home[0].settings, pages=False)
    for path in ("/", "/programs/triage", "/sign-in", "/verify", "/static/pages.css"):
        answer = served.get(path, Accept="text/html")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert served.get("/v1/attestations").status_code == 200


def test_whatever_the_pages_are_made_of_is_packaged():
    root = Path(pages.__file__).parent
    project = tomllib.loads((root.parents[2] / "pyproject.toml").read_text())
    globs = project["tool"]["setuptools"]["package-data"]["telefine_assets.api.pages"]
    packaged = {path for pattern in globs for path in root.glob(pattern)}
    assert {path for path in root.rglob("*") if path.suffix not in ("", ".py", ".pyc")} == packaged
