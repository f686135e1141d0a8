"""The profile ``cluster`` for real: thirty days over two workers that share no folder, one of which is killed."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from sqlalchemy import insert, select

from telefine_assets.automation.celery_runs import TASK, answers_of, celery_of
from telefine_assets.automation.jobs import LOADING
from telefine_assets.automation.tags import RANGE_END, RANGE_START, RETRY_OF
from telefine_assets.cli.main import main
from telefine_assets.control.driver import DagsterControl
from telefine_assets.control.reading import STAGES, line_job
from telefine_assets.control.records import RunRequest, RunStatus
from telefine_assets.definitions import build_defs
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import answers, payouts
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.schema import Settings
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.e2e.cluster import DAYS, FIRST, LAST, SOONER, Cluster, cluster, fill_experiments, load_all
from telefine_assets_tests.knn_lm import KnnLm, knn_lm
from telefine_assets_tests.traces.mlflow_store import copy_store

LASTS = {"alpha": LAST, "beta": SOONER}
PAY = (
    *("dagster", "asset", "materialize", "-m", "telefine_assets.definitions"),
    *("--select", 'key:"alpha/contributor_payouts"', "--partition", LAST),
)
"""Asks no queue."""


@pytest.fixture(scope="module")
def lm() -> Iterator[KnnLm]:
    with knn_lm() as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, lm: KnnLm) -> Iterator[Cluster]:
    """The services of a cluster. Whoever drives it does so from a machine where nothing else runs."""
    with cluster(tmp_path_factory.mktemp("cluster"), lm.api_base) as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.machine("desk").environment.items():
            patch.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def control(made: Cluster) -> Iterator[DagsterControl]:
    with made.opened("one", "two") as control:
        yield control


def ended(control: DagsterControl, run_id: str) -> RunStatus:
    *_, last = control.follow(run_id)
    return last.status


def stored(uri: str) -> dict[str, bytes]:
    files = Files(uri)
    return {name: files.read(name) or b"" for name in files.sizes("")}


def hand_on_answers(source: str, target: str) -> None:
    """Give one ledger what the model answered to the other: how long it took over each answer is evidence too."""
    with closing(Ledger(source)) as one, closing(Ledger(target)) as other:
        with one.reading() as connection:
            rows = [row._asdict() for row in connection.execute(select(answers))]
        with other.writing() as connection:
            connection.execute(insert(answers), rows)


@dataclass
class Alone:
    """The same deployment on one machine: SQLite, a folder, no workers."""

    settings: Settings
    defs: dg.Definitions

    @classmethod
    def of(cls, values: dict[str, Any], folder: Path, empty_template: Path) -> "Alone":
        """Make it in ``folder``, with the same traces."""
        (folder / "telefine.yaml").write_text(yaml.safe_dump(values))
        fill_experiments(copy_store(empty_template, folder / ".telefine"))
        with pytest.MonkeyPatch.context() as patch:
            for name in ("TELEFINE_PROFILE", "TELEFINE_LEDGER__URL", "TELEFINE_MLFLOW__TRACKING_URI"):
                patch.delenv(name)
            settings = load_settings(folder / "telefine.yaml")
        assert settings.store.uri.startswith(str(folder)) and settings.ledger.url.startswith("sqlite:")
        quiet = dg.colored_console_logger.configured({"log_level": "ERROR"})
        return cls(settings, build_defs(settings, loggers={"console": quiet}))

    def make(self, program: str, stages: Sequence[str]) -> None:
        """Make stages of a program: the first two of all its days, more of the last."""
        span = {RANGE_START: FIRST, RANGE_END: LASTS[program]} if stages == LOADING else {}
        with dg.DagsterInstance.ephemeral() as instance:
            self.defs.resolve_job_def(line_job(program)).execute_in_process(
                partition_key=None if span else LAST,
                asset_selection=[dg.AssetKey([program, stage]) for stage in stages],
                instance=instance,
                tags=span,
            )


@dataclass(frozen=True)
class Story:
    """What happened: the run whose worker was killed, the one that did it again, who paid, and one machine's work."""

    lost: dg.DagsterRun
    again: dg.DagsterRun
    payers: Sequence[subprocess.Popen[str]]
    alone: Alone


