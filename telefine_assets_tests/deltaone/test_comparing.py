"""A day's look: recorded before anything is scored, once, on items that may decide; real ledger, real programs."""

import json
from dataclasses import replace

import dspy
import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.deltaone.bench import rules_of
from telefine_assets.deltaone.comparing import decide_again
from telefine_assets.deltaone.day import NO_CANDIDATE, record_day
from telefine_assets.deltaone.holdout import holdout_of
from telefine_assets.deltaone.records import Rules
from telefine_assets.programs.metrics import Metric, MetricError
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets_tests.programs.examples import KEY, cleaned_trace, program_settings, tickets_spec

from .house import CLEANED, MONDAY, MORE, SETTINGS, SPEC, TUESDAY, WORSE, House

N = len(holdout_of(CLEANED, SPEC, SETTINGS, KEY).items)


@pytest.fixture
def house(tmp_path, knn):
    return House(tmp_path, knn)


def test_a_better_candidate_reaches_deltaone_and_the_evidence_gives_the_same_decision(house):
    report = house.report()
    assert (report.record["reached"], report.record["code"]) == (True, "reached")
    assert report.record["public"]["delta_ppm"] > 100_000
    stored, again = decide_again(report.record["evidence"], house.evidence.get)
    assert stored == again
    assert again.items() <= report.record["public"].items()
    assert report.metrics["n"] == N
    assert report.figure.startswith(b"\x89PNG")


def test_without_a_candidate_nothing_is_looked_at_and_nobody_is_asked(house):
    record = house.record(compiled=house.compiled(demos=None))
    assert (record["reached"], record["code"], record["evidence"]) == (False, NO_CANDIDATE, {})
    assert "nothing beat the baseline" in record["sentence"]
    assert (house.looks(), house.knn.calls) == ([], 0)


def test_the_look_stands_in_the_ledger_before_the_first_item_is_scored(house):
    seen = []

    def broken(example, prediction, trace=None):
        seen.append(house.looks())
        return float("nan")

    spec = replace(SPEC, metric=Metric("broken", broken))
    with pytest.raises(MetricError):
        house.record(spec=spec)
    assert all([look[:3] for look in looks] == [(MONDAY, 1, 1)] for looks in seen)
    assert seen


def test_a_look_that_broke_off_is_the_same_look_when_it_is_run_again(house):
    compiled, both = house.compiled(), [*CLEANED, *MORE]
    questions = 2 * len(holdout_of(both, SPEC, SETTINGS, KEY).items)
    with house.bench() as bench, pytest.raises(RuntimeError, match="power cut"):

        def cut(text):
            if text.startswith("100 of"):
                raise RuntimeError("power cut")

        record_day(replace(bench, say=cut), MONDAY, compiled, both)
    asked = house.knn.calls
    record = house.record(cleaned=both, compiled=compiled)
    assert record["public"]["k"] == 1
    assert len(house.looks()) == 1
    assert 100 <= asked <= questions
    assert house.knn.calls == questions, "what was answered before the power cut was not asked again"


def test_the_same_look_again_gives_the_same_bytes_and_asks_nothing(house):
    compiled = house.compiled()
    first = house.report(compiled=compiled)
    calls = house.knn.calls
    again = house.report(cleaned=CLEANED[::-1], compiled=compiled)
    assert canonical_json(again.record) == canonical_json(first.record)
    assert (again.markdown, again.figure) == (first.markdown, first.figure)
    assert house.knn.calls == calls
    assert len(house.looks()) == 1


def test_a_look_that_failed_makes_the_next_one_stricter(house):
    first = house.record(MONDAY, [*CLEANED, *MORE], house.compiled(**WORSE))
    second = house.record(TUESDAY, [*CLEANED, *MORE])
    assert (first["code"], first["public"]["alpha_k"]) == ("not_reached", "1/40")
    assert (second["public"]["k"], second["public"]["alpha_k"]) == (2, "1/120")


def test_a_failed_look_shows_no_score(house):
    report = house.report(compiled=house.compiled(**WORSE))
    shown = json.dumps(report.record["public"]) + report.markdown + json.dumps(report.metrics)
    hidden = json.loads(house.evidence.get(report.record["evidence"]["report.json"]))["decision"]
    assert hidden["baseline_ppm"] != hidden["candidate_ppm"]
    for name in ("baseline_ppm", "candidate_ppm", "delta_ppm", "p_value", "lower_ppm"):
        assert name not in report.record["public"]
        assert name not in report.metrics
    assert str(hidden["baseline_ppm"]) not in shown


def test_after_a_look_that_reached_it_every_item_retires_and_the_count_starts_again(house):
    assert house.record()["reached"]
    record = house.record(TUESDAY, [*CLEANED, *MORE], house.compiled(seed=1))
    (_, _, _, monday), (_, epoch, k, tuesday) = house.looks()
    assert (epoch, k, record["public"]["k"]) == (2, 1, 1)
    assert len(tuesday) >= 25
    assert not set(monday) & set(tuesday)


def test_with_only_retired_items_nothing_is_certified_and_no_look_is_spent(house):
    assert house.record()["reached"]
    looks = house.looks()
    record = house.record(TUESDAY, CLEANED, house.compiled(seed=1))
    assert (record["reached"], record["code"]) == (False, "holdout_reused")
    assert f"{N} more retired" in record["sentence"]
    assert house.looks() == looks
    assert record["regressions"]["asked"] == N, "they are still asked for what got worse"


