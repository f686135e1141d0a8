"""Each alert says what happened, where to look and what to do; the same event has the same key."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.alerts import found
from telefine_assets.alerts.anomalies import Measure, Odd
from telefine_assets.alerts.records import Alert, Kind, Severity, alert
from telefine_assets.canonical import canonical_json
from telefine_assets.ledger.records import Champion, PlannedPayout, ReachedLook

DAY = "2026-11-02"
RUN = found.RunFailure("a-run-of-ours", "tickets", ["traces"], [DAY], "Unreachable: no answer", "it would fail", DAY)
CHECK = found.FailedCheck("tickets", "traces", "traces_arrived", "a-run", False, ["none"], [DAY], DAY)
CHAMPION = Champion(3, "tickets", DAY, "v" * 64, "attestation 0x1", "attested", "0x1", 1, 1)
ALERTS = {
    each.kind: each
    for each in (
        found.alerts_on("shop", ["ops"]),
        found.tested("shop", "ops", 5),
        found.run_failed(RUN),
        found.standing_failures(["tickets: traces of 2026-11-02"], DAY),
        found.check_failed(CHECK),
        found.deltaone_reached(ReachedLook("tickets", DAY, 1, "c" * 64)),
        found.champion_changed(CHAMPION),
        found.payout_planned(PlannedPayout("tickets", DAY, "0x1", 10**20, "TOKEN/18")),
        found.odd_day("tickets", Odd(Measure.SCORE, DAY, 1, 2, 2, 2, weekday=False)),
        found.automation_failing(found.FailingAutomation("late", "sensor", 7, 3, "no", "tickets")),
        found.improvement_report("tickets", DAY, "Two points", "It was better."),
    )
}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_what_where_and_what_to_do_on_one_page(kind):
    made = ALERTS[kind]
    assert all((made.subject, made.what, made.where, made.cure))
    assert "\n" not in made.subject
    assert f"Where to look: {made.where}\nWhat to do: {made.cure}" in made.text
    assert len(made.key) <= 255
    assert Alert.from_record(made.to_record()) == made
    assert canonical_json(made.to_record())


@pytest.mark.parametrize("kind", Kind)
def test_every_command_that_is_named_exists(kind):
    import typer

    from telefine_assets.cli.main import app

    root = typer.main.get_command(app)
    for command in re.findall(r"`telefine ([^`]+)`", ALERTS[kind].text):
        name, *rest = command.split()
        group = root.commands[name]
        assert not hasattr(group, "commands") or rest[0] in group.commands, command
        chosen = group.commands[rest[0]] if hasattr(group, "commands") else group
        options = {each for parameter in chosen.params for each in parameter.opts}
        assert {each for each in rest if each.startswith("--")} <= options, command


def test_a_failure_of_many_days_is_told_once_a_day_and_another_one_by_itself():
    same = replace(RUN, run_id="another", days=["2026-11-03"])
    others = [replace(RUN, day="2026-11-03"), replace(RUN, why="another"), replace(RUN, program="reviews")]
    assert found.run_failed(same).key == found.run_failed(RUN).key
    assert len({found.run_failed(each).key for each in (RUN, *others)}) == 4
    assert found.check_failed(replace(CHECK, days=["2026-11-03"])).key == found.check_failed(CHECK).key
    for other in (replace(CHECK, check="other"), replace(CHECK, blocking=not CHECK.blocking)):
        assert found.check_failed(other).key != found.check_failed(CHECK).key


def test_a_day_that_was_too_low_and_then_too_high_is_told_twice():
    low, high = (Odd(Measure.VOLUME, "2026-11-02", value, 1_000, 700, 1_400, True) for value in (300, 2_400))
    assert found.odd_day("tickets", low).key != found.odd_day("tickets", high).key


def test_what_a_stranger_wrote_can_neither_break_a_header_nor_fill_a_page():
    hostile = found.run_failed(replace(RUN, program=None, run_id="x\r\nBcc: all", why="\x1b[2J\u202e" + "a" * 10**6))
    assert "\n" not in hostile.subject
    assert "\r" not in hostile.text
    assert "\x1b" not in hostile.text
    assert "\u202e" not in hostile.text
    assert len(hostile.text) < 13_000


@given(st.text(), st.text())
def test_any_text_can_be_sent(subject, what):
    made = alert(Kind.TEST, None, "1", Severity.INFO, subject, what=what, where="w", cure="c")
    assert canonical_json(made.to_record())
    assert len(made.subject) <= 200
    assert made.subject.isprintable()
