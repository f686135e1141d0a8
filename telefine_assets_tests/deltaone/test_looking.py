"""What a look costs, and what may be known before it costs anything; losses, metrics without labels, guardrails."""

import json
from dataclasses import replace

import pytest

from telefine_assets.deltaone.comparing import decide_again
from telefine_assets.deltaone.day import record_day
from telefine_assets.deltaone.holdout import holdout_of
from telefine_assets.deltaone.power import rule_power
from telefine_assets.deltaone.statistics import spent_alpha
from telefine_assets.ledger.connection import LedgerError
from telefine_assets.lm.opening import Unreachable
from telefine_assets.programs.metrics import Metric
from telefine_assets.programs.versions import Version
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets_tests.programs.examples import KEY, tickets_spec
from telefine_assets_tests.programs.tickets import TEAMS, right_team

from .house import CLEANED, FEW, MONDAY, MORE, SETTINGS, SPEC, TUESDAY, WEDNESDAY, WORSE, House
from .metrics import HERE

ALL = [*CLEANED, *MORE]
N = len(holdout_of(CLEANED, SPEC, SETTINGS, KEY).items)
LOSS = {"name": "function", "path": f"{HERE}:loss", "direction": "lower"}
FITS = {"name": "function", "path": f"{HERE}:fits", "labels": False}
NO_PRAISE = {"name": "function", "path": f"{HERE}:no_praise", "labels": False}
OF_BASELINE = "the invoice says my card was charged"


@pytest.fixture
def house(tmp_path, knn):
    return House(tmp_path, knn)


def guarded(house, **guardrails):
    """The program whose guardrails these are; the house looks by them."""
    house.settings = DeltaOneSettings(guardrails=guardrails, **FEW)
    return tickets_spec(deltaone=house.settings)


class TestNumbers:
    def test_a_server_that_is_down_all_along_costs_no_look(self, house):
        house.knn.refuses = lambda prompt: True
        monday = house.record(cleaned=ALL, num_retries=0)
        assert (monday["code"], monday["public"], monday["evidence"], monday["history"]) == (
            "too_many_unresolved",
            {},
            {},
            [],
        )
        assert [(day, k) for day, _, k, _ in house.looks()] == [(MONDAY, None)]
        house.knn.refuses = lambda prompt: False
        tuesday = house.record(TUESDAY, ALL, house.compiled(**WORSE))
        assert (tuesday["code"], tuesday["public"]["k"]) == ("not_reached", 1)
        assert house.record(MONDAY, ALL)["public"]["k"] == 2

    def test_too_many_questions_without_an_answer_cost_no_look_and_are_asked_again(self, house):
        house.knn.refuses = lambda prompt: prompt.rpartition("#")[2].startswith("1")
        assert house.record(num_retries=0)["code"] == "too_many_unresolved"
        assert [k for _, _, k, _ in house.looks()] == [None]
        house.knn.refuses = lambda prompt: False
        assert house.record()["public"]["k"] == 1

    def test_a_look_that_the_metric_could_not_judge_has_a_number_and_is_not_over(self, house):
        spec = tickets_spec(metric=f"{HERE}:shy")
        record = house.record(spec=spec)
        assert (record["code"], record["public"]["k"]) == ("too_many_unresolved", 1)
        assert [look["reached"] for look in record["history"]] == [None]
        with house.bench(spec) as bench:
            assert bench.looks.history(spec.name, last_key(house, record))[-1]["reached"] is None
        assert house.record(spec=spec) == record

    def test_what_is_too_small_for_the_next_look_is_not_asked(self, house):
        house.settings = enough_for_one(house)
        assert house.record(compiled=house.compiled(**WORSE))["public"]["k"] == 1
        calls = house.knn.calls
        record = house.record(TUESDAY)
        assert (record["code"], len(house.looks()), house.knn.calls) == ("too_few_items", 1, calls)
        assert "at look 2" in record["sentence"]

    def test_a_look_that_began_is_judged_at_its_own_number_when_it_is_run_again(self, house):
        # At look 2 these items would be too few: see the test before.
        house.settings = enough_for_one(house)
        compiled = house.compiled()
        with house.bench() as bench, pytest.raises(RuntimeError, match="power cut"):
            record_day(replace(bench, say=power_cut), MONDAY, compiled, CLEANED)
        assert [k for _, _, k, _ in house.looks()] == [1]
        record = house.record(compiled=compiled)
        assert (record["reached"], record["public"]["k"]) == (True, 1)

    def test_a_day_whose_epoch_ended_while_it_asked_must_run_again_on_fresh_items(self, house):
        monday, tuesday = house.compiled(), house.compiled(seed=1)
        asked = 2 * len(holdout_of(ALL, SPEC, SETTINGS, KEY).items)

        def meanwhile(text):
            if text.startswith(f"{asked} of"):
                assert house.record(TUESDAY, ALL, tuesday)["reached"]

        with house.bench() as bench, pytest.raises(LedgerError, match="run it again"):
            record_day(replace(bench, say=meanwhile), MONDAY, monday, ALL)
        assert house.record(MONDAY, ALL, monday)["code"] == "holdout_reused"

    def test_a_window_without_held_out_items_is_too_few(self, house):
        record = house.record(cleaned=[])
        assert (record["code"], record["labels"], house.looks()) == ("too_few_items", {}, [])

    def test_one_program_against_itself_is_not_asked(self, house):
        compiled = house.compiled()
        same = compiled | {"candidate": compiled["baseline"]}
        assert house.record(compiled=same)["code"] == "same_program"
        assert (house.looks(), house.knn.calls) == ([], 0)


