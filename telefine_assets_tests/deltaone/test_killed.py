"""A process that is killed while it evaluates, and started again, ends where it would have ended."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from telefine_assets.canonical import sha256_hex
from telefine_assets.deltaone.holdout import holdout_of
from telefine_assets.ledger.connection import Ledger
from telefine_assets_tests.programs.examples import KEY

from .house import CLEANED, MONDAY, SETTINGS, SPEC, House
from .look_process import IN_FLIGHT, NAMES, look

N = len(holdout_of(CLEANED, SPEC, SETTINGS, KEY).items)


@pytest.fixture
def killed(request, knn, tmp_path):
    """A deployment whose look was killed with SIGKILL: while it asked, or while it scored."""
    gate = tmp_path / "gate"
    house = House(tmp_path / "killed", knn)
    house.folder.mkdir()
    if request.param == "scoring":
        gate.touch()
    else:
        knn.latency_seconds = 0.03
    process = start(house, gate)
    wait_for(lambda: Path(f"{gate}.scoring").exists() if request.param == "scoring" else knn.calls > N // 2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    # Answers on their way to the dead process come to nobody.
    time.sleep(3 * knn.latency_seconds)
    gate.unlink(missing_ok=True)
    house.gate = gate
    return house


def start(house, gate):
    command = (sys.executable, "-m", "telefine_assets_tests.deltaone.look_process")
    return subprocess.Popen([*command, str(house.folder), house.knn.api_base, str(gate)])


def wait_for(happened):
    deadline = time.monotonic() + 180
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def answers_of(house):
    with sqlite3.connect(house.folder / "ledger.db") as database:
        return database.execute("select request_key, response from lm_answers").fetchall()


def unkilled(house):
    """A deployment that knows the same answers, and in which the look is taken without a pause."""
    other = House(house.folder.with_name("unkilled"), house.knn)
    other.folder.mkdir()
    Ledger(f"sqlite:///{other.folder / 'ledger.db'}").close()
    with sqlite3.connect(other.folder / "ledger.db") as database:
        database.executemany("insert into lm_answers (request_key, response) values (?, ?)", answers_of(house))
    look(other.folder, house.knn.api_base, str(house.gate))
    return other


@pytest.mark.parametrize(("killed", "number"), [("asking", None), ("scoring", 1)], indirect=["killed"])
def test_the_same_bytes_and_no_answered_question_twice(killed, number):
    known, asked = len(answers_of(killed)), killed.knn.calls
    assert [(day, k) for day, _, k, _ in killed.looks()] == [(MONDAY, number)]
    assert not (killed.folder / "record.json").exists()
    assert start(killed, killed.gate).wait() == 0
    assert killed.knn.calls - asked == 2 * N - known, "what was answered was not asked again"
    twice = [prompt for prompt, times in Counter(killed.knn.prompts).items() if times > 1]
    assert len(twice) <= IN_FLIGHT
    assert (known < 2 * N) == (number is None)

    calls = killed.knn.calls
    other = unkilled(killed)
    assert other.knn.calls == calls
    for name in NAMES:
        assert (other.folder / name).read_bytes() == (killed.folder / name).read_bytes()
    record = json.loads((killed.folder / "record.json").read_bytes())
    assert (record["reached"], record["public"]["k"]) == (True, 1)
    assert {"rows.jsonl", "report.json", "looks.json"} < set(record["evidence"])
    for digest in record["evidence"].values():
        assert sha256_hex(killed.evidence.get(digest)) == sha256_hex(other.evidence.get(digest)) == digest
    assert [(day, k) for day, _, k, _ in killed.looks()] == [(MONDAY, 1)]
