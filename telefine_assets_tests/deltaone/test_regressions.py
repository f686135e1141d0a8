"""Items that have retired are the certified regression set: shown in full, and a limit on them costs no look."""

import json
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from telefine_assets.canonical import canonical_json
from telefine_assets.deltaone.holdout import holdout_of
from telefine_assets.deltaone.records import PPM, Rules
from telefine_assets.deltaone.regressions import found, refusal
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets_tests.programs.examples import KEY

from .house import CLEANED, FEW, MORE, SETTINGS, SPEC, TUESDAY, WORSE, House
from .rows import row, rows

N = len(holdout_of(CLEANED, SPEC, SETTINGS, KEY).items)
LATER = [*CLEANED, *MORE]
LIMIT = replace(Rules(), max_regressions=3)


@pytest.fixture
def house(tmp_path, knn):
    """A deployment in which Monday's look reached DeltaOne, and its candidate serves."""
    house = House(tmp_path, knn)
    served = house.compiled()
    assert house.record(compiled=served)["reached"]
    house.served = served["candidate"]
    return house


def tuesdays(house, **candidate):
    """A compile whose baseline is what serves since Monday."""
    return house.compiled(**candidate) | {"baseline": house.served}


def limited(limit, **changes):
    return DeltaOneSettings(max_regressions=limit, **FEW, **changes)


def test_while_nothing_has_retired_there_is_no_regression_set(tmp_path, knn):
    record = House(tmp_path, knn).record()
    assert record["regressions"] is None


def test_what_got_worse_on_retired_items_is_listed_and_counted(house):
    record = house.record(TUESDAY, LATER, tuesdays(house, **WORSE))
    shown = record["regressions"]
    kept = [json.loads(line) for line in house.evidence.get(shown["rows"]).splitlines()]
    worse = [each for each in kept if each["candidate_ppm"] < each["baseline_ppm"]]
    better = [each for each in kept if each["candidate_ppm"] > each["baseline_ppm"]]
    assert (shown["asked"], len(kept)) == (N, N)
    assert (shown["count"], shown["losses"], shown["wins"]) == (len(worse), len(worse), len(better))
    names = ("item", "inputs", "label", "baseline_output", "candidate_output")
    assert shown["regressed"] == [{name: each[name] for name in names} for each in worse[:50]]
    assert len(worse) > 5
    p = binomtest(len(worse), len(worse) + len(better), alternative="greater").pvalue
    assert float(shown["p_value"]) == pytest.approx(p, rel=1e-5)
    assert {each["item"] for each in kept}.isdisjoint(each["item"] for each in house.rows(record))


def test_more_than_the_limit_refuses_before_a_look_is_spent(house):
    house.settings = limited(5)
    compiled, looks = tuesdays(house, **WORSE), house.looks()
    record = house.record(TUESDAY, LATER, compiled)
    assert (record["code"], record["public"], record["history"]) == (
        "too_many_regressions",
        {},
        [],
    )
    assert "the rules allow 5" in record["sentence"]
    assert record["regressions"]["count"] > 5
    assert house.looks() == looks
    fresh = {item.inputs["ticket"] for item in holdout_of(MORE, SPEC, SETTINGS, KEY).items}
    assert not [prompt for prompt in house.knn.prompts if any(ticket in prompt for ticket in fresh)]


def test_within_the_limit_the_look_is_taken(house):
    house.settings = limited(N)
    record = house.record(TUESDAY, LATER, tuesdays(house, **WORSE))
    assert (record["code"], record["public"]["k"]) == ("not_reached", 1)
    assert record["regressions"]["count"] > 5


def test_the_journal_knows_what_serves_and_no_more_than_so_many_are_asked(house):
    house.settings = limited(None, regression_items=20)
    calls = house.knn.calls
    record = house.record(TUESDAY, LATER, tuesdays(house, **WORSE))
    assert record["regressions"]["asked"] == 20
    fresh = len(holdout_of(MORE, SPEC, SETTINGS, KEY).items)
    assert house.knn.calls - calls == 20 + 2 * fresh, "Monday's candidate was asked these items on Monday"


def test_none_are_asked_where_the_settings_say_so(house):
    house.settings = limited(0, regression_items=0)
    assert house.record(TUESDAY, LATER, tuesdays(house, **WORSE))["regressions"] is None


def test_a_regression_set_with_holes_cannot_keep_a_limit(house):
    house.settings = limited(N)
    retired = holdout_of(CLEANED, SPEC, SETTINGS, KEY).items
    lost = {item.inputs["ticket"] for item in retired[:10]}
    house.knn.refuses = lambda prompt: any(ticket in prompt for ticket in lost)
    looks, compiled = house.looks(), tuesdays(house, **WORSE)
    assert house.record(TUESDAY, LATER, compiled, num_retries=0)["code"] == "too_many_unresolved"
    assert house.looks() == looks
    house.knn.refuses = lambda prompt: False
    assert house.record(TUESDAY, LATER, compiled)["public"]["k"] == 1


def test_a_record_says_the_same_whatever_the_order_of_rows():
    some = rows(3, 5, 20)
    assert canonical_json(found(some, Rules())) == canonical_json(found(some[::-1], Rules()))
    assert [each["item"] for each in found(some[::-1], Rules())["regressed"]] == [each.item for each in some[3:8]]


def test_no_more_than_fifty_are_listed_and_all_are_counted():
    shown = found(rows(0, 70, 10), Rules())
    assert (shown["count"], len(shown["regressed"])) == (70, 50)
    assert json.loads(canonical_json(shown)) == shown


def test_a_loss_regresses_where_it_grows():
    shown = found(rows(2, 5, 20), replace(Rules(), direction="lower"))
    assert (shown["wins"], shown["losses"]) == (5, 2)


def test_the_limit_is_the_most_that_is_allowed():
    assert refusal(rows(0, 3, 50), LIMIT) is None
    assert refusal(rows(0, 4, 50), LIMIT).code == "too_many_regressions"
    assert refusal(rows(0, 40, 50), Rules()) is None
    assert refusal([], LIMIT) is None


def test_an_item_that_nobody_answered_is_no_regression():
    lost = row(900, PPM, None, candidate_error="timeout")
    assert found([*rows(0, 2, 98), lost], Rules())["losses"] == 2
    assert refusal([*rows(0, 3, 98), lost], LIMIT) is None
