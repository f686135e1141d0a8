"""The judge: asked once, read strictly, and never part of the program that it judges."""

import json
import re
from contextlib import contextmanager

import dspy
import pytest

from telefine_assets.lm.budget import Budget, BudgetSpent
from telefine_assets.lm.opening import open_lm
from telefine_assets.programs.metrics import PPM, Judged, MetricError, metric_named
from telefine_assets.settings.lm import BudgetSettings
from telefine_assets.settings.metrics import LmJudge
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.metrics.judging import labelled

EXAMPLE = labelled(team="billing", mood="angry")
RIGHT, WRONG = dspy.Prediction(team="Billing", mood="angry"), dspy.Prediction(team="login", mood="angry")


def judge_metric(**options):
    return metric_named(LmJudge(**{"instructions": "The team must be the same.", **options}), "here")


def judges(prompt):
    """A judge that goes by a rule: yes when answer and expected are the same but for case."""
    question = prompt.rpartition("[[ ## inputs ## ]]")[2]
    expected, answer = (
        json.loads(re.search(rf"\[\[ ## {name} ## \]\]\n(.*)", question)[1].casefold())
        for name in ("expected", "answer")
    )
    grade = sum(answer[name] == label for name, label in expected.items()) / len(expected)
    verdict = ("yes" if grade == 1 else "no") if "`yes`" in prompt or "'yes'" in prompt else f"{int(1 + 4 * grade)}/5"
    reason = f"[[ ## reasoning ## ]]\nthe grade is {grade}\n\n" if "reasoning" in prompt else ""
    return f"\n{reason}[[ ## verdict ## ]]\n{verdict}\n\n[[ ## completed ## ]]"


class Journal(dict):
    """Answers kept in memory."""

    def find(self, key):
        return self.get(key)

    def keep(self, key, response):
        return self.setdefault(key, response)


@contextmanager
def judge_lm(knn, journal=None, budget=None, **changes):
    knn.instead = judges
    with open_lm(lm_settings(knn, adapter="chat", max_tokens=200, num_retries=0, **changes), journal, budget) as lm:
        yield lm


def test_the_verdict_is_the_score_and_the_reason_is_the_feedback(knn):
    with judge_lm(knn) as lm:
        metric = judge_metric().bound(lm)
        assert metric.judge(EXAMPLE, RIGHT) == Judged(PPM, "the grade is 1.0", "scored")
        assert metric.judge(EXAMPLE, WRONG) == Judged(0, "the grade is 0.5", "scored")


@pytest.mark.parametrize(("prediction", "ppm"), [(RIGHT, PPM), (WRONG, 500_000)])
def test_five_grades_are_spread_over_the_scale(knn, prediction, ppm):
    with judge_lm(knn) as lm:
        assert judge_metric(scale="one_to_five").bound(lm).ppm(EXAMPLE, prediction) == ppm


def test_the_judge_sees_inputs_labels_and_answer_of_the_named_fields_and_the_instructions(knn):
    with judge_lm(knn) as lm:
        judged = judge_metric(fields=["mood"], reasons=False).bound(lm).judge(EXAMPLE, WRONG)
    assert judged == Judged(PPM, None, "scored")
    (prompt,) = knn.prompts
    for text in ("The team must be the same.", '{"ticket": "my card was charged"}', '{"mood": "angry"}'):
        assert text in prompt
    assert "reasoning" not in prompt
    assert "billing" not in prompt and "login" not in prompt


def test_a_judge_that_needs_no_label_sees_the_programs_outputs_and_never_a_label(knn):
    settings = LmJudge(instructions="It must be kind.", labels=False)
    answered = dspy.Prediction(reasoning="they are cross", team="login", mood="calm")
    with judge_lm(knn) as lm:
        knn.instead = lambda prompt: "\n[[ ## reasoning ## ]]\nkind\n\n[[ ## verdict ## ]]\nyes\n"
        metric = metric_named(settings, "here", ("team", "mood")).bound(lm)
        assert metric.judge(EXAMPLE, answered) == Judged(PPM, "kind", "scored")
        assert metric.judge(EXAMPLE.inputs(), answered) == Judged(PPM, "kind", "scored")
    assert knn.prompts[0] == knn.prompts[1]
    for text in ("It must be kind.", '{"ticket": "my card was charged"}', '{"mood": "calm", "team": "login"}'):
        assert text in knn.prompts[0]
    for text in ("billing", "angry", "expected", "cross"):
        assert text not in knn.prompts[0]


def test_a_judge_without_labels_may_be_shown_some_outputs_only(knn):
    settings = LmJudge(instructions="It must be kind.", labels=False, fields=("mood",))
    with judge_lm(knn) as lm:
        metric_named(settings, "here", ("team", "mood")).bound(lm).judge(EXAMPLE, WRONG)
    assert '{"mood": "angry"}' in knn.prompts[0]
    assert "login" not in knn.prompts[0]


