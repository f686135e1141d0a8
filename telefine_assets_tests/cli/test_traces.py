"""``telefine traces``: what people see of traces."""

import json
import sqlite3

import dagster as dg
import pytest

from telefine_assets.cli.main import main
from telefine_assets.definitions import build_defs
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.traces.deployment import DAYS, FIRST, LAST, MIDDLE, Deployment, three_days
from telefine_assets_tests.traces.mlflow_store import fill


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Three days, loaded and cleaned; the first trace of the middle day failed, with a hostile text."""
    template = three_days(tmp_path_factory.mktemp("template"))
    deployment = Deployment(template, tmp_path_factory.mktemp("deployment"))
    with sqlite3.connect(deployment.file) as connection:
        failed, second = (
            row[0]
            for row in connection.execute(
                "SELECT request_id FROM trace_info WHERE timestamp_ms >= ? ORDER BY timestamp_ms LIMIT 2",
                [bounds_ms(MIDDLE)[0]],
            )
        )
        connection.execute("UPDATE trace_info SET status = 'ERROR' WHERE request_id = ?", [failed])
        message = json.dumps("\x1b[2Jgone")
        connection.execute(
            "UPDATE spans SET content = replace(content, ?, ?) WHERE trace_id = ? AND parent_span_id IS NULL",
            ['"code": "STATUS_CODE_OK", "message": ""', f'"code": "STATUS_CODE_ERROR", "message": {message}', failed],
        )
    with dg.instance_for_test() as instance:
        assert deployment.run(instance, *DAYS).success
    deployment.failed, deployment.second, deployment.whole = failed, second, deployment.file.read_bytes()
    return deployment


@pytest.fixture
def telefine(loaded, capsys, monkeypatch):
    """Run ``telefine traces``; returns exit code, output and errors. MLflow's store is put back before each test."""
    loaded.file.write_bytes(loaded.whole)
    monkeypatch.setenv("TELEFINE_CONFIG", str(loaded.home.parent / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "240")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["traces", *arguments])
        printed = capsys.readouterr()
        return caught.value.code or 0, printed.out, printed.err

    return run


def write(loaded, *statement):
    with sqlite3.connect(loaded.file) as connection:
        connection.execute(*statement)


def first_trace(loaded, day):
    with sqlite3.connect(loaded.file) as connection:
        return connection.execute(
            "SELECT request_id FROM trace_info WHERE timestamp_ms >= ? ORDER BY timestamp_ms LIMIT 1",
            [bounds_ms(day)[0]],
        ).fetchone()[0]


def test_what_was_just_loaded_has_not_changed(telefine):
    assert telefine("changed", "--check") == (0, "nothing changed in 3 days\n", "")


