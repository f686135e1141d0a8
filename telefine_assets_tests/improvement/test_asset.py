"""The asset, its schedule and the command: beside the line, of what is stored, and the same bytes each time."""

import json
import re
import shutil
from datetime import UTC, datetime

import dagster as dg
import pytest

from telefine_assets.cli.main import main
from telefine_assets.control.errors import ControlError
from telefine_assets.control.reading import BESIDE, STAGES, job_of
from telefine_assets.definitions import build_defs
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.improvement.home import LAST, REACHED, TwoWeeks, day_of
from telefine_assets_tests.traces.mlflow_store import copy_store

KEY = dg.AssetKey(["triage", "improvement_reports"])


@pytest.fixture
def deployed(weeks, empty_template, tmp_path, monkeypatch):
    """A copy of the two weeks, with MLflow beside it."""
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", "07" * 32)
    shutil.copytree(weeks.home, tmp_path / "home")
    copy_store(empty_template, tmp_path / "home" / ".telefine")
    return TwoWeeks(tmp_path / "home")


def materialise(deployed, instance, day=LAST):
    defs = build_defs(deployed.settings)
    job = defs.resolve_job_def(job_of("triage", BESIDE))
    return job.execute_in_process(instance=instance, partition_key=day)


def test_the_asset_keeps_the_report_and_the_same_one_again(deployed):
    with dg.instance_for_test() as instance:
        versions = []
        for _ in range(2):
            done = materialise(deployed, instance)
            (made,) = done.asset_materializations_for_node("triage__improvement_reports")
            versions.append(made.tags["dagster/data_version"])
    record = deployed.records.read("triage", "improvement_reports", LAST)
    assert versions[0] == versions[1]
    assert {"subject", "summary", "this", "before", "moved", "evidence"} <= {*record}
    assert record["subject"] in made.metadata["summary"].value
    assert made.metadata["numbers"].value["certified"] == [REACHED]
    page = deployed.evidence.get(record["evidence"]["report.html"])
    assert b"Certified: better by 8.18" in page
    assert deployed.evidence.get(record["evidence"]["report.md"]).decode() == made.metadata["report"].value


def test_a_run_of_the_whole_line_does_not_make_it(deployed):
    defs = build_defs(deployed.settings)
    line = defs.resolve_job_def("triage_line").asset_layer.executable_asset_keys
    assert KEY not in line and len(line) == len(STAGES)
    spec = next(each for asset in defs.assets for each in asset.specs if each.key == KEY)
    assert (spec.automation_condition, spec.group_name) == (None, "triage_report")
    assert {dep.asset_key.path[-1] for dep in spec.deps} == {*STAGES} - {"traces"}


@pytest.mark.parametrize(("days", "first"), [(7, day_of(2)), (3, day_of(10))])
def test_it_depends_on_its_days_and_as_many_before_as_there_are(load, days, first):
    loaded = load({"programs/tickets/improvement": {"days": days}})
    defs = build_defs(loaded)
    mapping = next(
        dep.partition_mapping
        for asset in defs.assets
        for spec in asset.specs
        if spec.key.path[-1] == "improvement_reports"
        for dep in spec.deps
    )
    partitions = dg.DailyPartitionsDefinition("2026-11-02")
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        partitions.subset_with_partition_keys([LAST]), partitions, partitions, datetime(2026, 12, 1, tzinfo=UTC)
    )
    keys = sorted(found.partitions_subset.get_partition_keys())
    assert (keys[0], keys[-1], len(keys)) == (first, LAST, 2 * days)


def test_the_schedule_asks_for_the_last_complete_day_and_nothing_else(load):
    changes = {"programs/tickets/improvement": {"enabled": True, "every": "monthly", "timezone": "Europe/Berlin"}}
    schedule = build_defs(load(changes)).get_unresolved_schedule_def("tickets_improvement")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 7 1 * *", "Europe/Berlin")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING

    def tick(at):
        return schedule(dg.build_schedule_context(scheduled_execution_time=at))

    asked = tick(datetime(2026, 11, 16, 7, tzinfo=UTC))
    assert (asked.partition_key, [each.path for each in asked.asset_selection]) == (
        LAST,
        [["tickets", "improvement_reports"]],
    )
    assert isinstance(tick(datetime(2026, 11, 2, 12, tzinfo=UTC)), dg.SkipReason)
    assert (
        tick(datetime(2026, 11, 16, 7, tzinfo=UTC)).run_key
        == asked.run_key
        != tick(datetime(2026, 11, 17, 7, tzinfo=UTC)).run_key
    )


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"every": "weekly", "cron": "0 5 * * *"}, "name 'every' or 'cron', not both"),
        ({"days": 0}, "greater than or equal to 1"),
        ({"cron": "61 5 * * *"}, "'61' is no minute"),
        ({"timezone": "Mars/Base"}, "is no time zone"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(load, group, said):
    with pytest.raises(Exception, match=re.escape(said)):
        load({"programs/tickets/improvement": group})


def test_stages_of_the_line_and_beside_it_are_not_run_together(deployed, monkeypatch):
    from telefine_assets.control.driver import DagsterControl
    from telefine_assets.control.records import RunRequest

    control = DagsterControl.__new__(DagsterControl)
    control.settings = deployed.settings
    stages, days = control._checked(RunRequest("triage", BESIDE, LAST, LAST, "me"))
    assert (stages, days, job_of("triage", stages)) == (BESIDE, [LAST], "triage_report")
    assert control._checked(RunRequest("triage", (), LAST, LAST, "me"))[0] == STAGES
    with pytest.raises(ControlError, match="is made beside the line"):
        control._checked(RunRequest("triage", ("traces", *BESIDE), LAST, LAST, "me"))


def run(*words):
    """Exit code of the command in this process."""
    try:
        main(list(words))
    except SystemExit as ended:
        return ended.code
    return 0


def test_the_command_shows_what_the_asset_would_keep(weeks, report, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TELEFINE_CONFIG", str(weeks.home / "telefine.yaml"))
    page, mail = tmp_path / "report.html", tmp_path / "report.eml"
    assert run("improvement", "show", LAST, "--html", str(page), "--eml", str(mail)) == 0
    assert capsys.readouterr().out == report.facts["summary"]
    assert page.read_bytes() == report.files["report.html"]
    assert mail.read_bytes() == report.files["report.eml"]
    assert run("improvement", "show", LAST, "--days", "2", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["this"]["first"], shown["before"]["last"], shown["day"]) == (day_of(14), day_of(13), LAST)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("2026-13-01",), "a day is written YYYY-MM-DD"),
        (("2026-11-01",), "before the first day of the deployment"),
        ((LAST, "--html", "/nowhere/at/all.html"), "cannot be written"),
        ((LAST, "--program", "other"), "no program 'other'"),
    ],
)
def test_the_command_says_what_is_wrong(weeks, monkeypatch, capsys, words, said):
    monkeypatch.setenv("TELEFINE_CONFIG", str(weeks.home / "telefine.yaml"))
    assert run("improvement", "show", *words) == 1
    assert said in capsys.readouterr().err


def test_nothing_is_changed_by_looking(weeks, monkeypatch):
    monkeypatch.setenv("TELEFINE_CONFIG", str(weeks.home / "telefine.yaml"))
    assert load_settings().program("triage").improvement.enabled is False
    assert run("improvement", "show", LAST) == 0
    assert weeks.records.days("triage", "improvement_reports") == []
