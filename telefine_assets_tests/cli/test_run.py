"""``telefine run``, ``stop`` and ``status``: real runs in a real Dagster instance, with nothing else running."""

import json
import os
import signal

import pytest

from telefine_assets.control.child import holder
from telefine_assets.control.driver import open_control
from telefine_assets.control.health import Health, examine
from telefine_assets.control.health_dagster import DAGSTER
from telefine_assets.control.records import RunStatus
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.control.home import FIRST, LAST, SETTINGS, Home, command

DOWN = """  down:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    cleaning: {expectations: {team: right_team}}
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}], min_train: 1, min_validation: 1}
"""
"""A program that has enough to compile from, and so asks the model, which is not there."""


@pytest.fixture(scope="module")
def home(tmp_path_factory, traced):
    settings = SETTINGS.replace("max_tokens: 16", "max_tokens: 16, num_retries: 1") + DOWN
    return Home(tmp_path_factory.mktemp("home"), traced, settings)


@pytest.fixture
def telefine(home, capsys, monkeypatch):
    return command(home, capsys, monkeypatch)


@pytest.fixture
def control(telefine):
    opened = open_control(load_settings())
    yield opened
    opened.close()


def stages_in(telefine, program):
    code, out, _ = telefine("status", "--json")
    assert code == 0
    found = next(each for each in json.loads(out)["programs"] if each["program"] == program)
    return {each["stage"]: each for each in found["stages"]}


def first_started(control, run_id):
    return next(each for each in control.follow(run_id) if each.status is not RunStatus.QUEUED)


def test_a_range_is_made_day_by_day_and_each_day_ends_in_what_came_of_it(telefine):
    code, out, _ = telefine("run", "traces", "--from", FIRST, "--to", LAST, "-p", "tickets")
    assert code == 0
    for day in (FIRST, LAST):
        lines = [line for line in out.splitlines() if line.startswith(f"{day}  traces: ")]
        assert lines == [f"{day}  traces: started", f"{day}  traces: succeeded"], "however short it was"
    assert out.splitlines()[-2:] == [f"{FIRST}: 20 traces", f"{LAST}: 20 traces"]
    stages = stages_in(telefine, "tickets")
    assert (stages["traces"]["last_day"], stages["traces"]["materialised"]) == (LAST, 2)


def test_a_failure_is_told_now_and_later_and_what_it_kept_from_being_tried_is_no_failure(telefine, monkeypatch):
    asked = ("run", "compiled_programs", "deltaone_reports", "--day", LAST, "-p", "tickets")
    code, out, _ = telefine(*asked, "--json")
    told = json.loads(out)
    assert (code, [each["status"] for each in told["runs"]]) == (1, ["failed"])
    assert [(each["day"], each["status"], each["sentence"]) for each in told["days"]] == [
        (LAST, "failed", "compiled_programs failed")
    ]
    code, out, err = telefine(*asked)
    assert code == 1
    assert f"{LAST}  compiled_programs: failed" in out
    assert "deltaone_reports: " not in out
    why = "compiled_programs: MissingPartition: tickets/cleaned_traces has no partition"
    assert f"{LAST}: {why}" in err
    monkeypatch.setenv("TELEFINE_LM__API_KEY", "cleaned_traces")
    code, out, _ = telefine("status")
    assert code == 0
    assert "no run goes on" in out
    assert f"  failed: {LAST}: {why.replace('cleaned_traces', '**********')}" in out, "no secret is told"
    stages = stages_in(telefine, "tickets")
    assert [
        (each["failed"], each["untried"]) for each in (stages["compiled_programs"], stages["deltaone_reports"])
    ] == [
        ([LAST], []),
        ([], [LAST]),
    ]


def test_a_model_that_is_down_is_told_of_at_once_and_no_further_day_is_tried(telefine, control):
    asked = ("run", "traces", "cleaned_traces", "compiled_programs", "--from", FIRST, "--to", LAST, "-p", "down")
    code, out, err = telefine(*asked)
    assert code == 1, out
    assert f"{FIRST}  the model openai/nearest-demos does not answer (connection refused); trying again, 1 of 1" in out
    assert f"{FIRST}: compiled_programs: Unreachable: the language model did not answer" in err
    assert f"{LAST}: not tried: a day before it failed by what would fail this one, too" in err
    *_, first, last = out.splitlines()
    assert (first, last) == (f"{FIRST}: 20 traces, 11 kept; compiled_programs failed", f"{LAST}: not tried")
    assert [each.days for each in control.runs("down", 10)] == [(FIRST,)]
    code, out, _ = telefine("status")
    assert f"  failed: {FIRST}: compiled_programs: Unreachable: the language model did not answer" in out
    assert f"  {FIRST}: 20 traces, 11 kept\n" in out


