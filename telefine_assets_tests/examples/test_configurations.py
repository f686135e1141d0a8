"""The configurations of docs/examples load, each as what it says it is, and the scheduled one ticks as described."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml

from telefine_assets.automation.decisions import HOUR_MS, Ask, Compiled, Cursor, Day, Seen, decide
from telefine_assets.control.automation import automation_of
from telefine_assets.definitions import build_defs
from telefine_assets.partitions import days_from
from telefine_assets.settings.file import SettingsError
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.examples.home import EXAMPLES, NAMES, PROGRAMS

FOLDER = EXAMPLES / "configurations"
PROFILES = {"cluster": "cluster"}
PAGE = (EXAMPLES / "schedules.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| *\d.*\|$", PAGE, re.MULTILINE)
]
TICKS, VOLUMES = [row for row in ROWS if len(row) == 4], [row for row in ROWS if len(row) == 3]


@pytest.fixture
def loaded(own_environment):
    return lambda name, profile=None: load_settings(FOLDER / f"{name}.yaml", profile or PROFILES.get(name))


def test_there_are_the_four_and_each_says_for_whom():
    files = sorted(FOLDER.iterdir())
    assert [each.stem for each in files] == ["cluster", "minimal", "scheduled", "tournament"]
    assert all(each.read_text().startswith("# For whom: ") for each in files)


@pytest.mark.parametrize("name", ["cluster", "minimal", "scheduled", "tournament"])
def test_each_makes_a_code_location(name, loaded):
    settings = loaded(name)
    defs = build_defs(settings)
    assert {each.name for each in defs.schedules} >= {f"{program}_schedule" for program in settings.programs}


def test_the_minimal_one_can_leave_nothing_out(own_environment, tmp_path):
    whole = yaml.safe_load((FOLDER / "minimal.yaml").read_text())
    program = whole["programs"]["triage"]
    assert set(program) == {"module", "experiment", "cleaning", "split", "compile"}
    needed = [(program, each) for each in ("module", "experiment", "split", "compile")]
    for group, key in [(whole, "partitions"), *needed]:
        kept = group.pop(key)
        (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(whole))
        with pytest.raises(SettingsError, match=f"{key}: is required"):
            load_settings(tmp_path / "telefine.yaml")
        group[key] = kept


def test_only_what_is_scheduled_runs_by_itself(loaded):
    for name in ("minimal", "tournament"):
        defs = build_defs(loaded(name))
        assert {each.default_status.value for each in [*defs.sensors, *defs.schedules]} == {"STOPPED"}
    scheduled = build_defs(loaded("scheduled"))
    assert {each.default_status.value for each in [*scheduled.sensors, *scheduled.schedules]} == {"RUNNING"}


def test_the_cluster_keeps_nothing_on_a_local_disk_but_what_the_environment_says(loaded, monkeypatch):
    ledger = "postgresql+psycopg://telefine@postgres/ledger"
    monkeypatch.setenv("TELEFINE_LEDGER__URL", ledger)
    monkeypatch.setenv("TELEFINE_MLFLOW__TRACKING_URI", "postgresql+psycopg://telefine@postgres/mlflow")
    settings = loaded("cluster")
    assert settings.store.uri.startswith("s3://") and settings.mlflow.artifacts.startswith("s3://")
    assert settings.ledger.url == ledger
    assert settings.automation.follow_up and settings.automation.watch_failures
    assert set(settings.programs) == {"triage", "replies"}


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_of_the_sample_programs_are_valid(name, own_environment):
    settings = load_settings(PROGRAMS / name / "telefine.yaml")
    assert list(settings.programs) == [name]


def test_the_schedule_ticks_as_the_page_says(loaded, monkeypatch):
    settings = loaded("scheduled")
    monkeypatch.setenv("TELEFINE_CONFIG", str(FOLDER / "scheduled.yaml"))
    schedule = build_defs(settings).get_unresolved_schedule_def("triage_schedule")
    before, stored = datetime(2026, 11, 5, 12, tzinfo=UTC), set()
    store = SimpleNamespace(records=SimpleNamespace(days=lambda program, stage: sorted(stored)))
    assert len(TICKS) == 3
    with dg.instance_for_test() as instance:
        for utc, berlin, loads, day in TICKS:
            at = datetime.fromisoformat(utc).replace(tzinfo=UTC)
            known = {each.name: each for each in automation_of(instance, settings, before)}
            assert known["triage_schedule"].next_ms == at.timestamp() * 1000
            assert at.astimezone(ZoneInfo(settings.program("triage").schedule.timezone)).strftime("%A %H:%M") == berlin
            context = dg.build_schedule_context(scheduled_execution_time=at, resources={"store": store})
            *loading, line = schedule(context)
            spans = [span_of(each) for each in loading]
            assert [f"{first} to {last}" for first, last in spans] == ([] if loads == "nothing" else [loads])
            assert line.partition_key == day and line.asset_selection is None
            stored |= {each for span in spans for each in days_from(*span)} | {day}
            before = at + timedelta(minutes=1)


def span_of(request: dg.RunRequest) -> tuple[str, str]:
    return tuple(request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))


def test_the_volume_sensor_decides_as_the_page_says(loaded):
    settings, now = loaded("scheduled").program("triage").sensors.traces, 1_800_000_000_000
    assert {each[-1] for each in VOLUMES} == {"waits", "compiles"}
    for fresh, last, outcome in VOLUMES:
        ago = int(re.fullmatch(r"(\d+) hours ago", last)[1])
        seen = Seen(
            "2026-11-05",
            {"2026-11-05": Day(9_000, 9_000, 1_000 + int(fresh), made=2)},
            Compiled(now - ago * HOUR_MS, 1, {"2026-11-05": 1_000}),
        )
        decided = decide(seen, settings, Cursor(), now)
        assert isinstance(decided, Ask) == (outcome == "compiles"), (fresh, last, decided)