@pytest.fixture(scope="module")
def story(
    made: Cluster, control: DagsterControl, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Story:
    """Both programs are loaded; the worker that loads the second is killed. Then the first gets its payout."""
    runs = {program: load_all(control, program, FIRST, last) for program, last in LASTS.items()}
    files, app, instance = Files(control.settings.store.uri), celery_of(control.instance), control.instance
    made.until(lambda: files.names("tables/beta/traces"))
    task = instance.get_run_by_id(runs["beta"]).tags[TASK]
    (worker,) = [name for name, tasks in answers_of(app).items() if task in tasks]
    made.machines[worker.partition("@")[0]].kill()
    made.worker("three")
    (line,) = control.start(RunRequest("alpha", STAGES[:-1], LAST, LAST, "a test"))
    alone = Alone.of(made.values, tmp_path_factory.mktemp("alone"), request.getfixturevalue("empty_template"))
    for program in LASTS:
        alone.make(program, LOADING)
    assert [ended(control, each) for each in (runs["alpha"], line)] == [RunStatus.SUCCEEDED] * 2, made.logs()
    payers = [made.machine(name).start(*PAY) for name in ("left", "right")]
    assert ended(control, runs["beta"]) is RunStatus.FAILED
    (again,) = made.until(lambda: instance.get_runs(dg.RunsFilter(tags={RETRY_OF: runs["beta"]})))
    assert ended(control, again.run_id) is RunStatus.SUCCEEDED
    made.until(lambda: all(process.poll() is not None for process in payers))
    lost, done = (instance.get_run_by_id(each) for each in (runs["beta"], again.run_id))
    assert lost is not None and done is not None
    return Story(lost, done, payers, alone)


def test_a_run_whose_worker_is_killed_is_found_lost_and_made_again(story: Story) -> None:
    assert (story.lost.status, story.again.status) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS)
    assert story.lost.tags["telefine/failure"].startswith("transient: The run's process is gone")


def test_two_machines_that_are_asked_to_pay_the_same_day_pay_once(
    made: Cluster, control: DagsterControl, story: Story
) -> None:
    assert [process.returncode for process in story.payers] == [0, 0], made.logs("left", "right")
    record = RecordStore(Files(control.settings.store.uri)).read("alpha", "contributor_payouts", LAST)
    assert record["outcome"] == "planned"
    with closing(Ledger(control.settings.ledger.url)) as ledger, ledger.reading() as connection:
        assert connection.execute(select(payouts.c.program, payouts.c.day)).all() == [("alpha", LAST)]


def test_thirty_days_over_two_workers_are_byte_for_byte_those_of_one_machine(
    control: DagsterControl, lm: KnnLm, story: Story
) -> None:
    calls = lm.calls
    hand_on_answers(control.settings.ledger.url, story.alone.settings.ledger.url)
    story.alone.make("alpha", STAGES)
    assert lm.calls == calls
    there, here = stored(control.settings.store.uri), stored(story.alone.settings.store.uri)
    assert {*there} == {*here}
    assert [name for name in here if here[name] != there[name]] == []
    assert sum(name.startswith("tables/alpha/cleaned_traces/") for name in here) == DAYS


def test_the_doctor_finds_the_cluster_whole_from_a_machine_where_nothing_runs(
    control: DagsterControl, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--no-lm", "--json"])
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert [each for each in found.values() if each["health"] == "broken"] == []
    assert caught.value.code == 0
    assert re.fullmatch(r"2 answer \(.*\bthree@.+\), and work at 0 runs", found["Celery workers"]["said"])
    assert found["shared places"]["health"] == found["lost runs"]["health"] == "ok"


def test_a_run_is_stopped_on_whatever_worker_has_it_and_the_worker_works_on(
    made: Cluster, control: DagsterControl, lm: KnnLm, story: Story
) -> None:
    calls, lm.latency_seconds = lm.calls, 30.0
    (run_id,) = control.start(RunRequest("beta", ("compiled_programs",), SOONER, SOONER, "a test"))
    made.until(lambda: lm.calls > calls)
    control.stop(run_id, "a test")
    run = control.run(run_id)
    assert run is not None and run.status is RunStatus.CANCELED
    lm.latency_seconds = 0.0
    assert list(answers_of(celery_of(control.instance)).values()) == [[], []]
