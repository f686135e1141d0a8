from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.deltaone.checklist import checklist
from telefine_assets.deltaone.decision import PUBLIC_CODES, decide
from telefine_assets.deltaone.records import PPM, Rules
from telefine_assets.deltaone.report import page_of, rendered, reopened
from telefine_assets.pages.html import html
from telefine_assets.pages.markdown import markdown
from telefine_assets.pages.page import Code, Examples, Facts, Forest, Picture, Table, named, quoted

from .rows import LOOSE, look
from .told import LOST, RULES, no_look, story, tickets

PLAIN = Rules(min_power_ppm=0)


def titles(page):
    return [section.title for section in page.sections]


def blocks(page, kind):
    return [block for section in page.sections for block in section.blocks if isinstance(block, kind)]


def written(*told):
    """A story's page as Markdown and HTML, without the figure, which takes its time."""
    page = page_of(*told)
    return markdown(page), html(page)


@cache
def living():
    """The page of a comparison in which nothing differed."""
    return written(*story(tickets(0, 0, 120, 0), PLAIN))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_while_the_holdout_lives_page_is_the_same_bytes_for_any_scores_and_rows(data):
    scores = data.draw(st.lists(st.tuples(*[st.sampled_from([0, PPM]) for _ in range(2)]), min_size=120, max_size=120))
    items = tickets(unresolved=0, scores=scores)
    texts = data.draw(st.lists(st.text(), min_size=3, max_size=3))
    items[7] = replace(items[7], inputs={"text": texts[0]}, candidate_output={"queue": texts[1]}, contributor=texts[2])
    record, decision, context = story(items, PLAIN)
    if not decision.reached:
        assert written(record, decision, context) == living()


def test_nor_does_the_figure_depend_on_a_score():
    figures = {rendered(*story(tickets(w, m, 300 - w - m, 0), PLAIN))[1] for w, m in ((0, 0), (0, 80), (20, 12))}
    assert len(figures) == 1


def test_the_public_page_is_not_even_given_the_decision():
    record, decision, context = story(tickets(0, 0, 120, 0), PLAIN)
    assert written(record, None, replace(context, items=(), look=None)) == written(record, decision, context)


def test_private_guardrails_of_a_living_holdout_are_not_shown_even_if_a_record_holds_them():
    record, decision, context = story(tickets(0, 0, 300, 0), RULES)
    public = record["public"]
    hidden = {**public["guardrails"][0], "name": "hidden", "reads_label": True}
    leaky = {**record, "public": {**public, "guardrails": [*public["guardrails"], hidden]}}
    assert written(leaky, decision, context) == written(record, decision, context)
    assert "Guardrails" in titles(page_of(record, decision, context))


def test_a_reached_page_tells_everything():
    page = page_of(*story())
    assert (page.verdict, page.headline) == ("Reached", "Better by 8.18 percentage points")
    assert "Even the cautious end" in page.grade
    assert titles(page) == [
        "What was compared",
        "The gain",
        "Result",
        "Better, worse and the same",
        "By category",
        "By contributor",
        "Calibration: does it know when it is right?",
        "Cost and latency",
        "Guardrails",
        "What worked before",
        "What this holdout can show",
        "Looks at this holdout so far",
        "How to read this",
        "To the byte",
    ]
    assert [(each.total, len(each.shown), len(each.every)) for each in blocks(page, Examples)] == [
        (61, 3, 0),
        (23, 3, 23),
        (380, 3, 0),
        (1, 1, 0),
    ]
    (forest,) = blocks(page, Forest)
    assert [mark.kind for mark in forest.marks] == ["overall", *["slice"] * 5, *["guardrail"] * 3]
    assert [mark.held for mark in forest.marks[-3:]] == [True, True, True]
    (picture,) = blocks(page, Picture)
    assert picture.light != picture.dark
    assert "said" in picture.alt


def test_the_grade_claims_no_more_than_the_interval():
    page = page_of(*story(tickets(45, 20, 400, 0), LOOSE))
    assert page.grade.startswith("Grade: improved. That it is better is established; that it is better by 1 pp")


def test_too_few_items_could_have_shown_nothing():
    page = page_of(*story(tickets(2, 0, 2, 0), PLAIN))
    assert (page.numbers[-1].value, page.numbers[-1].note) == ("nothing", "")


def test_tables_add_up_to_the_decision():
    record, decision, context = story()
    tables = [each for each in blocks(page_of(record, decision, context), Table) if each.columns[1] == "Items"]
    assert [each.columns[0] for each in tables] == ["Category", "Contributor"]
    for each in tables:
        sums = [sum(int(row[at].replace(",", "")) for row in each.rows) for at in range(1, 5)]
        assert sums == [decision.n, decision.wins, decision.losses, decision.ties]


def test_what_was_left_out_is_told_with_its_worst_case():
    page = page_of(*story())
    (result,) = [section for section in page.sections if section.title == "Result"]
    assert ("Had all 3 left out gone against the candidate", "+7.49 pp") in result.blocks[0].rows
    assert "3 more were left out" in str(page.sections[0])
    whole = page_of(*story(tickets(unresolved=0)))
    assert "left out" not in str(whole)


