"""The alerts sensor over a real store, ledger and Dagster instance, with a real receiver."""

import json
import time

import dagster as dg
import pytest
import time_machine

from telefine_assets.alerts.records import Event
from telefine_assets.automation.alert_ticks import Cursor
from telefine_assets.errors import TelefineError
from telefine_assets_tests.alerts.receiver import SECRET, receiving
from telefine_assets_tests.automation.alerted import CLEANED, Alerted, back, check_that, run
from telefine_assets_tests.automation.ticking import instance_with_ticks, ticked

HELLO = "alerts_on::shop"


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def instance(tmp_path):
    with instance_with_ticks(tmp_path / "ticks") as made:
        yield made


@pytest.fixture
def deployment(tmp_path, receiver, monkeypatch, own_environment):
    return Alerted(tmp_path, receiver, monkeypatch)


def test_what_was_before_alerts_were_turned_on_is_told_nobody(deployment, instance, receiver):
    deployment.promote(1)
    run(instance, *check_that(False), day=back(1))
    tick = deployment.tick(instance)
    assert tick.skip_message == "1 new, 1 delivered"
    assert deployment.told() == [HELLO]
    assert len(receiver.ids()) == 1
    assert deployment.tick(instance, tick.cursor).skip_message == "0 new, 0 delivered"


def test_gains_champions_and_payouts_are_told_once_whatever_becomes_of_the_cursor(deployment, instance, receiver):
    first = deployment.tick(instance)
    deployment.reach("a", False)
    deployment.reach("b", True)
    deployment.promote(1)
    deployment.pay(1)
    for cursor in (first.cursor, None, "nonsense", '{"version": 99}', '{"version": 1, "runs_ms": [], "judged": {}}'):
        deployment.tick(instance, cursor)
    day = back(99)
    assert deployment.told() == [
        HELLO, "deltaone_reached:tickets:1", "champion_changed:tickets:1", f"payout_planned:tickets:{day}",
    ]  # fmt: skip
    assert len({*receiver.ids()}) == len(receiver.got) == 4
    told = [json.loads(body)["data"] for _, body, _ in receiver.got]
    assert "v1" in told[2]["subject"]
    assert f"telefine payouts show {day}" in told[3]["where"]


def test_a_failed_check_is_told_once_a_day_with_what_it_found(deployment, instance):
    cursor = deployment.tick(instance).cursor
    run(instance, *check_that(True), day=back(3))
    assert deployment.tick(instance, cursor).skip_message == "0 new, 0 delivered"
    for day in (back(1), back(2)):
        failed = run(instance, *check_that(False), day=day)
    tick = deployment.tick(instance, cursor)
    assert tick.skip_message == "1 new, 1 delivered"
    run(instance, *check_that(False), day=back(4))
    assert deployment.tick(instance, tick.cursor).skip_message == "0 new, 0 delivered"
    alert = deployment.book.latest(1)[0].alert
    assert alert.key == f"check_failed:tickets:cleaned_traces:nothing_is_odd:blocking:{back(0)}"
    assert (alert.severity, failed.run_id in alert.where) == ("error", True)
    assert f"{back(2)} to {back(1)}" in alert.what
    assert "trace 4 is odd\nand 9 more" in alert.what


def test_a_check_that_only_warns_says_that_work_went_on(deployment, instance):
    cursor = deployment.tick(instance).cursor
    run(instance, *check_that(False, blocking=False), day=back(1))
    deployment.tick(instance, cursor)
    alert = deployment.book.latest(1)[0].alert
    assert alert.severity == "warning"
    assert "made all the same" in alert.what


@dg.asset(key=CLEANED, partitions_def=dg.DailyPartitionsDefinition(back(200)))
def broken():
    raise TelefineError("a field is missing")


def test_a_run_that_fails_for_good_is_told_through_the_ledger_and_a_failed_check_only_as_that(
    tmp_path, instance, receiver, monkeypatch, own_environment
):
    deployment = Alerted(tmp_path, receiver, monkeypatch, automation={"watch_failures": True})
    deployment.tick(instance)
    for made in ([broken], [broken], check_that(False)):
        failed = run(instance, *made, day=back(1))
        (event,) = [each for each in failed.all_events if each.event_type == dg.DagsterEventType.RUN_FAILURE]
        sensor = deployment.defs.resolve_sensor_def("telefine_failed_runs")
        context = dg.build_run_status_sensor_context("telefine_failed_runs", event, instance, failed.dagster_run)
        sensor(context.for_run_failure())
        deployment.tick(instance)
    assert [key.split(":")[0] for key in deployment.told()] == ["alerts_on", "run_failed", "check_failed"]
    assert "a field is missing" in json.loads(receiver.got[1][1])["data"]["what"]