def test_a_judge_of_faults_gives_a_loss(knn):
    with judge_lm(knn) as lm:
        metric = judge_metric(scale="one_to_five", direction="lower").bound(lm)
        assert (metric.ppm(EXAMPLE, RIGHT), metric.ppm(EXAMPLE, WRONG)) == (0, 500_000)


def test_the_same_question_is_asked_once_and_always_at_temperature_0(knn):
    journal = Journal()
    with judge_lm(knn, journal, temperature=0.9) as lm:
        metric = judge_metric().bound(lm)
        assert [metric.ppm(EXAMPLE, RIGHT) for _ in range(3)] == [PPM] * 3
    assert knn.calls == len(journal) == 1
    with judge_lm(knn, Journal(), temperature=0.9) as lm:
        seen = []
        complete = type(lm.engine).complete
        lm.engine.complete = lambda request: (seen.append(request), complete(lm.engine, request))[1]
        judge_metric().bound(lm).ppm(EXAMPLE, RIGHT)
    assert [request.config.temperature for request in seen] == [0.0]


@pytest.mark.parametrize(
    ("scale", "verdict"),
    [("yes_no", "maybe"), ("yes_no", ""), ("yes_no", "yes and no"), ("one_to_five", "6/5"), ("one_to_five", "true")],
)
def test_a_verdict_that_is_none_of_the_scale_leaves_the_item_unjudged(knn, scale, verdict):
    with judge_lm(knn) as lm:
        knn.instead = lambda prompt: f"\n[[ ## reasoning ## ]]\nhm\n\n[[ ## verdict ## ]]\n{verdict}\n"
        assert judge_metric(scale=scale).bound(lm).judge(EXAMPLE, RIGHT) == Judged(None, None, "judge unparsable")


def test_a_judge_that_does_not_answer_leaves_the_item_unjudged(knn):
    with judge_lm(knn) as lm:
        knn.refuses = lambda prompt: True
        assert judge_metric().bound(lm).judge(EXAMPLE, RIGHT) == Judged(None, None, "LMRateLimitError")


def test_a_judge_that_is_not_bound_is_an_error_that_says_what_to_do():
    for use in (lambda metric: metric.judge(EXAMPLE, RIGHT), lambda metric: metric.digest):
        with pytest.raises(MetricError, match=r"lm_judge asks a language model.*metric\.bound"):
            use(judge_metric())


def test_a_metric_that_asks_nobody_is_bound_to_nobody(knn):
    with judge_lm(knn) as lm:
        assert metric_named("exact_match", "here").bound(lm) == metric_named("exact_match", "here")


def test_the_judges_model_and_the_instructions_are_part_of_the_metric(knn):
    with judge_lm(knn) as lm, judge_lm(knn, temperature=0.5) as other:
        digests = {
            judge_metric().bound(lm).digest,
            judge_metric().bound(other).digest,
            judge_metric(instructions="Be kind.").bound(lm).digest,
            judge_metric(scale="one_to_five").bound(lm).digest,
            judge_metric(direction="lower").bound(lm).digest,
            judge_metric(labels=False).bound(lm).digest,
        }
        assert len(digests) == 6
        assert judge_metric(lm="strict").bound(lm).digest == judge_metric().bound(lm).digest


def test_a_bootstrapped_program_carries_no_call_of_its_judge(knn):
    def answers(prompt):
        return judges(prompt) if "## verdict" in prompt else "\n[[ ## team ## ]]\nbilling\n\n[[ ## completed ## ]]"

    with judge_lm(knn) as lm:
        knn.instead = answers
        metric = judge_metric().bound(lm).for_optimisers()
        student = dspy.Predict("ticket -> team")
        trainset = [dspy.Example(ticket=f"ticket {n}", team="billing").with_inputs("ticket") for n in range(3)]
        optimiser = dspy.BootstrapFewShot(metric=metric, max_bootstrapped_demos=3, max_labeled_demos=0)
        with lm.context():
            compiled = optimiser.compile(student, trainset=trainset)
    metric.check()
    assert [demo.keys() for demo in compiled.demos] == [["augmented", "ticket", "team"]] * 3
    assert sum("## verdict" in prompt for prompt in knn.prompts) == 3
    assert "verdict" not in json.dumps(compiled.dump_state(), default=str)


def test_what_stops_a_run_stops_a_judge_too(knn):
    budget = Budget(BudgetSettings(max_calls=1))
    with judge_lm(knn, Journal(), budget) as lm:
        metric = judge_metric().bound(lm)
        metric.ppm(EXAMPLE, RIGHT)
        with pytest.raises(BudgetSpent):
            metric.ppm(EXAMPLE, WRONG)