def test_running_an_old_look_again_sees_its_own_items_after_the_holdout_rotated(house):
    worse, better = house.compiled(**WORSE), house.compiled()
    monday = house.record(MONDAY, [*CLEANED, *MORE], worse)
    assert house.record(TUESDAY, [*CLEANED, *MORE], better)["reached"]
    calls = house.knn.calls
    assert house.record(MONDAY, [*CLEANED, *MORE], worse) == monday
    assert house.knn.calls == calls


def test_only_labels_that_somebody_expected_are_in_the_holdout(house):
    own = [
        cleaned_trace(
            f"own-{n}", {"ticket": f"own {n}"}, {"team": "login"}, n, program_settings().split, "output:helpful"
        )
        for n in range(200)
    ]
    held = holdout_of([*CLEANED, *own], SPEC, SETTINGS, KEY).items
    assert held == holdout_of(CLEANED, SPEC, SETTINGS, KEY).items
    assert {item.label_source for item in held} == {"expectation:HUMAN:ann"}
    assert {item.trace_id for item in held} == {each.trace_id for each in CLEANED if each.split == "holdout"}
    record = house.record(cleaned=own)
    assert (record["code"], house.looks(), house.knn.calls) == ("self_labels", [], 0)
    assert "come from the program's own outputs" in record["sentence"]


def test_an_expected_label_counts_even_when_a_copy_with_an_own_label_came_earlier():
    late = next(each for each in CLEANED if each.split == "holdout")
    early = replace(late, trace_id="tr-early", arrival_ms=0, label_source="output:helpful")
    assert [item.trace_id for item in holdout_of([early, late], SPEC, SETTINGS, KEY).items] == [late.trace_id]


def test_items_that_nothing_answers_are_left_out_in_pairs(house):
    some = holdout_of(CLEANED, SPEC, SETTINGS, KEY).items[0].inputs["ticket"]
    house.knn.refuses = lambda prompt: some in prompt and prompt.count("Ticket: ") > 3
    public = house.record(num_retries=0)["public"]
    assert (public["unresolved"], public["n"]) == (1, N - 1)
    assert public["reached"]


def test_with_many_items_unanswered_there_is_no_decision(house):
    house.knn.refuses = lambda prompt: prompt.rpartition("#")[2].startswith("1")
    record = house.record(num_retries=0)
    assert (record["reached"], record["code"]) == (False, "too_many_unresolved")


def test_faults_that_pass_change_nothing_but_how_long_it_took(house, tmp_path):
    calm = house.record(calls_in_flight=8)
    before = house.rows(calm)
    (tmp_path / "shaky").mkdir()
    house.folder = tmp_path / "shaky"
    house.knn.fail_share, house.knn.slow_seconds, house.knn.seed = 0.25, 0.5, 1
    house.knn.forget()
    shaky = house.record(timeout_seconds=0.25, num_retries=8, calls_in_flight=8)
    assert house.knn.failed > 0.15 * 2 * N
    assert [untimed(row) for row in house.rows(shaky)] == [untimed(row) for row in before]
    assert shaky["public"] == calm["public"]
    assert decide_again(shaky["evidence"], house.evidence.get)[0]["reached"]


def untimed(row):
    sides = ("baseline_measures", "candidate_measures")
    return row | {side: {name: row[side][name] for name in row[side] if name != "latency_ms"} for side in sides}


def test_inputs_of_any_shape_can_stand_in_the_evidence(house):
    odd = {"ticket": ["nested", 2**70, float("inf")]}
    split = program_settings(split={"key": "k", "validation_percent": 1, "holdout_percent": 98}).split
    record = house.record(cleaned=[*CLEANED, cleaned_trace("odd", odd, {"team": "login"}, 1, split)])
    (row,) = [row for row in house.rows(record) if row["trace_id"] == "odd"]
    assert row["inputs"] == {"ticket": ["nested", str(2**70), "inf"]}


def test_the_rules_of_the_claim_are_the_settings():
    settings = DeltaOneSettings(threshold_ppm=20_000, alpha="0.01", min_items=7, max_unresolved_ppm=5, seed=3)
    assert rules_of(settings, SPEC) == Rules(20_000, "0.01", min_items=7, max_unresolved_ppm=5, seed=3)


def test_a_program_that_was_changed_is_not_compared_under_its_old_versions(house):
    compiled = house.compiled()
    other = tickets_spec(module=f"{__name__}:other_program")
    record = house.record(spec=other, compiled=compiled)
    assert (record["code"], house.knn.calls, house.looks()) == ("stale_candidate", 0, [])


def test_a_candidate_for_another_model_is_not_compared_on_this_one(house):
    compiled = house.compiled()
    record = house.record(compiled=compiled, temperature=0.5)
    assert (record["code"], house.knn.calls, house.looks()) == ("stale_candidate", 0, [])


def other_program():
    class Sort(dspy.Module):
        def __init__(self):
            super().__init__()
            self.sort = dspy.Predict("ticket -> team")

        def forward(self, ticket):
            return self.sort(ticket=ticket)

    return Sort()
