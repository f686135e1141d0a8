"""``telefine spool``: what waits, how it comes to MLflow, and what MLflow does not take."""

import json
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from telefine_assets.cli.main import main
from telefine_assets.cli.spool import keep_draining
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.spool import Spool
from telefine_assets.settings import load_settings
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


def test_one_program_that_cannot_be_written_holds_no_other_up(telefine, ledger):
    accept(ledger, submitted(1))
    accept(ledger, submitted(2), program="refunds")
    code, _, err = telefine("drain")
    assert code == 1
    assert "refunds: MLflow has no experiment 'refunds'; create it" in err
    assert Spool(ledger).lag("tickets").waiting == 0
    assert Spool(ledger).lag("refunds").waiting == 1
    assert "1 " in telefine("status")[1]


def test_what_comes_while_it_follows_is_written_too(settings, ledger, monkeypatch):
    from telefine_assets.cli import spool as command

    monkeypatch.setattr(command, "_PAUSE_SECONDS", 0.05)
    said, stop = [], threading.Event()
    accept(ledger, submitted(0), program="refunds")
    follower = threading.Thread(target=keep_draining, args=(settings, ledger, stop, said.append))
    follower.start()
    try:
        accept(ledger, submitted(1))
        until = time.monotonic() + 60
        while Spool(ledger).lag("tickets").waiting and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        stop.set()
        follower.join()
    assert Spool(ledger).lag("tickets").waiting == 0
    assert any("no experiment 'refunds'" in each for each in said)
