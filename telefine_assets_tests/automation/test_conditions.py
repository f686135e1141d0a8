"""What comes after a compile by itself, and what a failed check holds up."""

import dagster as dg
import pytest

from telefine_assets.automation.conditions import after_upstream

DAYS = dg.DailyPartitionsDefinition("2026-11-02", end_date="2026-11-05")
FIRST, SECOND = "2026-11-02", "2026-11-03"


def key(stage):
    return dg.AssetKey(["tickets", stage])


WINDOW = dg.AssetDep(key("cleaned_traces"), partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1))


def asset(stage, *deps, condition=None):
    @dg.asset(key=key(stage), deps=deps, partitions_def=DAYS, automation_condition=condition)
    def made(): ...

    return made


class Line:
    """A line of four stages with the conditions of the real one, and checks that do as they are told."""

    def __init__(self, instance):
        self.instance, self.cursor, self.passes = instance, None, True

        @dg.asset_check(asset=key("compiled_programs"), blocking=True)
        def demos():
            return dg.AssetCheckResult(passed=self.passes)

        after = after_upstream(key("cleaned_traces"))
        self.assets = [
            asset("cleaned_traces"),
            asset("compiled_programs", WINDOW),
            asset("deltaone_reports", key("compiled_programs"), WINDOW, condition=after),
            asset("attestations", key("deltaone_reports"), condition=after),
            demos,
        ]
        self.defs = dg.Definitions(self.assets[:-1], asset_checks=[demos])
        self.asked()

    def make(self, stage, day, passes=True):
        self.passes = passes
        selection = dg.AssetSelection.assets(key(stage))
        done = dg.materialize(
            self.assets, selection=selection, partition_key=day, instance=self.instance, raise_on_error=False
        )
        assert done.success == passes

    def asked(self):
        """Which days of which stages are asked for in the next tick."""
        found = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self.cursor)
        self.cursor = found.cursor
        stages = ("compiled_programs", "deltaone_reports", "attestations")
        return {stage: days for stage in stages if (days := found.get_requested_partitions(key(stage)))}


@pytest.fixture
def line():
    with dg.instance_for_test() as instance:
        yield Line(instance)


def test_what_follows_is_asked_for_once_something_was_compiled(line):
    line.make("cleaned_traces", FIRST)
    assert line.asked() == {}
    line.make("compiled_programs", FIRST)
    assert line.asked()["deltaone_reports"] == {FIRST}
    assert line.asked() == {}
    line.make("deltaone_reports", FIRST)
    asked = line.asked()
    assert "deltaone_reports" not in asked
    assert asked.get("attestations", {FIRST}) == {FIRST}


def test_late_feedback_makes_nothing_anew(line):
    line.make("cleaned_traces", FIRST)
    line.make("compiled_programs", FIRST)
    assert line.asked()
    line.make("deltaone_reports", FIRST)
    line.make("attestations", FIRST)
    line.asked()
    line.make("cleaned_traces", FIRST)
    assert line.asked() == {}


def test_a_failed_check_holds_up_its_day_and_a_later_days_success_does_not_let_it_through(line):
    line.make("cleaned_traces", FIRST)
    line.make("cleaned_traces", SECOND)
    line.make("compiled_programs", FIRST, passes=False)
    assert line.asked() == {}
    line.make("compiled_programs", SECOND)
    assert line.asked()["deltaone_reports"] == {SECOND}
    line.make("compiled_programs", FIRST)
    assert line.asked()["deltaone_reports"] == {FIRST}


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True), (False, False)])
def test_of_two_days_that_end_between_two_ticks_each_is_judged_by_its_own_checks(line, first, second):
    line.make("cleaned_traces", FIRST)
    line.make("cleaned_traces", SECOND)
    line.make("compiled_programs", FIRST, passes=first)
    line.make("compiled_programs", SECOND, passes=second)
    passed = {day for day, passes in ((FIRST, first), (SECOND, second)) if passes}
    assert line.asked().get("deltaone_reports", set()) == passed
    assert line.asked() == {}, "once"


def test_a_day_that_waits_is_not_forgotten_while_others_come_and_go(line):
    for day in (FIRST, SECOND):
        line.make("cleaned_traces", day)
    line.make("compiled_programs", FIRST, passes=False)
    assert line.asked() == {}
    for passes in (True, False):
        line.make("compiled_programs", SECOND, passes=passes)
        assert line.asked().get("deltaone_reports", set()) == ({SECOND} if passes else set())
    line.make("compiled_programs", FIRST)
    assert line.asked()["deltaone_reports"] == {FIRST}


def test_what_was_made_without_its_checks_waits_for_them(line):
    line.make("cleaned_traces", FIRST)
    dg.materialize(
        line.assets[:-1],
        selection=dg.AssetSelection.assets(key("compiled_programs")).without_checks(),
        partition_key=FIRST,
        instance=line.instance,
    )
    assert line.asked() == {}
    line.make("compiled_programs", FIRST)
    assert line.asked()["deltaone_reports"] == {FIRST}
