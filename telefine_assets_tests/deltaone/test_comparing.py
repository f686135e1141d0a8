"""A day's look: recorded before anything is scored, once, on items that may decide; real ledger, real programs."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import dspy
import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.deltaone.comparing import NO_CANDIDATE, Bench, decide_again, holdout_of, report_day, rules_of
from telefine_assets.deltaone.records import Rules
from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.looks import Looks
from telefine_assets.lm.opening import open_lm
from telefine_assets.programs.metrics import Metric, MetricError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.settings import DeltaOneSettings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets_tests.knn_lm import KnnLm, lm_settings
from telefine_assets_tests.programs.examples import (
    cleaned_tickets,
    cleaned_trace,
    items,
    program_settings,
    tickets_spec,
)

SPEC = tickets_spec()
MONDAY, TUESDAY = "2026-11-16", "2026-11-17"
CLEANED = cleaned_tickets(420)
MORE = cleaned_tickets(420, start=1000)
SETTINGS = DeltaOneSettings(min_items=100, max_unresolved_ppm=20_000)


@dataclass
class House:
    """A deployment's ledger, evidence and model; every ``bench`` opens them as a new process would."""

    folder: Path
    knn: KnnLm
    settings: DeltaOneSettings = SETTINGS

    @property
    def evidence(self):
        return EvidenceStore(Files(str(self.folder / "store")))

    @contextmanager
    def bench(self, spec=SPEC, **changes):
        ledger = Ledger(f"sqlite:///{self.folder / 'ledger.db'}")
        try:
            with open_lm(lm_settings(self.knn, **changes), Answers(ledger)) as lm:
                evidence = self.evidence
                yield Bench(spec, self.settings, Looks(ledger), evidence.put, evidence.get, lm, lambda text: None)
        finally:
            ledger.close()

    def compiled(self, demos=16, seed=0):
        """The record of a compile whose candidate has so many labelled demos; None: no candidate."""
        with self.bench() as bench:
            first = first_version(SPEC, bench.lm.identity)
            record = {"baseline": bench.put(first.document), "candidate": None, "reason": "nothing beat the baseline"}
            if demos is not None:
                module = SPEC.build()
                module.sort.demos = [item.example() for item in items(demos, 5000 + 100 * seed)]
                better = make_version(SPEC, dump_state(module), {"strategy": "test"}, "", bench.lm.identity)
                record["candidate"] = bench.put(better.document)
            return record

    def report(self, day=MONDAY, cleaned=CLEANED, compiled=None, **changes):
        compiled = compiled or self.compiled()
        with self.bench(**changes) as bench:
            return report_day(bench, day, compiled, cleaned)

    def looks(self):
        """Every look in the ledger, as (day, epoch, k, the items' clusters)."""
        import sqlite3

        with sqlite3.connect(self.folder / "ledger.db") as database:
            query = "select day, epoch, k, item_list from looks left join look_numbers using (look_key, epoch)"
            rows = database.execute(f"{query} order by seq").fetchall()
        return [(day, epoch, k, json.loads(self.evidence.get(listed))) for day, epoch, k, listed in rows]


@pytest.fixture
def house(tmp_path, knn):
    return House(tmp_path, knn)


WORSE = {"demos": 1, "seed": 3}


def test_a_better_candidate_reaches_deltaone_and_the_evidence_gives_the_same_decision(house):
    report = house.report()
    assert (report.record["reached"], report.record["code"]) == (True, "reached")
    assert report.record["public"]["delta_ppm"] > 100_000
    stored, again = decide_again(report.record["evidence"], house.evidence.get)
    assert stored == again
    assert again.items() <= report.record["public"].items()
    assert report.metrics["n"] == len(holdout_of(CLEANED, SETTINGS, ()))
    assert report.figure.startswith(b"\x89PNG")


def test_without_a_candidate_nothing_is_looked_at_and_nobody_is_asked(house):
    report = house.report(compiled=house.compiled(demos=None))
    assert (report.record["reached"], report.record["code"], report.record["evidence"]) == (False, NO_CANDIDATE, {})
    assert "nothing beat the baseline" in report.record["sentence"]
    assert (house.looks(), house.knn.calls) == ([], 0)


def test_the_look_stands_in_the_ledger_before_the_first_item_is_scored(house):
    seen = []

    def broken(example, prediction, trace=None):
        seen.append(house.looks())
        return float("nan")

    spec = replace(SPEC, metric=Metric("broken", broken))
    with pytest.raises(MetricError):
        house.report(spec=spec)
    assert all([look[:3] for look in looks] == [(MONDAY, 1, 1)] for looks in seen)
    assert seen


