"""Outliers: what is far from a day's other traces, and answers that too many of them got."""

import json
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.settings.traces import OutlierSettings
from telefine_assets.traces.fields import Fields
from telefine_assets_tests.traces.examples import cleaned, expectation, feedback, settings_with, trace, why

RIGHT = expectation("billing")
ACCEPTED = feedback(1)
TEXTS = Fields(("ticket",), ("team",), {"team": str})


def with_(**changes):
    return settings_with(outliers=OutlierSettings.model_validate({"min_traces": 5, **changes}))


def day(values, feature="duration_ms", **changes):
    """Flags or rules by trace number, and what the report says, of a day on which one feature takes these values."""
    rows = [trace(number, RIGHT, **{feature: value}) for number, value in enumerate(values)]
    kept, report = cleaned(*rows, settings=with_(**changes))
    flags = {int(each.trace_id[3:]): json.loads(each.flags) for each in kept if each.flags != "[]"}
    drops = {int(trace_id[3:]): rule for trace_id, rule in report.drops.items()}
    return flags, drops, report


def test_a_trace_far_from_the_days_median_is_flagged_and_kept():
    flags, drops, report = day([100, 101, 102, 103, 104, 5_000])
    assert (flags, drops, report.flagged) == ({5: ["outlier:latency"]}, {}, {"outlier:latency": 1})


def test_or_dropped_where_the_settings_say_so():
    flags, drops, report = day([100, 101, 102, 103, 104, 5_000], action="drop")
    assert (flags, drops, report.dropped, report.flagged) == ({}, {5: "outlier"}, {"outlier": 1}, {})


def test_one_may_be_far_below_as_well_as_above():
    assert day([0, 1_000, 1_001, 1_002, 1_003, 1_004])[0] == {0: ["outlier:latency"]}


def test_the_thresholds_that_traces_were_judged_by_stand_in_the_report():
    outliers = day([10, 20, 30, 40, 50, 60, 9_000], threshold=6.745)[2].to_record()["outliers"]
    assert outliers["threshold"] == "6.745"
    assert outliers["features"]["latency"] == {
        "judged": 7, "far": 1, "median": "40", "mad": "20", "from": "-160", "to": "240"
    }  # fmt: skip
    assert outliers["features"]["tokens"] == {"judged": 0}


@pytest.mark.parametrize(("value", "is_far"), [(239, False), (240, True)])
def test_far_begins_at_the_threshold(value, is_far):
    assert bool(day([10, 20, 30, 40, 50, 60, value], threshold=6.745)[0]) is is_far


def test_where_more_than_half_are_the_same_the_mean_deviation_decides():
    flags, _, report = day([7] * 60 + [8, 500])
    assert flags == {61: ["outlier:latency"]}
    values = [7] * 60 + [8, 500]
    mean_deviation = statistics.mean(abs(value - 7) for value in values)
    assert report.outliers["features"]["latency"]["mean_deviation"] == format(mean_deviation, ".12g")


def test_where_all_are_the_same_nothing_is_far():
    assert day([7] * 60, "tokens")[0] == {}


def test_few_traces_judge_nobody():
    assert day([100, 101, 102, 103, 10**9], min_traces=6)[0] == {}
    assert day([100, 101, 102, 103, 10**9], min_traces=5)[0] == {4: ["outlier:latency"]}


def test_a_trace_without_a_value_is_not_judged_by_it():
    flags, _, report = day([1, 2, 3, 4, None, 10**6, 5], "tokens")
    assert flags == {5: ["outlier:tokens"]}
    assert report.outliers["features"]["tokens"]["judged"] == 6


def test_a_trace_may_be_far_in_more_ways_than_one():
    rows = [trace(number, RIGHT, duration_ms=number, tokens=number) for number in range(19)]
    rows.append(trace(19, RIGHT, duration_ms=900, tokens=900, inputs={"ticket": "x" * 900}, outputs="y" * 900))
    kept, report = cleaned(*rows, settings=with_())
    assert json.loads(kept[-1].flags) == [
        f"outlier:{feature}" for feature in ("latency", "tokens", "input_length", "output_length")
    ]
    assert sum(report.flagged.values()) == 4


def test_only_the_named_features_are_looked_at():
    assert day([1, 2, 3, 4, 5, 10**6], features=["tokens"])[0] == {}


def test_traces_that_were_dropped_before_are_no_part_of_the_day():
    failed = [trace(number, RIGHT, status="ERROR", duration_ms=10**6) for number in range(100, 110)]
    rows = [trace(number, RIGHT, duration_ms=number) for number in range(6)]
    kept, _ = cleaned(*rows, trace(7, RIGHT, duration_ms=10**6), *failed, settings=with_(features=["latency"]))
    assert [each.flags for each in kept] == ["[]"] * 6 + ['["outlier:latency"]']


