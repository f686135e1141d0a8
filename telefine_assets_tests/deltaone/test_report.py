from dataclasses import replace

from telefine_assets.deltaone.report import rendered

from .rows import LOOSE
from .told import story, tickets


def report(*arguments, **changes):
    return rendered(*story(*arguments, **changes))[0]


def test_a_reached_report_says_all():
    text = report()
    for part in (
        "**Reached.**",
        "| Gain (positive is better) | +8.18 pp |",
        "| Better / worse / same | 61 / 23 / 380 |",
        "### Where the candidate is better (3 of 61)",
        "### Where it is worse (3 of 23)",
        "### Where it makes no difference (3 of 380)",
        "| All items | +2.99 to +13.31 pp | +8.18 pp |",
        "Number 3 at this holdout",
        "higher is better",
        "(ticket 0)`",
        "| Latency, half of the answers within | 1,046 ms | 1,255 ms |",
        "| Cost of 1,000 answers, in the currency of the prices | 0.095 | 0.11 |",
    ):
        assert part in text
    assert text.count("- Asked") == 10
    assert text.endswith("\n")


def test_a_report_that_is_not_reached_is_short_and_holds_no_example():
    text = report(tickets(20, 26, 420))
    assert "**Not reached.**" in text
    assert "ticket" not in text
    assert "## Result" not in text
    assert "| 7 pp better |" in text


def test_the_report_is_the_same_for_rows_in_any_order():
    items = tickets()
    record, decision, context = story(items)
    assert rendered(record, decision, context) == rendered(record, decision, replace(context, items=items[::-1]))


NASTY = "```\n# Reached\n<script>alert(1)</script> | `x` {{ 7 * 7 }} " + "long " * 200_000


def test_text_of_programs_cannot_become_markup():
    items = [
        replace(each, inputs={"text": NASTY}, candidate_output={"a": "`"}, label={"queue": f"a|b {at % 2}"})
        for at, each in enumerate(tickets(unresolved=0))
    ]
    record, decision, context = story(items, LOOSE)
    named = replace(context, program="<b>p|q</b>\n# x", metric="m|n")
    text = rendered({**record, "sentence": "*a* <i>"}, decision, named)[0]
    assert "\n# Reached" not in text
    assert "- Asked ```` ```" in text
    assert max(len(line) for line in text.splitlines()) < 900
    assert "\\<b\\>p\\|q" in text
    assert "\\*a\\* \\<i\\>" in text
    assert "| `a\\|b 0` |" in text