def test_a_look_that_broke_off_is_the_same_look_when_it_is_run_again(house):
    compiled = house.compiled()
    with house.bench() as bench, pytest.raises(RuntimeError, match="power cut"):

        def cut(text):
            if text.startswith("candidate: 100"):
                raise RuntimeError("power cut")

        report_day(replace(bench, say=cut), MONDAY, compiled, CLEANED)
    asked = house.knn.calls
    report = house.report(compiled=compiled)
    assert report.record["public"]["k"] == 1
    assert len(house.looks()) == 1
    n = len(holdout_of(CLEANED, SETTINGS, ()))
    assert asked > n
    assert house.knn.calls == 2 * n, "what was answered before the power cut was not asked again"


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
    first = house.report(compiled=house.compiled(**WORSE))
    second = house.report(TUESDAY)
    assert (first.record["code"], first.record["public"]["alpha_k"]) == ("not_reached", "1/40")
    assert (second.record["public"]["k"], second.record["public"]["alpha_k"]) == (2, "1/120")


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
    assert house.report().record["reached"]
    report = house.report(TUESDAY, [*CLEANED, *MORE], house.compiled(seed=1))
    (_, _, _, monday), (_, epoch, k, tuesday) = house.looks()
    assert (epoch, k, report.record["public"]["k"]) == (2, 1, 1)
    assert len(tuesday) >= 100
    assert not set(monday) & set(tuesday)


def test_with_only_retired_items_nothing_is_certified_and_no_look_is_spent(house):
    assert house.report().record["reached"]
    calls, looks = house.knn.calls, house.looks()
    report = house.report(TUESDAY, CLEANED, house.compiled(seed=1))
    assert (report.record["reached"], report.record["code"]) == (False, "too_few_items")
    assert (house.knn.calls, house.looks()) == (calls, looks)


def test_running_an_old_look_again_sees_its_own_items_after_the_holdout_rotated(house):
    worse, better = house.compiled(**WORSE), house.compiled()
    monday = house.report(MONDAY, [*CLEANED, *MORE], worse)
    assert house.report(TUESDAY, [*CLEANED, *MORE], better).record["reached"]
    calls = house.knn.calls
    assert house.report(MONDAY, [*CLEANED, *MORE], worse).record == monday.record
    assert house.knn.calls == calls


def test_only_labels_that_somebody_expected_are_in_the_holdout(house):
    own = [
        cleaned_trace(
            f"own-{n}", {"ticket": f"own {n}"}, {"team": "login"}, n, program_settings().split, "output:helpful"
        )
        for n in range(200)
    ]
    held = holdout_of([*CLEANED, *own], SETTINGS, ())
    assert held == holdout_of(CLEANED, SETTINGS, ())
    assert {item.label_source for item in held} == {"expectation:HUMAN:ann"}
    assert {item.trace_id for item in held} == {each.trace_id for each in CLEANED if each.split == "holdout"}
    report = house.report(cleaned=own)
    assert (report.record["code"], house.knn.calls) == ("too_few_items", 0)


def test_an_expected_label_counts_even_when_a_copy_with_an_own_label_came_earlier():
    late = next(each for each in CLEANED if each.split == "holdout")
    early = replace(late, trace_id="tr-early", arrival_ms=0, label_source="output:helpful")
    assert [item.trace_id for item in holdout_of([early, late], SETTINGS, ())] == [late.trace_id]


def test_items_that_nothing_answers_are_left_out_in_pairs(house):
    some = holdout_of(CLEANED, SETTINGS, ())[0].inputs["ticket"]
    house.knn.refuses = lambda prompt: some in prompt and prompt.count("Ticket: ") > 3
    public = house.report(num_retries=0).record["public"]
    assert (public["unresolved"], public["n"]) == (1, len(holdout_of(CLEANED, SETTINGS, ())) - 1)
    assert public["reached"]


def test_with_many_items_unanswered_there_is_no_decision(house):
    house.knn.refuses = lambda prompt: prompt.rpartition("#")[2].startswith("1")
    report = house.report(num_retries=0)
    assert (report.record["reached"], report.record["code"]) == (False, "too_many_unresolved")


def test_faults_that_pass_change_nothing(house, tmp_path):
    calm = house.report()
    (tmp_path / "shaky").mkdir()
    house.folder = tmp_path / "shaky"
    house.knn.fail_share, house.knn.seed = 0.06, 1
    house.knn.forget()
    assert house.report().record == calm.record
    assert house.knn.failed > 5


def test_inputs_of_any_shape_can_stand_in_the_evidence(house):
    house.settings = SETTINGS.model_copy(update={"min_items": 1})
    odd = {"ticket": ["nested", 2**70, float("inf")]}
    split = program_settings(split={"key": "k", "validation_percent": 1, "holdout_percent": 98}).split
    rows = [cleaned_trace("odd", odd, {"team": "login"}, 1, split)]
    report = house.report(cleaned=rows)
    (row,) = house.evidence.get(report.record["evidence"]["rows.jsonl"]).splitlines()
    assert json.loads(row)["inputs"] == {"ticket": ["nested", str(2**70), "inf"]}


def test_the_rules_of_the_claim_are_the_settings():
    settings = DeltaOneSettings(threshold_ppm=20_000, alpha="0.01", min_items=7, max_unresolved_ppm=5, seed=3)
    assert rules_of(settings) == Rules(20_000, "0.01", min_items=7, max_unresolved_ppm=5, seed=3)


def test_a_program_that_was_changed_is_not_compared_under_its_old_versions(house):
    compiled = house.compiled()
    other = tickets_spec(module=f"{__name__}:other_program")
    with pytest.raises(Exception, match="compile a new one"):
        house.report(spec=other, compiled=compiled)
    assert house.knn.calls == 0


def other_program():
    class Sort(dspy.Module):
        def __init__(self):
            super().__init__()
            self.sort = dspy.Predict("ticket -> team")

        def forward(self, ticket):
            return self.sort(ticket=ticket)

    return Sort()
