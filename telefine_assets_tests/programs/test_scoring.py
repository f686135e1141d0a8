"""Scoring: a wrong answer is 0, no answer is none, and a broken metric is an error."""

import dspy
import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.programs.metrics import CannotJudge, Metric, MetricError, exact_match
from telefine_assets.programs.scoring import score_program
from telefine_assets_tests.knn_lm import knn_lm
from telefine_assets_tests.programs.examples import items, opened, tickets_spec

SPEC = tickets_spec()


def asks(item):
    """Whether a prompt's question is this item (its text may also stand in demos)."""
    return lambda prompt: item.inputs["ticket"] in prompt.rpartition("\n\n")[2]


def compiled():
    return dspy.LabeledFewShot(k=16).compile(SPEC.build(), trainset=[item.example() for item in items(100, 1000)])


def test_answers_come_in_the_order_of_the_items_each_with_its_score(knn):
    some = items(60)
    with opened(knn, calls_in_flight=8) as lm:
        answers = score_program(compiled(), some, SPEC.metric, lm)
        again = score_program(compiled(), some[::-1], SPEC.metric, lm)
    assert answers == again[::-1]
    for item, answer in zip(some, answers, strict=True):
        assert answer.score_ppm == (1_000_000 if answer.output == item.label else 0)
        assert answer.error is None
    assert sum(answer.score_ppm for answer in answers) > 50 * 1_000_000


def test_more_demos_help_the_stand_in_as_they_help_a_model(knn):
    some = items(60)
    with opened(knn) as lm:
        first, better = (score_program(each, some, SPEC.metric, lm) for each in (SPEC.build(), compiled()))
    assert sum(each.score_ppm for each in better) > 1.3 * sum(each.score_ppm for each in first)


def test_faults_that_pass_are_retried_and_leave_no_mark(knn):
    some = items(30)
    with opened(knn, num_retries=2) as lm:
        without = score_program(SPEC.build(), some, SPEC.metric, lm)
    with knn_lm() as shaky, opened(shaky, num_retries=2) as lm:
        shaky.fail_share = 0.5
        assert score_program(SPEC.build(), some, SPEC.metric, lm) == without
    assert 5 < shaky.failed < 25
    assert shaky.calls == 30 + shaky.failed


def test_an_item_that_nothing_answers_is_unresolved_after_its_retries_and_not_wrong(knn):
    some = items(5)
    knn.refuses = asks(some[2])
    with opened(knn, num_retries=3) as lm:
        answers = score_program(SPEC.build(), some, SPEC.metric, lm)
    assert (answers[2].output, answers[2].score_ppm, answers[2].error) == (None, None, "LMRateLimitError")
    assert all(answer.score_ppm is not None for at, answer in enumerate(answers) if at != 2)
    assert knn.calls == 4 + 4


def test_a_server_that_is_gone_leaves_every_item_unresolved(knn):
    with opened(knn, num_retries=0, api_base="http://127.0.0.1:9/v1") as lm:
        answers = score_program(SPEC.build(), items(3), SPEC.metric, lm)
    assert [answer.score_ppm for answer in answers] == [None] * 3
    assert all(answer.error not in (None, "unparsable") for answer in answers)


def test_an_answer_that_is_no_value_of_the_field_is_wrong_and_asked_for_once(knn):
    some = items(3)
    knn.instead = lambda prompt: "sales" if asks(some[1])(prompt) else None
    with opened(knn) as lm:
        answers = score_program(SPEC.build(), some, SPEC.metric, lm)
    assert (answers[1].output, answers[1].score_ppm, answers[1].error) == (None, 0, "unparsable")
    assert knn.calls == 3


def test_a_program_that_breaks_on_an_item_has_answered_it_wrongly(knn):
    class Breaks(dspy.Module):
        def forward(self, ticket):
            raise KeyError(ticket)

    with opened(knn) as lm:
        (answer,) = score_program(Breaks(), items(1), SPEC.metric, lm)
    assert (answer.score_ppm, answer.error) == (0, "unparsable")


def test_a_metric_that_returns_no_score_stops_the_scoring(knn):
    broken = Metric("broken", lambda example, prediction, trace=None: None)
    with opened(knn) as lm, pytest.raises(MetricError, match="broken"):
        score_program(SPEC.build(), items(3), broken, lm)


def test_an_item_that_the_metric_cannot_judge_is_unresolved_with_its_answer_and_the_reason(knn):
    def unsure(example, prediction, trace=None):
        raise CannotJudge("no reference")

    with opened(knn) as lm:
        (answer,) = score_program(SPEC.build(), items(1), Metric("unsure", unsure), lm)
    assert (answer.output, answer.score_ppm, answer.error) == ({"team": "billing"}, None, "no reference")


def test_progress_counts_every_item(knn):
    seen = []
    with opened(knn) as lm:
        score_program(SPEC.build(), items(4), SPEC.metric, lm, lambda done, n: seen.append((done, n)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_outputs_of_any_type_can_stand_in_the_evidence(knn):
    class Odd(dspy.Module):
        def forward(self, ticket):
            return dspy.Prediction(team=[float("nan"), 2**70, "half \ud83d", {1, 2}.__class__, None])

    with opened(knn) as lm:
        (answer,) = score_program(Odd(), items(1), Metric("exact_match", exact_match), lm)
    assert canonical_json(answer.output).startswith(b'{"team":["nan","1180591620717411303424","half ')