def test_a_run_that_fails_is_told_where_nobody_else_watches_failures(deployment, instance):
    cursor = deployment.tick(instance).cursor
    for day in (back(1), back(2)):
        run(instance, broken, day=day)
    deployment.tick(instance, cursor)
    assert [key.split(":")[0] for key in deployment.told()] == ["alerts_on", "run_failed"]
    alert = deployment.book.latest(1)[0].alert
    assert (
        "Why: TelefineError: a field is missing\nIt is not tried again: automation.watch_failures is off." in alert.what
    )


def test_more_runs_at_once_than_are_looked_at_keep_none_unseen(deployment, instance, monkeypatch):
    monkeypatch.setattr("telefine_assets.automation.alert_sources._RUNS", 2)
    cursor = deployment.tick(instance).cursor
    # By this clock all of them end at once.
    with time_machine.travel(time.time(), tick=False) as clock:
        for _ in range(5):
            run(instance, *check_that(True), day=back(1))
        cursor = deployment.tick(instance, cursor).cursor
        clock.shift(1)
        run(instance, broken, day=back(1))
        for _ in range(2):
            cursor = deployment.tick(instance, cursor).cursor
    assert [key.split(":")[0] for key in deployment.told()] == ["alerts_on", "run_failed"]


@pytest.mark.parametrize("looked", [True, False])
def test_a_clock_that_was_ahead_keeps_no_run_unseen(deployment, instance, looked):
    cursor = deployment.tick(instance).cursor
    with time_machine.travel(time.time() + 30 * 86_400):
        run(instance, *check_that(True), day=back(1))
        if looked:
            cursor = deployment.tick(instance, cursor).cursor
    if not looked:
        cursor = deployment.tick(instance, cursor).cursor
        assert Cursor.from_json(cursor).runs_ms <= time.time() * 1000
    run(instance, broken, day=back(1))
    cursor = deployment.tick(instance, cursor).cursor
    assert [key.split(":")[0] for key in deployment.told()] == ["alerts_on", "run_failed"]
    assert Cursor.from_json(cursor).runs_ms <= time.time() * 1000