CHANGES = {
    "an assessment was overridden without a trace in time": "UPDATE assessments SET valid = 0 WHERE trace_id = ?",
    "an assessment was deleted": "DELETE FROM assessments WHERE trace_id = ?",
    "an assessment was edited": "UPDATE assessments SET value = '\"login!\"' WHERE trace_id = ?",
    "a tag was set": "INSERT INTO trace_tags VALUES ('seen', 'yes', ?)",
    "a tag was deleted": "DELETE FROM trace_tags WHERE key = 'channel' AND request_id = ?",
    "the status changed": "UPDATE trace_info SET status = 'IN_PROGRESS' WHERE request_id = ?",
    "the trace was deleted": "DELETE FROM trace_info WHERE request_id = ?",
    "feedback was backdated": "INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, "
    "created_timestamp, last_updated_timestamp, source_type, valid) SELECT 'a-1', ?, 'resolved', 'feedback', 'true', "
    "1, 1, 'HUMAN', 1",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_whatever_changed_its_day_and_no_other_is_named(telefine, loaded, statement):
    write(loaded, statement, [first_trace(loaded, MIDDLE)])
    code, out, _ = telefine("changed", "--json", "--check")
    assert code == 1
    (change,) = json.loads(out)
    assert change["day"] == MIDDLE
    assert change["samples"] == [first_trace(loaded, MIDDLE)] or "removed" in change


def test_a_trace_that_arrives_late_names_the_day_on_which_it_started(telefine, loaded):
    (late,) = fill(f"sqlite:///{loaded.file}", 1, bounds_ms(FIRST)[0] + 5, seed=99)
    code, out, _ = telefine("changed")
    assert code == 0
    assert out == f"{FIRST}  0 changed, 1 added, 0 removed  (such as {late})\n1 of 3 days must be loaded\n"


def test_loading_the_named_day_again_is_all_that_is_needed(telefine, loaded, tmp_path):
    write(loaded, "DELETE FROM assessments WHERE trace_id = ?", [first_trace(loaded, LAST)])
    copied = Deployment(loaded.home, tmp_path)
    with dg.instance_for_test() as instance:
        assert copied.run(instance, *DAYS).success
        fresh = copied.files()
    copied = Deployment(loaded.home, tmp_path / "again")
    for name, content in loaded.files().items():
        path = copied.home / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with dg.instance_for_test() as instance:
        assert copied.run(instance, LAST).success
    traces = {name for name in fresh if "/traces/" in name}
    assert {name: copied.files()[name] for name in traces} == {name: fresh[name] for name in traces}


def test_stats_add_up(telefine):
    code, out, _ = telefine("stats", "--json")
    assert code == 0
    days = json.loads(out)
    assert [each["day"] for each in days] == list(DAYS)
    for each in days:
        assert each["loaded"] == 100 == each["kept"] + sum(each["dropped"].values())
        assert sum(each["splits"].values()) == each["kept"] == sum(each["labels"].values())
        assert sum(each["scores"]) <= each["kept"]
    assert days[1]["dropped"]["failed"] == 1


def test_stats_are_drawn_for_people(telefine):
    _, out, _ = telefine("stats", "--from", MIDDLE)
    assert MIDDLE in out
    assert FIRST not in out
    assert "Kept traces by score:" in out
    assert "#" in out


def test_why_names_the_rule_and_what_it_means(telefine, loaded):
    code, out, _ = telefine("why", loaded.failed)
    assert code == 0
    assert "Dropped by the rule failed: its status is none of those that are wanted." in out
    kept = json.loads(telefine("why", first_trace(loaded, LAST), "--json")[1])
    assert kept["day"] == LAST
    assert kept["cleaned"]["split"] in kept["told"]


def test_names_that_no_trace_has_are_told_by_the_days_run_and_by_why(loaded, telefine, tmp_path, monkeypatch):
    wrong = Deployment(loaded.home, tmp_path)
    file = tmp_path / "telefine.yaml"
    file.write_text(file.read_text().replace("right_team", "correct_team"))
    wrong.settings = load_settings(file)
    wrong.defs = build_defs(wrong.settings)
    said = f"no trace of {LAST} has an expectation 'correct_team'; there are: right_team"
    with dg.instance_for_test() as instance:
        run = wrong.run(instance, LAST)
        logged = [each.user_message for each in instance.all_logs(run.run_id)]
    assert f"{said} (programs.tickets.cleaning)" in logged
    [made] = run.asset_materializations_for_node("tickets__cleaned_traces")
    assert said in made.metadata["names_absent"].value
    monkeypatch.setenv("TELEFINE_CONFIG", str(file))
    _, out, _ = telefine("why", first_trace(loaded, LAST))
    assert "Dropped by the rule unlabelled: the expectation 'correct_team' (for team) is missing.\n" in out


def test_why_of_an_unknown_trace_says_what_to_do(telefine):
    code, out, errors = telefine("why", "tr-unknown")
    assert (code, out) == (1, "")
    assert "no stored day of tickets holds trace 'tr-unknown'" in errors


def test_inspect_shows_traces_with_their_fate(telefine, loaded):
    _, out, _ = telefine("inspect", MIDDLE, "--limit", "2", "--json")
    rows = json.loads(out)
    assert [row["trace_id"] for row in rows] == [loaded.failed, loaded.second]
    assert rows[0]["fate"] == "failed"
    only = json.loads(telefine("inspect", MIDDLE, "--status", "ERROR", "--json")[1])
    assert [row["trace_id"] for row in only] == [loaded.failed]


def test_inspect_is_read_at_a_hundred_columns_with_what_was_said(telefine, loaded):
    (row,) = json.loads(telefine("inspect", MIDDLE, "--limit", "1", "--json")[1])
    _, out, _ = telefine("inspect", MIDDLE, "--limit", "2")
    first, *_ = lines = out.splitlines()
    assert first.split() == [loaded.failed, first.split()[1], "ERROR", "failed"]
    assert len(lines) <= 8, "a trace takes four lines"
    assert max(map(len, lines)) <= 100
    for name, value in row["said"].items():
        assert f"{name}={value}" in lines[3]


def test_a_trace_cannot_steer_the_terminal(telefine, loaded):
    _, out, _ = telefine("why", loaded.failed)
    assert "gone" in out
    assert "\x1b" not in out


def test_days_must_be_days(telefine):
    code, _, errors = telefine("stats", "--from", "yesterday")
    assert code == 1
    assert "--from and --to are days such as 2026-11-30" in errors


def test_a_day_that_is_not_stored_says_what_makes_it(telefine):
    code, _, errors = telefine("inspect", "2026-11-09")
    assert code == 1
    assert "make it first: telefine run " in errors
