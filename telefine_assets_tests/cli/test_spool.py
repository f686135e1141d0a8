"""``telefine spool``: what waits, how it comes to MLflow, and what MLflow does not take."""

import gc
import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from telefine_assets.cli import spool_following
from telefine_assets.cli.main import main
from telefine_assets.cli.spool_following import keep_draining
from telefine_assets.control.spool_failures import kept_failure
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.spool import Spool
from telefine_assets.ledger.turns import turn
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.ledger.draining import submitted
from telefine_assets_tests.ledger.spooling import batch
from telefine_assets_tests.traces.mlflow_store import copy_store

SETTINGS = """
deployment: shop
partitions: {start: 2026-11-02}
lm: {model: openai/none, api_base: "http://127.0.0.1:9"}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
  refunds:
    module: telefine_assets_tests.programs.tickets:build
    experiment: refunds
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
"""


@pytest.fixture
def settings(tmp_path, monkeypatch, empty_template):
    (tmp_path / "telefine.yaml").write_text(SETTINGS)
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "200")
    found = load_settings()
    copy_store(empty_template, tmp_path / ".telefine")
    assert found.mlflow.tracking_uri == f"sqlite:///{tmp_path}/.telefine/mlflow.db"
    return found


@pytest.fixture
def ledger(settings):
    with closing(Ledger(settings.ledger.url)) as ledger:
        yield ledger


@pytest.fixture
def telefine(capsys):
    """Run ``telefine spool``; returns exit code, output and errors."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["spool", *arguments])
        done = capsys.readouterr()
        return caught.value.code or 0, done.out, done.err

    return run


def accept(ledger, *offers, program="tickets"):
    Spool(ledger).accept(batch(*offers, program=program), time.time_ns() // 10**6 - 5_000)


def test_traces_go_to_mlflow_and_the_lag_goes_down(telefine, ledger):
    accept(ledger, submitted(1), replace(submitted(2), body="{}"), submitted(3))
    code, out, _ = telefine("status", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["tickets"] | {"oldest_seconds": 0} == {"accepted": 3, "waiting": 3, "oldest_seconds": 0, "refused": 0}
    assert told["tickets"]["oldest_seconds"] >= 5
    assert told["refunds"] == {"accepted": 0, "waiting": 0, "oldest_seconds": None, "refused": 0}
    code, out, err = telefine("drain", "-p", "tickets")
    assert (code, out) == (0, "tickets: 2 written, 1 refused by MLflow\n")
    assert "telefine spool refused" in err
    assert json.loads(telefine("status", "--json", "-p", "tickets")[1])["tickets"] == {
        "accepted": 3, "waiting": 0, "oldest_seconds": None, "refused": 1,
    }  # fmt: skip
    [aside] = json.loads(telefine("refused", "--json")[1])
    assert (aside["program"], aside["position"]) == ("tickets", 1)
    assert aside["trace_id"] in telefine("refused")[1]
    assert telefine("replay", "-p", "tickets")[:2] == (0, "tickets: 0 written, 1 refused by MLflow\n")
    code, out, _ = telefine("replay", "-p", "tickets", "--json")
    assert (code, json.loads(out)) == (0, {"tickets": {"written": 0, "refused": 1}})


def test_one_program_that_cannot_be_written_holds_no_other_up(telefine, settings, ledger):
    accept(ledger, submitted(1))
    accept(ledger, submitted(2), program="refunds")
    code, _, err = telefine("drain")
    assert code == 1
    assert "refunds: MLflow has no experiment 'refunds'; create it" in err
    assert Spool(ledger).lag("tickets").waiting == 0
    assert Spool(ledger).lag("refunds").waiting == 1
    assert "no experiment 'refunds'" in kept_failure(settings.home, "refunds")
    assert kept_failure(settings.home, "tickets") is None
    assert "1 " in telefine("status")[1]


def test_what_comes_while_it_follows_is_written_too(settings, ledger, monkeypatch):
    monkeypatch.setattr(spool_following, "PAUSE_SECONDS", 0.05)
    said, stop = [], threading.Event()
    accept(ledger, submitted(0), program="refunds")
    follower = threading.Thread(target=keep_draining, args=(settings, ledger, stop, said.append))
    follower.start()
    try:
        accept(ledger, submitted(1))
        until = time.monotonic() + 180
        while Spool(ledger).lag("tickets").waiting and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        stop.set()
        follower.join()
    assert Spool(ledger).lag("tickets").waiting == 0
    assert any("no experiment 'refunds'" in each for each in said)


def test_who_waits_for_its_turn_sees_that_it_is_to_stop(settings, ledger):
    accept(ledger, submitted(1))
    said, stop = [], threading.Event()
    follower = threading.Thread(target=keep_draining, args=(settings, ledger, stop, said.append), daemon=True)
    with turn(ledger, "spool", 1, lambda held: pytest.fail(held)):
        follower.start()
        until = time.monotonic() + 180
        while not said and time.monotonic() < until:
            time.sleep(0.05)
        stop.set()
        follower.join(30)
        assert not follower.is_alive()
    assert ["waiting for a turn" in each for each in said] == [True]
    assert Spool(ledger).lag("tickets").waiting == 1


def test_a_server_writes_what_was_handed_in_and_leaves_nothing_behind(settings, ledger):
    accept(ledger, *(submitted(number) for number in range(3)))
    command = [sys.executable, "-m", "telefine_assets.cli.main", "serve", "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 240
        while Spool(ledger).lag("tickets").waiting and time.monotonic() < until:
            time.sleep(0.1)
        assert Spool(ledger).lag("tickets").waiting == 0
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0
        with turn(ledger, "spool", 1, lambda held: pytest.fail(held)):
            pass
    finally:
        server.kill()
        server.communicate()


def test_status_tells_what_waits_and_what_is_refused_only_where_something_does(settings, ledger, capsys, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(settings.home / "dagster"))

    def status(*arguments):
        with pytest.raises(SystemExit):
            main(["status", *arguments])
        assert gc.isenabled()
        return capsys.readouterr().out

    assert "wait for MLflow" not in status()
    accept(ledger, submitted(1), submitted(2))
    Spool(ledger).drained("tickets", 0, {0: "MLflow was odd"}, 1)
    assert re.search(
        r"1 traces wait for MLflow, the oldest for \d+ s; MLflow refuses 1: telefine spool refused", status()
    )
    told = {each["program"]: each["spool"] for each in json.loads(status("--json"))["programs"]}
    assert (told["tickets"]["waiting"], told["tickets"]["refused"], told["refunds"]["waiting"]) == (1, 1, 0)
