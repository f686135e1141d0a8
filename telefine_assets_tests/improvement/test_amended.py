"""A report certifies what is in force: neither what was revoked, nor more than what was issued again."""

import pytest

from telefine_assets.improvement import totals
from telefine_assets.improvement.report import report_of
from telefine_assets_tests.api.served import Served
from telefine_assets_tests.cli import attested_home
from telefine_assets_tests.cli.attested_home import ALICE, BOB
from telefine_assets_tests.deltaone.rows import rows
from telefine_assets_tests.improvement.home import LAST


@pytest.fixture
def told(empty, monkeypatch):
    """A day that reached DeltaOne and was attested, and its uid."""
    monkeypatch.setattr(attested_home, "rows", lambda *_: rows(61, 23, 380))
    empty.look(LAST, None)
    empty.weigh(LAST, {ALICE: 1_000_000}, escrow=0)
    return empty, empty.attest(LAST, [ALICE, BOB])


def reported(home):
    """Period, facts and page of the report."""
    found = home.gathered()
    report = report_of(found)
    return found.this, report.facts, report.files["report.md"].decode()


def test_what_was_revoked_is_certified_no_more_and_its_weights_are_nobodys(told):
    home, uid = told
    assert reported(home)[1]["headline"] == "Certified: better by 8.18 pp"
    home.revoke(uid, "three labels")
    period, facts, page = reported(home)
    assert (facts["verdict"], facts["this"]["certified"], facts["this"]["reached"]) == ("Nothing certified", [], [LAST])
    assert "better by 8.18 pp by the look, revoked, and no claim is in force" in facts["summary"].replace(
        "\n" + " " * 14, " "
    )
    assert "+8.18 pp" not in facts["subject"] and "8.18" not in facts["headline"]
    assert "The look found +8.18 pp, which was revoked on 2026-11-20 12:00 UTC at position 2 of the log" in page
    assert (facts["this"]["amended"][LAST]["code"], totals.weights(period)) == ("revoked", None)


def test_what_was_issued_again_is_certified_for_what_is_left(told):
    home, uid = told
    home.revoke(uid)
    again = home.prepare_again(LAST)
    home.sign_again(LAST)
    period, facts, page = reported(home)
    assert (facts["verdict"], facts["headline"]) == ("1 DeltaOne certified", "Certified: better by 7.54 pp")
    assert "better by 8.18 pp by the look, corrected: +7.54 pp is in force" in " ".join(facts["summary"].split())
    assert "(+7.54 pp)" in facts["subject"]
    assert facts["this"]["amended"][LAST]["in_force"] == again
    assert uid in page and again in page and "| +8.18 pp |" in page and "| +7.54 pp |" in page
    assert totals.weights(period) == (LAST, {ALICE: 500_000, BOB: 500_000})


def test_a_report_that_was_kept_is_shown_with_what_was_said_since(told):
    home, uid = told
    kept = report_of(home.gathered())
    home.records.write("triage", "improvement_reports", LAST, kept.to_record(home.evidence.put))
    served = Served(home.settings)
    reader, path = served.key("read"), "/v1/programs/triage/improvement"
    assert served.get(f"{path}/{LAST}.html", reader).content == kept.files["report.html"]
    home.revoke(uid, "three <b>labels")
    page = served.get(f"{path}/{LAST}.html", reader).text
    assert "Since this was made:</strong> 2026-11-15. The look found +8.18 pp, which was revoked" in page
    assert "three &lt;b&gt;labels" in page
    assert served.get(path, reader).json()["items"][0]["amended_since"] == [LAST]
    again = home.prepare_again(LAST)
    home.sign_again(LAST)
    since = served.get(f"{path}/{LAST}", reader).json()["amended_since"]
    assert since[LAST]["in_force"] == again
    # Made anew, it says so itself.
    home.records.write("triage", "improvement_reports", LAST, report_of(home.gathered()).to_record(home.evidence.put))
    assert served.get(f"{path}/{LAST}", reader).json()["amended_since"] == {}
