"""The demonstration from beginning to end: production, every partition, report.

Each step looks first at what is there already, so that a demonstration that was
killed is completed by starting it again.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telefine_assets.errors import TelefineError
from telefine_assets.settings.schema import Settings

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

PROGRAM = "film_reviews"
_TAG = "telefine/demo"


def run_demo(settings: Settings, sentences_a_day: int) -> None:
    """Run what is missing of the demonstration and print its report."""
    from rich.console import Console

    from telefine_assets.demo.report import print_report

    # Bound to the real stream: DSPy's optimisers print, and their output is redirected.
    console = Console(file=sys.stdout, highlight=False)
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_alone(settings))
        console.print("[bold]Telefine demonstration: film reviews[/bold]")
        console.print("People, wallets, days and feedback are simulated. All else is real.\n")
        _make_signer(settings)
        stack.enter_context(_model(settings, console))
        console.print("[bold]1. Production:[/bold] the first version serves five days; MLflow logs every call")
        _serve(settings, sentences_a_day)
        console.print("[bold]2. Pipeline:[/bold] every partition, through Dagster")
        _materialise(settings, console)
    print_report(settings, console, time.monotonic() - started)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One demonstration at a time in one home."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TelefineError(f"a demonstration is already running in {settings.home}; wait for it") from None
        yield


def _make_signer(settings: Settings) -> None:
    """Make the attester's keystore, if there is none. The password lies beside it: this is a demonstration."""
    keystore, password = settings.signer.keystore, settings.signer.password_file
    if settings.signer.kind != "keystore" or keystore is None or password is None or keystore.exists():
        return
    from eth_account import Account

    keystore.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = secrets.token_urlsafe(24)
    encrypted = json.dumps(Account.encrypt(Account.create().key, secret))
    # The password first: a keystore without one could never be opened.
    for path, content in ((password, secret), (keystore, encrypted)):
        beside = path.with_name(path.name + ".part")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(content)
        beside.replace(path)


@contextmanager
def _model(settings: Settings, console: Console) -> Iterator[None]:
    """Keep the embedded model's server for the whole demonstration, if it is the one used."""
    if settings.lm.model != "embedded":
        yield
        return
    from telefine_assets.lm.embedded import embedded_model

    options = settings.lm.embedded
    with embedded_model(threads=options.threads, state_dir=options.state_dir) as served:
        console.print(f"Language model: {served.model} at {served.api_base} (Gemma terms of use)\n")
        yield


def _serve(settings: Settings, sentences_a_day: int) -> None:
    command = [sys.executable, "-m", "telefine_assets.demo.production", str(sentences_a_day)]
    quiet = {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_DISABLE_TELEMETRY": "true"}
    if subprocess.run(command, env={**os.environ, **quiet}, check=False).returncode:  # noqa: S603
        raise TelefineError("the production days were not completed; start the demonstration again to go on")


def _materialise(settings: Settings, console: Console) -> None:
    """Materialise the whole line for every day that has no successful run of it."""
    import dagster as dg

    from telefine_assets.definitions import build_defs

    days = _days(settings)
    with dg.DagsterInstance.get() as instance:
        _close_orphans(instance)
        defs = build_defs(settings, loggers={"console": _logger(console)})
        job = defs.resolve_job_def(f"{PROGRAM}_line")
        for day in days:
            if _succeeded(instance, day):
                console.print(f"  {day}  materialised before")
                continue
            console.print(f"  {day}")
            result = job.execute_in_process(
                run_config={"loggers": {"console": {}}},
                partition_key=day,
                instance=instance,
                tags={_TAG: str(os.getpid())},
                raise_on_error=False,
            )
            if not result.success:
                raise TelefineError(f"{day} failed; see run {result.run_id} in the Dagster UI, then start again")


def _succeeded(instance: dg.DagsterInstance, day: str) -> bool:
    """Whether the whole line ran for a day, its checks included."""
    import dagster as dg

    wanted = dg.RunsFilter(
        job_name=f"{PROGRAM}_line", statuses=[dg.DagsterRunStatus.SUCCESS], tags={"dagster/partition": day}
    )
    return instance.get_runs_count(wanted) > 0


def _days(settings: Settings) -> list[str]:
    first, last = settings.partitions.start, settings.partitions.end or settings.partitions.start
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def _close_orphans(instance: dg.DagsterInstance) -> None:
    """Runs of a demonstration that was killed would look as if they still ran."""
    import dagster as dg

    unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    for run in instance.get_runs(dg.RunsFilter(statuses=unfinished)):
        if _TAG in run.tags:
            instance.report_run_failed(run, "The demonstration was stopped during this run.")


def _logger(console: Console) -> dg.LoggerDefinition:
    """What the stages say, and nothing of Dagster's own, on the demonstration's console."""
    import logging

    import dagster as dg

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta: dict[str, Any] = getattr(record, "dagster_meta", {})
            step = str(meta.get("step_key") or "")
            event = meta.get("dagster_event")
            if event is None and step and record.levelno == logging.INFO:
                console.print(f"    {step.split('__')[-1]:<20} {meta.get('orig_message', '')}", markup=False)
            elif event is not None and event.event_type_value == "STEP_FAILURE":
                console.print(f"    {step}: failed\n{event.event_specific_data.error_display_string}", markup=False)

    def console_logger(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("telefine.demo", logging.INFO)
        logger.addHandler(Handler())
        return logger

    return dg.LoggerDefinition(console_logger, description="The demonstration's console.")