def enough_for_one(house):
    """Settings by which the items have the power for look 1, and not for look 2."""
    with house.bench() as bench:
        rules = bench.rules
    first, second = (
        rule_power(
            N, rules.planned_discordance_ppm, rules.target_gain_ppm, spent_alpha(rules.alpha, k), rules.threshold_ppm
        )
        for k in (1, 2)
    )
    assert first > second
    return SETTINGS.model_copy(update={"min_power_ppm": round(1_000_000 * (first + second) / 2)})


def power_cut(text):
    if text.startswith("look 1 at the holdout"):
        raise RuntimeError("power cut")


def last_key(house, record):
    return json.loads(house.evidence.get(record["evidence"]["looks.json"]))[-1]["look_key"]


class TestRecord:
    def test_it_says_what_was_asked_with_what(self, house):
        spec = guarded(house, polite={"metric": NO_PRAISE, "at_least": 0})
        record = house.record(spec=spec)
        with house.bench(spec) as bench:
            assert record["asked_with"]["lm"] == bench.lm.identity
        assert record["asked_with"] | {"lm": 0, "dataset": 0} == {
            "lm": 0,
            "judges": {},
            "dataset": 0,
            "metric": spec.metric_digest,
            "guardrails": {"polite": spec.guardrails["polite"].digest},
            "code": spec.code_digest,
        }
        stored = json.loads(house.evidence.get(record["evidence"]["report.json"]))
        assert stored["asked_with"] == record["asked_with"]
        assert record["labels"] == {"expectation:HUMAN": N}
        assert Version(house.evidence.get(record["baseline"])).digest == record["baseline"]

    def test_a_judge_is_named_with_its_parameters(self, house):
        metric = {"name": "lm_judge", "instructions": "Right if the team is right."}
        spec = tickets_spec(metric=metric)
        house.knn.instead = lambda prompt: "yes" if "Verdict" in prompt.splitlines()[-1] else None
        with house.bench(spec) as bench:
            judged = replace(spec, metric=spec.metric.bound(bench.lm))
            record = record_day(replace(bench, spec=judged), MONDAY, house.compiled(), CLEANED)
            assert record["asked_with"]["judges"] == {"metric": bench.lm.identity}

    def test_other_data_metric_or_rule_is_another_look(self, house):
        first = house.record(cleaned=ALL, compiled=house.compiled(**WORSE))
        house.settings = SETTINGS.model_copy(update={"threshold_ppm": 20_000})
        second = house.record(cleaned=ALL, compiled=house.compiled(**WORSE))
        assert [first["public"]["k"], second["public"]["k"]] == [1, 2]
        assert first["asked_with"] == second["asked_with"]

    def test_the_history_is_pass_or_fail_as_it_stood_at_the_end(self, house):
        worse = house.compiled(**WORSE)
        first = house.record(MONDAY, ALL, worse)
        second = house.record(TUESDAY, ALL)
        assert [(each["k"], each["day"], each["reached"]) for each in first["history"]] == [(1, MONDAY, False)]
        assert [(each["k"], each["day"], each["reached"]) for each in second["history"]] == [
            (1, MONDAY, False),
            (2, TUESDAY, True),
        ]
        assert [each["candidate"] for each in second["history"]] == [worse["candidate"], second["candidate"]]
        assert house.record(MONDAY, ALL, worse) == first

    def test_without_a_candidate_it_has_every_key_too(self, house):
        none = house.record(compiled=house.compiled(demos=None))
        house.knn.refuses = lambda prompt: True
        down = house.record(num_retries=0)
        house.knn.refuses = lambda prompt: False
        assert set(none) == set(down) == set(house.record())

    def test_every_report_has_a_page(self, house):
        reports = [house.report(compiled=house.compiled(demos=None)), house.report(), house.report(TUESDAY)]
        assert all(b"<!doctype html>" in report.html.lower() for report in reports)
        assert all(report.markdown for report in reports)