def test_ctrl_c_leaves_the_run_going_and_stop_ends_it(home, telefine, control):
    process = home.telefine_process("run", "traces", "--from", FIRST, "--to", LAST, "-p", "slow")
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "traces: started" in line:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 1, rest
    running = [each for each in control.unfinished() if each.program == "slow"]
    assert [each.days for each in running] == [(FIRST,)]
    run_id = running[0].run_id
    assert f"{run_id} goes on; `telefine stop {run_id}` ends it" in rest
    assert stages_in(telefine, "slow")["traces"]["running"] == [FIRST]
    code, out, _ = telefine("stop", run_id)
    assert (code, out) == (0, f"{run_id}: canceled\n")
    # The next day was begun together with it, and ends with it.
    assert not [each for each in control.runs("slow", 10) if each.days == (LAST,)]


def test_a_run_whose_process_was_killed_is_named_and_can_be_ended(home, telefine, control):
    code, out, _ = telefine("run", "traces", "--day", FIRST, "-p", "slow", "--detach", "--json")
    assert code == 0
    (run_id,) = json.loads(out)["runs"]
    assert first_started(control, run_id).status is RunStatus.STARTED
    assert not control.orphans()
    child = holder(home.folder / ".telefine" / "runs" / f"{run_id}.json")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert control.orphans() == [run_id]
    (found,) = examine(load_settings(), [each for each in DAGSTER if each.name == "runs"])
    assert (found.health, found.cure) == (Health.BROKEN, f"telefine stop {run_id}")
    code, out, _ = telefine("stop", run_id, "--json")
    told = json.loads(out)
    assert (code, told["run_id"], told["program"], told["status"]) == (0, run_id, "slow", "canceled")
    assert not control.orphans()


def test_what_cannot_be_run_is_refused_before_anything_starts(telefine, control):
    before = [each.run_id for each in control.runs(None, 50)]
    for arguments, code, said in (
        (("traces", "-p", "tickets"), 2, "say which days"),
        (("traces", "--day", FIRST, "--to", LAST, "-p", "tickets"), 2, "say which days"),
        (("tracks", "--day", FIRST, "-p", "tickets"), 1, "tracks: is no stage; there are: traces, cleaned_traces"),
        (
            ("traces", "--day", "2026-11-04", "-p", "tickets"),
            1,
            "complete days there are from 2026-11-02 to 2026-11-03",
        ),
        (("traces", "--day", "yesterday", "-p", "tickets"), 1, "YYYY-MM-DD"),
        (("traces", "--from", LAST, "--to", FIRST, "-p", "tickets"), 1, "the earlier one first"),
        (("traces", "--day", FIRST), 1, "choose one with --program"),
        (("traces", "--day", FIRST, "-p", "nothing"), 1, "no program 'nothing'"),
    ):
        exit_code, out, err = telefine("run", *arguments)
        assert (exit_code, out) == (code, "")
        assert said in " ".join(err.split())
    assert [each.run_id for each in control.runs(None, 50)] == before


def test_a_run_that_is_not_there_cannot_be_stopped_or_followed(telefine, control):
    nobody = "00000000-0000-0000-0000-000000000000"
    code, _, err = telefine("stop", nobody)
    assert (code, "there is no run" in err) == (1, True)
    assert control.run(nobody) is None


def test_runs_are_paged_from_the_newest_on(telefine, control):
    every = control.runs(None, 50)
    assert len(every) >= 3
    assert every == [*control.runs(None, 2), *control.runs(None, 50, after=every[1].run_id)]
    assert {each.program for each in control.runs("slow", 50)} == {"slow"}


def test_a_child_that_cannot_work_is_told_of_with_its_last_words(home, telefine, monkeypatch):
    broken = home.folder / "broken"
    broken.mkdir()
    (broken / "filelock.py").write_text("raise RuntimeError('a broken machine')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    code, _, err = telefine("run", "traces", "--day", FIRST, "-p", "tickets")
    assert code == 1
    assert "the run could not be started" in err
    assert "a broken machine" in err