@pytest.mark.parametrize(
    ("odd", "kinds"),
    [
        ({"traces": 400}, []),
        ({"traces": 150}, [("volume", "low")]),
        ({"traces": 900}, [("volume", "high")]),
        ({"traces": 400, "score_ppm": 700_000}, [("score", "low")]),
        ({"traces": 400, "dropped": 160}, [("drops", "high")]),
        ({"traces": 0}, [("volume", "low")]),
    ],
)
def test_an_odd_day_is_told_once_and_judged_again_when_it_was_made_again(deployment, instance, odd, kinds):
    cursor = deployment.tick(instance).cursor
    for day in (2, 8, 15, 22, 29):
        deployment.clean(instance if day < 5 else None, back(day), 400 + day % 3, dropped=20 + day % 2)
    cursor = deployment.tick(instance, cursor).cursor
    assert deployment.told() == [HELLO]
    deployment.clean(instance, back(1), **({"dropped": odd["traces"] // 20} | odd))
    for again in (cursor, None):
        deployment.tick(instance, again)
    assert deployment.told()[1:] == [f"anomaly:tickets:{kind}:{back(1)}:{side}" for kind, side in kinds]
    deployment.clean(instance, back(1), 400, dropped=200)
    deployment.tick(instance, cursor)
    assert f"anomaly:tickets:drops:{back(1)}:high" in deployment.told()


def test_days_whose_traces_retention_took_are_left_out(deployment, instance):
    cursor = deployment.tick(instance).cursor
    for day in range(2, 50):
        deployment.clean(None, back(day), 400)
    store = deployment.settings.home / "store"
    for day in range(40, 50):
        (path,) = store.rglob(f"cleaned_traces/{back(day)}.parquet")
        path.unlink()
    deployment.clean(instance, back(1), 100)
    deployment.tick(instance, cursor)
    assert deployment.told()[1:] == [f"anomaly:tickets:volume:{back(1)}:low"]


def test_an_improvement_report_is_told_with_its_summary(deployment, instance):
    cursor = deployment.tick(instance).cursor
    deployment.store.records.write("tickets", "improvement_reports", back(3), {"other": 1})
    assert deployment.tick(instance, cursor).skip_message == "0 new, 0 delivered"
    deployment.store.records.write(
        "tickets", "improvement_reports", back(2), {"subject": "Two\npoints", "summary": "s"}
    )
    deployment.tick(instance, cursor)
    alert = deployment.book.latest(1)[0].alert
    assert (alert.subject, alert.what) == ("Two points", "s")


def test_a_sensor_that_fails_again_and_again_is_told_once_until_it_worked_again(deployment, instance):
    deployment.tick(instance)
    for outcomes, told in (
        ((True, False, False), 0),
        ((False,), 1),
        ((False, False), 1),
        ((True,), 1),
        ((False,) * 3, 2),
    ):
        ticked(instance, "tickets_late_feedback", *outcomes)
        deployment.tick(instance)
        assert len(deployment.told()) == told + 1
    alert = deployment.book.latest(1)[0].alert
    assert (alert.program, alert.kind) == ("tickets", "automation_failing")
    assert "no such table" in alert.what


def test_one_fault_keeps_nothing_else_unsaid_and_is_shown(deployment, instance, receiver):
    cursor = deployment.tick(instance).cursor
    deployment.promote(1)
    deployment.clean(instance, back(1), 10)
    (path,) = (deployment.settings.home / "store").rglob(f"{back(1)}.json")
    path.write_text("no JSON")
    with pytest.raises(TelefineError, match="not everything could be looked at: BrokenRecord"):
        deployment.tick(instance, cursor)
    assert deployment.told()[1:] == ["champion_changed:tickets:1"]
    assert len(receiver.got) == 2


def test_a_first_look_that_fails_makes_nothing_old_new(deployment, instance, receiver, monkeypatch):
    deployment.promote(1)
    with monkeypatch.context() as broken, pytest.raises(TelefineError, match="OSError: the disk is gone"):
        broken.setattr("telefine_assets.automation.alert_ticks.ledger_news", gone)
        deployment.tick(instance)
    assert receiver.got == []
    deployment.tick(instance)
    assert deployment.told() == [HELLO]


def gone(*_):
    raise OSError("the disk is gone")


def test_what_a_receiver_refuses_waits_and_the_tick_says_so_without_naming_it(deployment, instance, receiver):
    receiver.status = 503
    tick = deployment.tick(instance)
    assert tick.skip_message == "1 new, 0 delivered; not delivered: ops: answered 503"
    receiver.status = 200
    assert deployment.tick(instance, tick.cursor).skip_message == "0 new, 0 delivered"
    assert [each.event for each in deployment.book.deliveries(HELLO)] == [Event.QUEUED, Event.BEGUN, Event.FAILED]
    with time_machine.travel(time.time() + 201):
        assert deployment.tick(instance, tick.cursor).skip_message == "0 new, 1 delivered"
    assert len({*receiver.ids()}) == 1
    for shown in (tick.cursor, str(deployment.book.deliveries(HELLO)), str(deployment.book.latest(9))):
        assert "a-token-in-the-path" not in shown
        assert SECRET not in shown


def test_a_channel_hears_only_what_it_wants(tmp_path, receiver, instance, monkeypatch, own_environment):
    channels = {"ops": {"kind": "webhook", "kinds": ["payout_planned"], "programs": ["tickets"]}}
    deployment = Alerted(tmp_path, receiver, monkeypatch, channels=channels)
    deployment.tick(instance)
    deployment.promote(1)
    deployment.pay(1)
    deployment.tick(instance)
    assert [key.split(":")[0] for key in deployment.told()] == ["alerts_on", "payout_planned"]
    assert len(deployment.book.latest(9)) == 3


def test_the_sensor_is_off_until_the_settings_turn_alerts_on(tmp_path, receiver, monkeypatch, own_environment):
    for on, status in ((False, "STOPPED"), (True, "RUNNING")):
        deployment = Alerted(tmp_path, receiver, monkeypatch, enabled=on)
        assert deployment.defs.resolve_sensor_def("telefine_alerts").default_status.value == status


def test_a_cursor_is_read_as_it_was_written():
    cursor = Cursor(5, {"tickets": {"2026-11-02": 7}})
    assert Cursor.from_json(cursor.to_json()) == cursor