class TestDirection:
    def answers(self, house, right, wrong):
        """One side is always right, the other never."""

        def answer(prompt):
            team = right_team(prompt.rpartition("Ticket: ")[2])
            is_right = (OF_BASELINE in prompt) == (right == "baseline")
            return team if is_right else TEAMS[(TEAMS.index(team) + 1) % len(TEAMS)]

        assert {right, wrong} == {"baseline", "candidate"}
        house.knn.instead = answer

    def test_a_loss_that_falls_from_30_to_20_percent_reaches_it(self, house):
        self.answers(house, right="candidate", wrong="baseline")
        record = house.record(spec=tickets_spec(metric=LOSS))
        public = record["public"]
        assert (public["reached"], public["direction"], public["delta_ppm"]) == (True, "lower", 100_000)
        assert (public["baseline_ppm"], public["candidate_ppm"]) == (300_000, 200_000)
        stored, again = decide_again(record["evidence"], house.evidence.get)
        assert stored == again

    def test_a_loss_that_rises_from_20_to_30_percent_never_does(self, house):
        self.answers(house, right="baseline", wrong="candidate")
        record = house.record(spec=tickets_spec(metric=LOSS))
        assert (record["code"], record["public"]["k"]) == ("not_reached", 1)
        assert {(row["baseline_ppm"], row["candidate_ppm"]) for row in house.rows(record)} == {(200_000, 300_000)}


UNLABELLED = [replace(each, label="{}", label_source="output:helpful") for each in CLEANED]


class TestLabels:
    def test_a_metric_that_needs_no_label_can_certify_on_traces_without_any(self, house):
        spec = tickets_spec(metric=FITS)
        record = house.record(cleaned=UNLABELLED, spec=spec)
        assert record["reached"]
        assert record["labels"] == {f"metric:{HERE}:fits": N}
        assert {(str(row["label"]), row["label_source"]) for row in house.rows(record)} == {
            ("{}", f"metric:{HERE}:fits")
        }

    def test_it_is_handed_no_label_where_traces_have_one(self, house):
        assert house.record(spec=tickets_spec(metric=FITS))["labels"] == {f"metric:{HERE}:fits": N}

    def test_a_guardrail_that_reads_labels_needs_items_that_have_one(self, house):
        bounds = {"agreed": {"metric": f"{HERE}:agrees", "at_least": 0}}
        spec = tickets_spec(metric=FITS, deltaone={"guardrails": bounds})
        holdout = holdout_of([*UNLABELLED, *MORE], spec, SETTINGS, KEY)
        assert holdout.items == holdout_of(MORE, spec, SETTINGS, KEY).items
        assert holdout.own == N

    def test_own_labels_are_left_out_where_there_are_others(self, house):
        assert house.record(cleaned=[*UNLABELLED, *MORE])["labels"] == {
            "expectation:HUMAN": len(holdout_of(MORE, SPEC, SETTINGS, KEY).items)
        }


class TestGroups:
    def test_the_sessions_of_one_contributor_are_one_group(self, house):
        house.settings = SETTINGS.model_copy(update={"cluster_by": "contributor"})
        record = house.record()
        assert (record["code"], house.knn.calls) == ("too_few_groups", 0)
        assert "1 independent group" in record["sentence"]

    def test_contributors_are_groups_and_who_is_unknown_joins_nobody(self):
        wallets = [f"0x{n:040x}" for n in range(5)]
        cleaned = [replace(each, contributor=wallets[n % 5]) for n, each in enumerate(CLEANED)]
        by_contributor = SETTINGS.model_copy(update={"cluster_by": "contributor"})
        items = holdout_of(cleaned, SPEC, by_contributor, KEY).items
        assert len({item.group for item in items}) == 5
        assert {(item.group, item.contributor) for item in items} == {
            (min(each.group for each in items if each.contributor == wallet), wallet) for wallet in wallets
        }
        assert len({item.group for item in holdout_of(cleaned, SPEC, SETTINGS, KEY).items}) == N
        unknown = [replace(each, contributor=None) for each in CLEANED]
        assert holdout_of(unknown, SPEC, by_contributor, KEY).items == holdout_of(unknown, SPEC, SETTINGS, KEY).items


