"""The page, its Markdown and its e-mail: the same bytes of the same records, and hostile texts stay texts."""

import email
import json
import re
from email.policy import default

from telefine_assets.improvement.gathering import Gathered
from telefine_assets.improvement.page import page_of
from telefine_assets.improvement.report import FILES, facts_of, report_of
from telefine_assets.improvement.summary import MOST_LINES, mail, summary_of
from telefine_assets.pages.html import html
from telefine_assets.pages.markdown import markdown
from telefine_assets_tests.deltaone.test_html import Parsed
from telefine_assets_tests.improvement.home import HOSTILE, LAST, PPM, TwoWeeks, day_of


def read(content: bytes):
    return email.message_from_bytes(content, policy=default)


def test_the_same_records_give_the_same_bytes(weeks, report, tmp_path):
    again = report_of(TwoWeeks(weeks.home).gathered())
    assert [again.files[name] for name in FILES] == [report.files[name] for name in FILES]
    assert again.facts == report.facts
    kept = {}
    record = report.to_record(lambda content: kept.setdefault(str(len(content)), "d") and str(len(content)))
    assert [int(record["evidence"][name]) for name in FILES] == [len(report.files[name]) for name in FILES]
    json.dumps(record)


def test_the_page_is_whole_and_needs_nothing_else(report):
    parsed = Parsed(report.files["report.html"])
    assert "script" not in parsed.tags and "link" not in parsed.tags
    addresses = [value for _, name, value in parsed.attributes if name in ("src", "srcset", "href")]
    assert len(addresses) == 6 and all(each.startswith("data:image/png") for each in addresses)
    for told in ("Certified: better by 8.18 pp", "556", "$2.85", "95.68 %", "Not loaded, and in no sum: 2026-11-11."):
        assert told in parsed.text
    text = report.files["report.md"].decode()
    assert text.startswith("# Improvement: triage\n") and "| 2026-11-11 | no record | no record |" in text


def test_the_summary_is_short_and_says_what_matters(weeks):
    summary = summary_of(weeks.gathered())
    assert summary.subject == "triage, 2026-11-09 to 2026-11-15: 1 DeltaOne certified (+8.18 pp), 556 traces"
    assert len(summary.text.splitlines()) <= MOST_LINES
    for told in ("Moved:        mean score", "1,500 questions", "better by 8.18 pp", "2 gave traces", "2026-11-11"):
        assert told in summary.text


def test_the_mail_is_a_draft_of_text_and_html(report):
    message = read(report.files["report.eml"])
    assert message.get_content_type() == "multipart/alternative"
    text, page = message.get_payload()
    assert (text.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == report.facts["summary"]
    assert "Certified: better by 8.18 pp" in page.get_content()
    assert {name for name, _ in message.items()} == {"Subject", "X-Unsent", "MIME-Version", "Content-Type"}


def test_hostile_texts_are_shown_and_do_nothing(empty):
    empty.clean(LAST, [PPM] * 40, who=HOSTILE)
    empty.compile(LAST, "c" * 64, name=HOSTILE, error=HOSTILE)
    found = empty.gathered()
    found = Gathered(HOSTILE, HOSTILE, HOSTILE, found.this, found.before, None)
    page = page_of(found)
    parsed = Parsed(html(page))
    assert "script" not in parsed.tags
    assert "<script>alert(1)</script> Bcc: eve@example.org" in parsed.text
    assert "\u202e" not in parsed.text + markdown(page) + summary_of(found).text
    assert not re.search(r"(?<![\\`])<script", re.sub(r"`+[^`].*?`+", "", markdown(page)))
    message = read(mail(summary_of(found), page.headline))
    assert "Bcc" not in message
    assert [name for name, _ in message.items()].count("Subject") == 1
    assert "<script" not in message.get_payload()[1].get_content()
    assert len(summary_of(found).text.splitlines()) <= MOST_LINES


def test_a_week_in_which_nothing_happened_is_quiet(empty):
    report = report_of(empty.gathered())
    assert (report.facts["verdict"], report.facts["headline"]) == ("Quiet", "Nothing happened")
    assert report.facts["this"]["missing"] == [day_of(number) for number in range(9, 16)]
    assert b"<img" not in report.files["report.html"]
    assert report.facts["subject"].endswith("quiet, no record of its traces")
    for told in (
        "not known",
        "nobody by name",
        "nothing was compiled",
        "no language model was asked",
        "the first version",
    ):
        assert told in report.facts["summary"]


def test_days_without_a_trace_are_not_quiet_about_it(empty):
    empty.clean(LAST, [], rules=())
    facts = facts_of(empty.gathered())
    assert (facts["this"]["traces"], facts["this"]["missing"][-1], facts["verdict"]) == (0, day_of(14), "Quiet")


def test_a_gain_without_an_attestation_is_not_certified(empty):
    empty.look(LAST, None)
    facts = facts_of(empty.gathered())
    assert (facts["this"]["reached"], facts["this"]["certified"]) == ([LAST], [])
    assert facts["verdict"] == "Nothing certified" and "(not attested)" in facts["summary"]
