"""Scoring: a wrong answer is 0, no answer is none, and a broken metric is an error."""

import time

import dspy
import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.programs.metrics import CannotJudge, Metric, MetricError, exact_match
from telefine_assets.programs.scoring import Asked, ask_all, judge_all, score_program
from telefine_assets_tests.knn_lm import knn_lm
from telefine_assets_tests.lm.opened import journaled
from telefine_assets_tests.programs.examples import items, opened, tickets_spec
from telefine_assets_tests.programs.samples import Rewrite

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
    assert (answer.output, answer.score_ppm, answer.error) == ({"team": "billing"}, None, "unjudged: no reference")


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


# Asking first, then judging


def test_all_programs_are_asked_an_item_before_any_is_asked_the_next(knn):
    some = items(20)
    with opened(knn, calls_in_flight=1) as lm:
        asked = ask_all({"baseline": SPEC.build(), "candidate": compiled()}, some, lm)
    assert [asks(item)(prompt) for item, prompt in zip(some, knn.prompts[::2], strict=True)] == [True] * 20
    assert [asks(item)(prompt) for item, prompt in zip(some, knn.prompts[1::2], strict=True)] == [True] * 20
    assert list(asked) == ["baseline", "candidate"]
    with opened(knn) as lm:
        for name, module in (("baseline", SPEC.build()), ("candidate", compiled())):
            found = judge_all(asked[name], some, SPEC.metric, ("team",))
            assert found == score_program(module, some, SPEC.metric, lm)


def test_asking_counts_every_question_of_every_program(knn):
    seen = []
    with opened(knn) as lm:
        asked = ask_all({"a": SPEC.build(), "b": SPEC.build()}, items(3), lm, lambda *done: seen.append(done))
    assert seen == [(done, 6) for done in range(1, 7)]
    assert [each.error for each in asked["a"] + asked["b"]] == [None] * 6


def test_only_answers_are_judged(knn):
    judged = []

    def spy(example, prediction, trace=None):
        judged.append(prediction.team)
        return True

    right = dspy.Prediction(team="billing", reasoning="because")
    asked = [Asked(right, None, {}), Asked(None, "unparsable", {}), Asked(None, "LMTimeoutError", {})]
    answers = judge_all(asked, items(3), Metric("spy", spy), ("team",), threads=2)
    assert judged == ["billing"]
    assert [(each.output, each.score_ppm, each.error) for each in answers] == [
        ({"team": "billing"}, 1_000_000, None),
        (None, 0, "unparsable"),
        (None, None, "LMTimeoutError"),
    ]


def test_of_a_loss_an_unreadable_answer_is_the_worst(knn):
    loss = Metric("loss", lambda example, prediction, trace=None: 0.25, direction="lower")
    asked = [Asked(dspy.Prediction(team="billing"), None, {}), Asked(None, "unparsable", {})]
    answers = judge_all(asked, items(2), loss, ("team",))
    assert [loss.own_scale(each.score_ppm) for each in answers] == [250_000, 1_000_000]


def test_items_without_a_label_can_be_asked_and_judged(knn):
    free = [type(item)(**{**vars(item), "label": {}, "label_source": "metric:short"}) for item in items(2)]
    short = Metric("short", lambda example, prediction, trace=None: len(prediction.team) < 8, labels=False)
    with opened(knn) as lm:
        asked = ask_all({"one": SPEC.build()}, free, lm)["one"]
    answers = judge_all(asked, free, short, ("team",))
    assert [(each.output, each.score_ppm) for each in answers] == [({"team": "billing"}, 1_000_000)] * 2


def test_a_broken_metric_is_not_called_on_and_on():
    called = []

    def broken(example, prediction, trace=None):
        called.append(1)
        time.sleep(0.001)
        return "no score"

    asked = [Asked(dspy.Prediction(team="billing"), None, {})] * 500
    with pytest.raises(MetricError):
        judge_all(asked, items(500), Metric("broken", broken), ("team",))
    assert len(called) < 250


def test_what_a_judge_asks_is_counted_where_the_judging_is(knn):
    def asks_too(example, prediction, trace=None):
        return dspy.Predict("ticket -> team")(ticket=example.ticket).team == "unknown"

    with opened(knn) as lm:
        asked = ask_all({"one": SPEC.build()}, items(3), lm)["one"]
        with lm.counting("judging"):
            judge_all(asked, items(3), Metric("asks", asks_too, asks=True).bound(lm), ("team",), threads=3)
        assert lm.spent_by()["judging"].calls == 3


# What is measured of an answer


def rewrites(prompt):
    """A model for ``Rewrite``: the summary of a ticket is as long as its number, and the team of a summary billing."""
    question = prompt.rpartition("\n\n")[2]
    number = question.partition("#")[2].split()[0]
    return f"#{number} " + "so " * int(number) if question.endswith("Summary:") else "billing"


def test_measures_are_those_of_the_item_summed_over_its_questions_whatever_else_is_in_flight(tmp_path, knn):
    some = items(16)
    knn.instead, knn.latency_seconds = rewrites, 0.005
    price = {"input_per_million": "1", "output_per_million": "2"}
    with journaled(f"sqlite:///{tmp_path}/a.db", knn, calls_in_flight=4, price=price) as lm:
        asked = ask_all({"one": Rewrite(), "two": SPEC.build()}, some, lm)
    told = {}
    for prompt in knn.prompts:
        number, sent, got = prompt.rpartition("#")[2].split()[0], len(prompt.split()), len(rewrites(prompt).split())
        # The second question of ``Rewrite`` and ``SPEC``'s begin alike: what tells them apart is the field.
        key = (int(number), "two" if "Say which team" in prompt else "one")
        tokens, cost = told.get(key, (0, 0))
        told[key] = tokens + sent + got, cost + sent + 2 * got
    assert len(knn.prompts) == 16 * 3
    for name in ("one", "two"):
        for number, each in enumerate(asked[name]):
            assert (each.measures["tokens"], each.measures["cost_micros"]) == told[number, name]
            assert each.measures["valid"] == 1_000_000
            assert each.measures["latency_ms"] >= (10 if name == "one" else 5)
    knn.latency_seconds = 0.0
    with journaled(f"sqlite:///{tmp_path}/a.db", knn, calls_in_flight=2, price=price) as lm:
        again = ask_all({"two": SPEC.build(), "one": Rewrite()}, some[::-1], lm)
        assert lm.spent.calls == 0
    for name in ("one", "two"):
        assert [each.measures for each in again[name]] == [each.measures for each in asked[name][::-1]]


def test_an_unreadable_answer_is_measured_and_one_that_did_not_come_is_not(tmp_path, knn):
    some = items(3)
    knn.instead = lambda prompt: "sales" if asks(some[1])(prompt) else None
    knn.refuses = asks(some[2])
    with journaled(f"sqlite:///{tmp_path}/a.db", knn, num_retries=0) as lm:
        readable, unreadable, unanswered = (each.measures for each in ask_all({"": SPEC.build()}, some, lm)[""])
    assert readable.keys() == unreadable.keys() == {"valid", "latency_ms", "tokens"}  # its price is not known
    assert (readable["valid"], unreadable["valid"]) == (1_000_000, 0)
    assert unanswered == {}


def test_of_a_question_that_was_refused_only_its_failure_is_known(tmp_path, knn):
    knn.too_long = lambda prompt: True
    with journaled(f"sqlite:///{tmp_path}/a.db", knn) as lm:
        (asked,) = ask_all({"": SPEC.build()}, items(1), lm)[""]
    assert (asked.error, asked.measures) == ("unparsable", {"valid": 0})
