"""Improvement reports by the API, and attestations with all their evidence as one file: for readers alone."""

import hashlib
import os
from datetime import UTC, datetime

import pytest

from telefine_assets.attestation.archive import unpack
from telefine_assets.attestation.handed_on import verify_files
from telefine_assets.improvement.report import report_of
from telefine_assets.ledger.erasures import EVIDENCE, Asked, Erasures
from telefine_assets_tests.api.pages.told import Told
from telefine_assets_tests.cli.attested_home import ALICE
from telefine_assets_tests.improvement.home import LAST, REACHED, TwoWeeks

REPORTS = "/v1/programs/triage/improvement"


@pytest.fixture(scope="module")
def weeks(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        for name in [each for each in os.environ if each.startswith("TELEFINE_")]:
            patched.delenv(name)
        made = TwoWeeks(tmp_path_factory.mktemp("weeks")).fill()
    record = report_of(made.gathered()).to_record(made.evidence.put)
    made.records.write("triage", "improvement_reports", LAST, record)
    return made


@pytest.fixture(scope="module")
def served(weeks):
    uid = weeks.records.read("triage", "attestations", REACHED)["uid"]
    return Told(weeks, {REACHED: uid})


@pytest.fixture(scope="module")
def uid(served):
    return served.uids[REACHED]


def test_an_improvement_report_is_told_as_it_was_recorded_and_as_a_page(weeks, served):
    reader = served.key("read")
    listed = served.get(REPORTS, reader).json()
    told = served.get(f"{REPORTS}/{LAST}", reader).json()
    shown = {name: told[name] for name in ("day", "subject", "verdict")}
    assert listed == {"items": [shown | {"amended_since": []}], "next": None}
    recorded = weeks.records.read("triage", "improvement_reports", LAST)
    assert told == {"program": "triage", "day": LAST, **recorded, "amended_since": {}}
    assert told["this"]["certified"] == [REACHED]
    page = served.get(f"{REPORTS}/{LAST}.html", reader)
    assert page.headers["content-type"].startswith("text/html")
    assert hashlib.sha256(page.content).hexdigest() == told["evidence"]["report.html"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script-src" not in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", [REPORTS, f"{REPORTS}/{LAST}", f"{REPORTS}/{LAST}.html"])
def test_it_is_for_readers_and_is_not_sent_again(served, path):
    assert served.get(path).status_code == 401
    assert served.get(path, served.key("submit")).json()["needs"] == "read"
    reader = served.key("read")
    tag = served.get(path, reader).headers["etag"]
    again = served.get(path, reader, **{"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert served.client.head(path, headers=served.headers(reader)).headers["etag"] == tag


@pytest.mark.parametrize("ending", ["", ".html"])
def test_a_day_without_one_is_told_how_to_make_it(served, ending):
    answer = served.get(f"{REPORTS}/{REACHED}{ending}", served.key("read"))
    assert answer.status_code == 404
    assert f"telefine run improvement_reports --program triage --day {REACHED}" in answer.json()["detail"]


def test_openapi_has_an_example_of_a_report_that_fits_the_real_one(weeks, served):
    document = served.get("/v1/openapi.json").json()
    shown = document["components"]["schemas"]["ImprovementShown"]
    real = served.get(f"{REPORTS}/{LAST}", served.key("read")).json()
    assert {*shown["example"]} == {*shown["properties"]} == {*real}
    assert {*shown["example"]["this"]} <= {*real["this"]}


def test_the_archive_verifies_and_is_the_same_each_time(weeks, served, uid):
    path, reader = f"/v1/attestations/{uid}/archive", served.key("read")
    assert served.get(path).status_code == 401
    assert served.get(path, served.key("submit")).json()["needs"] == "read"
    got = served.get(path, reader)
    assert got.headers["content-disposition"] == f'attachment; filename="{uid}.tar"'
    found = verify_files(unpack(got.content), weeks.trust().log().policy, int(served.now.timestamp()))
    assert (found.verified.uid, found.verified.erased) == (uid, ())
    again = served.get(path, reader, **{"If-None-Match": got.headers["etag"]})
    assert again.status_code == 304
    assert served.get(path.replace(uid, "0x" + "0" * 64), reader).status_code == 404


def test_who_signed_in_can_download_it_from_the_page_and_nobody_else(served, uid):
    page, cookie = f"/attestations/{uid}", served.signed_in("read")
    link = f'href="{page}/archive" download="{uid}.tar"'
    assert link in served.look(page, cookie).text
    assert link not in served.look(page).text
    got = served.look(f"{page}/archive", cookie)
    assert (got.headers["content-type"], got.headers["cache-control"]) == ("application/x-tar", "no-store")
    assert got.content == served.get(f"/v1{page}/archive", served.key("read")).content
    assert served.look(f"{page}/archive").status_code == 401
    assert served.look(f"/v1{page}/archive", cookie).status_code == 401
    assert served.look("/attestations/<b>/archive", cookie).status_code == 404


def test_one_is_packed_at_a_time(served, uid):
    with served.here.verifying:
        busy = served.get(f"/v1/attestations/{uid}/archive", served.key("read"))
    assert (busy.status_code, busy.json()["code"], busy.headers["retry-after"]) == (503, "busy", "1")


def test_what_was_erased_is_refused_and_told_so(weeks, served, uid):
    reader = served.key("read")
    file = served.get(f"/v1/attestations/{uid}/statement").json()["predicate"]["evidence"][0]["sha256"]
    page = weeks.records.read("triage", "improvement_reports", LAST)["evidence"]["report.html"]
    kept = {digest: weeks.evidence.get(digest) for digest in (file, page)}
    asked = Asked(ALICE, "asked for it", "ann")
    Erasures(weeks.ledger).record(asked, {EVIDENCE: [*kept]}, datetime(2026, 11, 20, tzinfo=UTC))
    paths = [
        f"/v1/attestations/{uid}/archive",
        f"/v1/attestations/{uid}/evidence/{file}",
        f"{REPORTS}/{LAST}.html",
    ]
    # Recorded, and not gone yet: it can still be had.
    assert [served.get(path, reader).status_code for path in paths] == [200, 200, 200]
    try:
        for digest in kept:
            served.here.files.remove(weeks.evidence.name(digest))
        for path in paths:
            answer = served.get(path, reader)
            assert (answer.status_code, answer.json()["code"]) == (410, "erased"), path
            assert "at the request of a person" in answer.json()["detail"]
        told = served.look(f"/attestations/{uid}/archive", served.signed_in("read"))
        assert (told.status_code, "was erased at the request of a person" in told.text) == (410, True)
    finally:
        for content in kept.values():
            weeks.evidence.put(content)
