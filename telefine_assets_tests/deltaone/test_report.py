from dataclasses import replace

from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import PPM, Rules
from telefine_assets.deltaone.report import ReportContext, markdown

from .rows import LOOSE, look, row, rows


def report(items, rules=LOOSE, **changes):
    decision = decide(items, rules, look())
    return markdown(decision, ReportContext("reviews", "exact match", look(), items, **changes))


def test_a_reached_report_says_all():
    text = report(rows(61, 23, 380))
    for part in (
        "**Reached.**",
        "| Gain (positive is better) | +8.18 pp |",
        "| Better / worse / same | 61 / 23 / 380 |",
        "## Where the candidate is better (3 of 61)",
        "## Where it is worse (3 of 23)",
        "Look 1",
        "higher is better",
        "`question 0`",
    ):
        assert part in text
    assert text.count("- Asked") == 6
    assert text.endswith("\n")


def test_before_it_is_reached_the_report_does_not_depend_on_scores_or_items():
    texts = {report(rows(w, m, 300 - w - m), Rules()) for w, m in ((0, 0), (0, 80), (20, 12))}
    assert len(texts) == 1
    text = texts.pop()
    assert "**Not reached.**" in text
    assert "question" not in text
    assert "## Result" not in text


def test_the_report_is_the_same_for_rows_in_any_order():
    items = rows(61, 23, 380)
    assert report(items) == report(items[::-1])


def test_a_loss_is_told_the_right_way_round():
    items = [row(i, PPM * (i % 10 < 3), PPM * (i % 10 < 2)) for i in range(500)]
    text = report(items, replace(LOOSE, direction="lower"))
    assert "lower is better" in text
    assert "+10.00 pp" in text
    assert "(3 of 50)" in text


def test_text_of_programs_cannot_become_markup():
    nasty = {"text": "```\n# Reached\n<script>alert(1)</script> `x` " + "long " * 200}
    items = [replace(r, inputs=nasty, candidate_output={"a": "`"}) for r in rows(61, 23, 380)]
    decision = decide(items, LOOSE, look())
    text = markdown(decision, ReportContext("<b>p|q</b>\n# x", "m|n", look(), items))
    assert "\n# Reached" not in text
    assert "- Asked ```` ```" in text
    assert max(len(line) for line in text.splitlines()) < 600
    assert "\\<b\\>p\\|q" in text


def test_unreadable_and_absent_answers_are_named():
    items = rows(61, 23, 380)
    items[0] = replace(items[0], baseline_output=None, baseline_error="unparsable")
    items[1] = replace(items[1], baseline_output=None)
    text = report(items)
    assert "baseline: an answer that could not be read" in text
    assert "baseline: none" in text
