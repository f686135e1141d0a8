"""Both programs answer the same items under the same conditions, and what is measured of the answers."""

from itertools import accumulate

import dspy
import pytest

from telefine_assets.deltaone.evaluation import BASELINE, CANDIDATE, evaluate
from telefine_assets_tests.programs.examples import items, opened, tickets_spec

from .metrics import HERE

ITEMS = items(40)
OF_BASELINE = "the invoice says my card was charged"
"""A demo that only the first version has."""


def modules(spec):
    better = spec.build()
    better.sort.demos = [item.example() for item in items(16, 5000)]
    return {BASELINE: spec.build(), CANDIDATE: better}


def run(knn, spec=None, **changes):
    spec = spec or tickets_spec()
    with opened(knn, **changes) as lm:
        return evaluate(spec, modules(spec), ITEMS, lm)


def rail(metric, **bounds):
    return {"guardrails": {"rail": {"metric": metric, "at_least": 1, **bounds}}}


def test_one_question_at_a_time_baseline_and_candidate_take_turns(knn):
    run(knn, calls_in_flight=1)
    assert [OF_BASELINE in prompt for prompt in knn.prompts] == [True, False] * len(ITEMS)
    tickets = [prompt.rpartition("Ticket: ")[2] for prompt in knn.prompts]
    assert tickets[::2] == tickets[1::2]


def test_many_at_a_time_neither_runs_ahead(knn):
    knn.latency_seconds = 0.002
    run(knn, calls_in_flight=4)
    lead = list(accumulate(1 if OF_BASELINE in prompt else -1 for prompt in knn.prompts))
    assert lead[-1] == 0
    assert max(map(abs, lead)) <= 5


def test_an_item_that_one_side_did_not_answer_has_no_pair(knn):
    lost = ITEMS[3].inputs["ticket"]
    knn.refuses = lambda prompt: lost in prompt and OF_BASELINE not in prompt
    rows = run(knn, num_retries=0).scored()
    (row,) = [row for row in rows if not row.resolved]
    assert (row.item, row.candidate_ppm, row.candidate_output, row.candidate_measures) == (
        ITEMS[3].cluster,
        None,
        None,
        {},
    )
    assert row.candidate_error == "LMRateLimitError"
    assert row.baseline_ppm is not None
    assert not row.answered


def test_what_is_known_before_scoring_is_who_answered(knn):
    lost = ITEMS[3].inputs["ticket"]
    knn.refuses = lambda prompt: lost in prompt
    evaluation = run(knn, num_retries=0)
    rows = evaluation.unscored()
    assert [row.answered for row in rows] == [row.answered for row in evaluation.scored()]
    assert {(row.baseline_ppm, row.candidate_ppm, str(row.candidate_output)) for row in rows} == {(None, None, "None")}


def test_every_answer_is_measured(knn):
    knn.latency_seconds = 0.02
    for row in run(knn, price={"input_per_million": "2", "output_per_million": "5"}).scored():
        for measures in (row.baseline_measures, row.candidate_measures):
            assert set(measures) == {"valid", "latency_ms", "tokens", "cost_micros"}
            assert (measures["valid"], measures["latency_ms"] >= 20, measures["tokens"] > 5) == (1_000_000, True, True)


def test_an_unreadable_answer_is_the_worst_of_a_loss_and_of_a_gain(knn):
    knn.instead = lambda prompt: "no team at all" if OF_BASELINE not in prompt else "billing"
    for spec, right, wrong, worst in (
        (tickets_spec(), 1_000_000, 0, 0),
        (
            tickets_spec(metric={"name": "function", "path": f"{HERE}:loss", "direction": "lower"}),
            200_000,
            300_000,
            1_000_000,
        ),
    ):
        rows = run(knn, spec).scored()
        assert {(row.candidate_ppm, row.candidate_error) for row in rows} == {(worst, "unparsable")}
        assert {row.candidate_measures["valid"] for row in rows} == {0}
        assert all(row.baseline_ppm == (right if row.label["team"] == "billing" else wrong) for row in rows)


def test_a_guardrail_metric_is_a_measure_on_its_own_scale(knn):
    metric = {"name": "function", "path": f"{HERE}:loss", "direction": "lower"}
    evaluation = run(knn, tickets_spec(deltaone=rail(metric)))
    assert "rail" not in evaluation.scored()[0].candidate_measures
    for row in evaluation.measured({"rail"}).scored():
        assert row.candidate_measures["rail"] == (200_000 if row.candidate_ppm else 300_000)
        assert row.baseline_measures["rail"] == (200_000 if row.baseline_ppm else 300_000)
        assert row.candidate_measures["valid"] == 1_000_000


def test_what_a_guardrail_metric_cannot_judge_is_missing_and_not_zero(knn):
    rows = run(knn, tickets_spec(deltaone=rail(f"{HERE}:shy"))).measured({"rail"}).scored()
    for row in rows:
        assert ("rail" in row.candidate_measures) == (row.label["team"] != "praise")
        assert row.resolved


def test_an_answer_that_the_metric_cannot_judge_has_no_score_and_says_so(knn):
    rows = run(knn, tickets_spec(metric=f"{HERE}:shy")).scored()
    unjudged = [row for row in rows if not row.resolved]
    assert {row.label["team"] for row in unjudged} == {"praise"}
    assert {row.candidate_error for row in unjudged} == {"unjudged: praise is beyond it"}
    assert all(row.answered for row in rows)


@pytest.mark.parametrize(
    ("said", "ppm"),
    [
        *((0, 0), (1, 1_000_000), (0.25, 250_000), ("0.9", 900_000)),
        *((each, None) for each in (1.01, -0.1, "90 %", True, None, "nan", "1e999999999", 10**400, [0.5])),
    ],
)
def test_a_probability_is_a_number_from_0_to_1(knn, said, ppm):
    class Sure(dspy.Module):
        def forward(self, ticket):
            return dspy.Prediction(team="login", sure=said)

    with opened(knn) as lm:
        evaluation = evaluate(tickets_spec(), {BASELINE: Sure(), CANDIDATE: Sure()}, ITEMS[:1], lm, "sure")
    assert evaluation.scored()[0].candidate_measures.get("confidence") == ppm