def test_nothing_is_judged_where_the_method_is_off():
    flags, _, report = day([1, 2, 3, 4, 5, 10**9], method="off")
    assert (flags, report.outliers) == ({}, {"method": "off", "action": "flag", "min_traces": 5})


def test_the_isolation_forest_finds_a_trace_that_is_odd_in_no_single_feature():
    rows = [trace(number, RIGHT, duration_ms=number % 50 * 10, tokens=number % 50) for number in range(200)]
    odd = trace(999, RIGHT, duration_ms=490, tokens=0)
    how = {"method": "isolation_forest", "contamination": 0.005, "features": ["latency", "tokens"]}
    for action in ("flag", "drop"):
        kept, report = cleaned(*rows, odd, settings=with_(action=action, **how))
        flagged = [each.trace_id for each in kept if each.flags == '["outlier:isolation_forest"]']
        assert ("tr-999" in flagged) is (action == "flag")
        assert (report.drops.get("tr-999") == "outlier") is (action == "drop")
        assert report.outliers["judged"] == 201


def test_the_isolation_forest_judges_nobody_by_what_is_missing():
    how = with_(method="isolation_forest", features=["latency", "tokens"], contamination=0.1)
    rows = [trace(number, RIGHT, duration_ms=number % 7, tokens=None if number else 5) for number in range(40)]
    assert cleaned(*rows, settings=how)[1].outliers["features"] == ["latency"]
    assert cleaned(*rows[:4], settings=how)[1].outliers["judged"] == 0


@given(st.lists(st.integers(0, 50), min_size=5, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None)
def test_the_isolation_forest_does_not_depend_on_the_order_of_rows(values, random):
    rows = [trace(number, RIGHT, duration_ms=value) for number, value in enumerate(values)]
    how = with_(method="isolation_forest", contamination=0.2)
    one = cleaned(*rows, settings=how)[0]
    random.shuffle(rows)
    assert cleaned(*rows, settings=how)[0] == one


# Raters that disagree


@pytest.mark.parametrize(("other", "reason"), [(0.5, None), (0.51, "raters_disagree")])
@pytest.mark.parametrize("method", ["off", "mad"])
def test_a_trace_whose_raters_disagree_too_much_is_dropped(other, reason, method):
    said = [RIGHT, feedback(0), feedback(other, "bob")]
    assert why(trace(1, *said), with_(method=method, max_disagreement=0.5)) == reason
    assert why(trace(1, *said), with_(method=method)) is None


# The same answer again and again


def answers(*texts, said=ACCEPTED, fields=TEXTS, **changes):
    rows = [trace(number, said, outputs={"team": text}) for number, text in enumerate(texts)]
    kept, report = cleaned(*rows, settings=with_(method="off", max_output_share=0.5, **changes), fields=fields)
    return [each.trace_id for each in kept if each.flags == '["constant_output"]'], report


def test_an_answer_that_too_many_traces_got_is_flagged_however_it_is_spelt():
    flagged, report = answers("I don't know", "i DON'T  know", " I don't know ", "one", "two", action="flag")
    assert (flagged, report.dropped) == (["tr-0", "tr-1", "tr-2"], {})
    assert report.outliers["constant_output"] == {
        "max_share_ppm": 500_000,
        "fields": {"team": {"judged": 5, "different": 3, "largest": 3, "far": 3}},
    }


def test_or_dropped_where_the_settings_say_so_and_half_is_not_more_than_half():
    assert answers("same", "same", "same", "one", "two", action="drop")[1].dropped == {"constant_output": 3}
    assert answers("same", "same", "same", "one", "two", "three", action="drop")[1].dropped == {}


def test_the_share_is_that_of_the_traces_that_still_stand():
    rows = [trace(number, ACCEPTED, outputs={"team": "same"}) for number in range(6)]
    rows += [trace(number, outputs={"team": f"other {number}"}) for number in range(10, 30)]
    how = with_(method="off", max_output_share=0.5)
    assert cleaned(*rows, settings=how, fields=TEXTS)[1].flagged == {"constant_output": 6}


def test_a_corrected_constant_answer_is_flagged_and_never_dropped():
    flagged, report = answers(*["same"] * 5, said=RIGHT, action="drop")
    assert (len(flagged), report.dropped) == (5, {})


@pytest.mark.parametrize("annotation", [bool, int, None])
def test_choices_may_be_the_same_all_day(annotation):
    fields = Fields(("ticket",), ("team",), {} if annotation is None else {"team": annotation})
    assert answers(*["1"] * 9, fields=fields)[1].flagged == {}


def test_few_answers_and_missing_answers_convict_nobody():
    assert answers(*["same"] * 4)[0] == []
    assert answers(*["same"] * 4, said=RIGHT)[0] == []
    assert answers(*["same"] * 4, None, "", 5, said=RIGHT)[0] == []
