"""The command beside a real ``dagster dev``: runs go through its queue, and schedules are turned on and off."""

import json
import os
import signal
import socket
import time

import pytest

from telefine_assets.control.driver import open_control
from telefine_assets.control.reading import HERE
from telefine_assets.control.records import RunStatus
from telefine_assets.control.webserver import webserver_at
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.control.home import FIRST, LAST, SETTINGS, Home, command

GONE = """  gone:
    module: telefine_assets_tests.nowhere:build
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
"""
"""A program that the settings have and nobody wrote."""


@pytest.fixture(scope="module")
def home(tmp_path_factory, traced):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = SETTINGS + GONE
    made = Home(tmp_path_factory.mktemp("home"), traced, settings, url=f"http://127.0.0.1:{port}")
    with (made.folder / "dev.log").open("w") as log:
        dev = made.start("dagster", "dev", "-w", "workspace.yaml", "--host", "127.0.0.1", "-p", str(port), output=log)
    yield made
    os.killpg(dev.pid, signal.SIGKILL)
    dev.wait()


@pytest.fixture
def telefine(home, capsys, monkeypatch):
    return command(home, capsys, monkeypatch)


@pytest.fixture
def control(home, telefine):
    opened = open_control(load_settings())
    deadline = time.monotonic() + 300
    while webserver_at(opened.settings.dagster.url, opened.instance) is None:
        assert time.monotonic() < deadline, (home.folder / "dev.log").read_text()
        time.sleep(0.2)
    yield opened
    opened.close()


def test_runs_go_through_the_queue_and_can_be_stopped(telefine, control):
    code, out, _ = telefine("run", "traces", "--day", FIRST, "-p", "tickets")
    assert (code, f"{FIRST}  traces: succeeded" in out) == (0, True)
    newest = control.runs("tickets", 1)[0]
    tags = control.instance.get_run_by_id(newest.run_id).tags
    assert (HERE in tags, tags["dagster/code_location"], newest.stages) == (False, "telefine", ("traces",))
    code, out, _ = telefine("run", "traces", "--day", FIRST, "-p", "slow", "--detach")
    (run_id,) = out.split()
    assert next(each for each in control.follow(run_id) if each.status is not RunStatus.QUEUED).status == "started"
    assert telefine("stop", run_id)[:2] == (0, f"{run_id}: canceled\n")


def test_what_waits_behind_a_run_that_failed_for_all_of_them_is_not_tried(telefine, control):
    code, out, _ = telefine("run", "traces", "--day", FIRST, "-p", "gone", "--json")
    (failed,) = json.loads(out)["runs"]
    assert (code, failed["status"]) == (1, "failed")
    assert failed["error"].startswith("traces: ProgramError: programs.gone.module = ")
    slow = telefine("run", "traces", "--day", FIRST, "-p", "slow", "--detach")[1].strip()
    waiting = telefine("run", "traces", "--from", FIRST, "--to", LAST, "-p", "gone", "--detach")[1].split()
    control.give_up(failed["run_id"], waiting, "a test")
    ended = [list(control.follow(each))[-1] for each in waiting]
    assert [(each.status, each.started_ms, (each.error or "").partition(":")[0]) for each in ended] == [
        ("canceled", None, "not tried")
    ] * 2
    control.give_up(waiting[0], [slow], "a test")
    assert not control.run(slow).status.ended, "nothing failed there"
    assert telefine("stop", slow)[0] == 0


def test_a_schedule_is_turned_on_and_off_again(telefine, control):
    def on():
        found = json.loads(telefine("schedule", "list", "--json")[1])
        return {each["name"]: each["next_ms"] for each in found if each["running"]}

    before = on()
    assert telefine("schedule", "on", "tickets_schedule")[:2] == (0, "tickets_schedule: on\n")
    after = on()
    assert {*after} == {*before, "tickets_schedule"}
    assert 0 < after["tickets_schedule"] / 1000 - time.time() <= 86_400
    code, out, _ = telefine("schedule", "off", "tickets_schedule", "--json")
    assert (code, json.loads(out)) == (0, {"name": "tickets_schedule", "kind": "schedule", "running": False})
    assert on() == before
    code, _, err = telefine("schedule", "on", "nothing")
    assert (code, "no such schedule or sensor" in err) == (1, True)