def test_self_labels_are_called_what_they_are():
    page = page_of(*story(labels={"output:": 3, "metric:tone": 9, "expectation:HUMAN": 400}))
    line = "".join(dict(blocks(page, Facts)[0].rows)["What is right"])
    assert line == (
        "400 said by people; 9 scored by tone, a metric that needs no label; "
        "3 from output:, the program's own answers, which certify nothing"
    )


def test_history_is_pass_or_fail_and_evidence_is_named_only_once_reached():
    told, silent = page_of(*story()), page_of(*story(tickets(0, 0, 120, 0), PLAIN))
    for page, last, evidence in ((told, "reached", True), (silent, "not reached", False)):
        (history,) = [each for each in blocks(page, Table) if each.columns[0] == "Look"]
        assert [row[-1] for row in history.rows] == ["not reached", "not reached", last]
        assert ("5" * 64 in str(page)) == evidence


def test_regressions_on_retired_items_are_shown_while_the_holdout_lives():
    worse = {"asked": 60, "regressed": [LOST] * 50, "count": 55, "p_value": "1e-9", "wins": 2, "losses": 55}
    page = page_of(*story(tickets(0, 0, 120, 0), replace(PLAIN, max_regressions=None), regressions=worse))
    (section,) = [each for each in page.sections if each.title == "What worked before"]
    assert "more than chance explains" in section.blocks[1].text
    assert (section.blocks[2].total, len(section.blocks[2].every)) == (55, 50)


@pytest.mark.parametrize("code", ["no_candidate", "holdout_reused"])
def test_a_day_without_a_look_says_why(code):
    record = no_look(code, "There is nothing. Wait.", candidate=None if code == "no_candidate" else "c" * 64)
    _, _, context = story(tickets(0, 0, 120, 0), PLAIN)
    page = page_of(record, None, context)
    assert (page.verdict, page.headline, page.numbers) == ("No look", "Nothing was compared", ())
    assert page.sentence == "There is nothing. Wait."
    assert rendered(record, None, context)[1] is None


def test_unreadable_and_absent_answers_are_named_and_a_loss_is_told_the_right_way_round():
    items = tickets(unresolved=0)
    items[0] = replace(items[0], baseline_output=None, baseline_error="unparsable")
    items[1] = replace(items[1], baseline_output=None)
    better = blocks(page_of(*story(items)), Examples)[0].shown
    assert [each.answers[0][1] for each in better[:2]] == ["an answer that could not be read", "none"]
    lower = tickets(scores=[(PPM, 0)] * 61 + [(0, PPM)] * 23 + [(0, 0)] * 380)
    page = page_of(*story(lower, replace(LOOSE, direction="lower")))
    assert page.headline == "Better by 8.18 percentage points"
    assert [answer[2] for answer in blocks(page, Examples)[0].shown[0].answers] == ["wrong", "right"]
    assert "lower is better" in str(page.sections[0])


def test_reopening_reads_evidence_only_once_reached():
    from telefine_assets.canonical import canonical_json, canonical_lines

    record, decision, context = story()
    documents = {
        "6" * 64: canonical_json(
            {"decision": decision.to_record(), "rules": context.rules.to_record(), "look": look(3).to_record()}
        ),
        "5" * 64: canonical_lines(row.to_record() for row in context.items),
    }
    bare = replace(context, items=(), look=None, rules=Rules())
    assert written(record, *reopened(record, documents.__getitem__, bare)) == written(record, decision, context)
    silent, _, _ = story(tickets(0, 0, 120, 0), PLAIN)
    assert reopened(silent, {}.__getitem__, bare) == (None, bare)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb\x00", "a\ufffd[2Jb\ufffd"),
        ("safe\u202eevil\u2066", "safe\ufffdevil\ufffd"),
        ("half \ud800", "half \ufffd"),
        ("two\nlines\t here", "two lines here"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
    ],
)
def test_text_that_could_mislead_is_marked(text, shown):
    assert named(text) == shown
    assert quoted(text) == Code(shown)
    named(text).encode()


def test_long_text_is_cut():
    assert len(quoted("x" * 1_000_000)) == 400
    assert quoted({"a": "one"}) == "one"
    assert quoted({"b": 1, "a": [None]}) == '{"a": [null], "b": 1}'


def test_every_public_code_has_its_line_in_the_checklist():
    before = {"no_candidate", "holdout_reused", "too_many_regressions", "not_reached"}
    for code in (PUBLIC_CODES | before) - {"reached"}:
        states = [step.state for step in checklist(no_look(code))]
        assert states.count("failed") == 1, code
        at = states.index("failed")
        assert set(states[:at]) <= {"held"}
        assert set(states[at + 1 :]) <= {"not looked at"}


def test_the_checklist_of_a_success_holds_and_of_an_unknown_reason_claims_nothing():
    assert {step.state for step in checklist(story()[0])} == {"held"}
    assert {step.state for step in checklist(no_look("from_tomorrow"))} == {"not looked at"}


def test_private_reasons_are_one_line_of_the_checklist():
    few, many = (tickets(*each, 0) for each in ((3, 0, 300), (0, 90, 300)))
    codes = {decide(items, PLAIN, look()).code for items in (few, many)}
    assert codes == {"below_threshold"} or len(codes) == 2
    assert checklist(story(few, PLAIN)[0]) == checklist(story(many, PLAIN)[0])