class TestGuardrails:
    def test_what_reads_no_label_is_judged_before_the_look_has_a_number_and_told(self, house):
        spec = guarded(house, quick={"measure": "tokens", "at_most": 3})
        record = house.record(spec=spec)
        assert (record["code"], record["public"]) == ("guardrail_failed", {})
        assert "quick" in record["sentence"]
        assert [k for _, _, k, _ in house.looks()] == [None]
        again = guarded(house, quick={"measure": "tokens", "at_most": 3000})
        assert house.record(spec=again)["public"]["k"] == 1

    def test_a_metric_that_reads_no_label_is_one_of_them(self, house):
        spec = guarded(house, polite={"metric": NO_PRAISE, "at_least": 990_000})
        record = house.record(spec=spec)
        assert record["code"] == "guardrail_failed"
        assert [k for _, _, k, _ in house.looks()] == [None]

    def test_what_reads_labels_takes_a_look_and_tells_nothing(self, house):
        spec = guarded(house, agreed={"metric": LOSS, "at_most": 100_000})
        record = house.record(spec=spec)
        assert (record["code"], record["public"]["k"]) == ("not_reached", 1)
        assert record["public"]["guardrails"] == []
        stored, again = decide_again(record["evidence"], house.evidence.get)
        assert stored == again
        assert stored["code"].endswith("guardrail_failed")

    @pytest.mark.parametrize(
        ("scores_by", "reads", "number"), [("labels", True, 1), ("labels", False, None), ("words", False, 1)]
    )
    def test_a_metric_that_could_be_the_score_is_not_judged_ahead_of_the_look(self, house, scores_by, reads, number):
        numbers = set()

        def spy(example, prediction, trace=None):
            numbers.add(house.looks()[-1][2])
            return True

        rails = {"spied": {"metric": f"{HERE}:agrees", "at_least": 1}}
        house.settings = DeltaOneSettings(guardrails=rails, **FEW)
        spec = tickets_spec(metric=FITS if scores_by == "words" else "exact_match")
        record = house.record(spec=replace(spec, guardrails={"spied": Metric("spy", spy, labels=reads)}))
        assert numbers == {number}
        assert record["reached"]

    @pytest.mark.parametrize(("labels", "number"), [(True, 1), (False, None)])
    def test_a_judge_who_does_not_answer_breaks_no_guardrail(self, house, labels, number):
        metric = {"name": "lm_judge", "instructions": "Right if it is kind.", "labels": labels, "reasons": False}
        unbound, compiled = guarded(house, kind={"metric": metric, "at_least": 1}), house.compiled()
        house.knn.instead = lambda prompt: "yes" if "Verdict" in prompt.splitlines()[-1] else None

        def look(**changes):
            with house.bench(unbound, **changes) as bench:
                rails = {name: rail.bound(bench.lm) for name, rail in unbound.guardrails.items()}
                spec = replace(unbound, guardrails=rails)
                return record_day(replace(bench, spec=spec), MONDAY, compiled, CLEANED)

        house.knn.refuses = lambda prompt: "Verdict" in prompt.splitlines()[-1]
        with pytest.raises(Unreachable, match="guardrail kind"):
            look(num_retries=0)
        assert [k for _, _, k, _ in house.looks()] == [number]
        house.knn.refuses = lambda prompt: False
        assert (look()["code"], look()["public"]["k"]) == ("reached", 1)

    def test_all_that_hold_let_it_reach_and_stand_in_the_report(self, house):
        spec = guarded(
            house,
            valid={"at_least": 990_000},
            agreed={"metric": f"{HERE}:agrees", "max_worse": 0},
            polite={"metric": NO_PRAISE, "at_least": 1},
        )
        record = house.record(spec=spec)
        assert record["reached"]
        assert [each["name"] for each in record["public"]["guardrails"]] == ["valid", "agreed", "polite"]
        assert {"agreed", "polite", "valid"} <= set(house.rows(record)[0]["candidate_measures"])

    def test_rules_are_made_of_settings_and_metrics(self, house):
        spec = guarded(
            house,
            valid={"at_least": 1},
            latency_ms={"statistic": "p95", "at_most": 3000},
            dear={"measure": "cost_micros", "max_worse": 50},
            drift={"metric": LOSS, "at_most": 5},
            polite={"metric": NO_PRAISE, "at_least": 7},
        )
        with house.bench(spec) as bench:
            rails = {rail.name: rail for rail in bench.rules.guardrails}
        shown = {
            name: (rail.measure, rail.direction, rail.reads_label, bool(rail.digest)) for name, rail in rails.items()
        }
        assert shown == {
            "valid": ("valid", "higher", False, False),
            "latency_ms": ("latency_ms", "lower", False, False),
            "dear": ("cost_micros", "lower", False, False),
            "drift": ("drift", "lower", True, True),
            "polite": ("polite", "higher", False, True),
        }
        assert (rails["latency_ms"].statistic, rails["latency_ms"].at_most, rails["dear"].max_worse) == (
            "p95",
            3000,
            50,
        )
        assert rails["polite"].digest == spec.guardrails["polite"].digest


def test_days_go_on_after_a_rotation(house):
    assert house.record()["reached"]
    served = house.compiled()["candidate"]
    record = house.record(WEDNESDAY, ALL, house.compiled(**WORSE) | {"baseline": served})
    assert (record["public"]["k"], record["history"][0]["day"]) == (1, WEDNESDAY)
