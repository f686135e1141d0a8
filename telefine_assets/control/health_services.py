"""Checks of what Telefine works with: MLflow, models, store, ledger, signer, clock, disk."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telefine_assets.control.health import Broken, Check, Skipped
from telefine_assets.control.health_store import require_whole
from telefine_assets.errors import TelefineError
from telefine_assets.settings.addresses import without_password

if TYPE_CHECKING:
    from telefine_assets.settings.lm import LmSettings
    from telefine_assets.settings.schema import Settings

_LEAST_FREE_BYTES = 1 << 30
_MOST_SKEW_SECONDS = 30
_LM_SECONDS = 30.0


def mlflow(settings: Settings) -> str:
    """Reached, and of a schema that is known or can be read through the API."""
    from telefine_assets.traces.sources.opening import open_source

    uri = settings.mlflow.tracking_uri
    file = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not file.is_file():
        # MLflow would make it, and whoever looks would find an empty one.
        raise Broken(
            f"{file}: no such file",
            f"have your program log its traces there (mlflow.set_tracking_uri('{uri}')), or set mlflow.tracking_uri to "
            "where it does",
        )
    described = open_source(settings.mlflow.trace_source, uri).described
    return f"{without_password(uri)}: traces are read {described}"


def experiments(settings: Settings) -> str:
    """Every program's experiment takes traces; that of its runs, and its model, are no other deployment's."""
    try:
        mlflow(settings)
    except TelefineError:
        raise Skipped("MLflow has to be in order first") from None
    for name, program in settings.programs.items():
        if program.traces.files is None:
            _require_traced(settings.mlflow.tracking_uri, name, program.experiment)
    _require_own(settings)
    return f"{len(settings.programs)} found"


def _require_traced(uri: str, program: str, experiment: str) -> None:
    """Refuse an experiment that takes no traces."""
    found = _experiment(uri, experiment)
    if found is None:
        raise Broken(
            f"programs.{program}.experiment = {experiment!r}: MLflow has no such experiment",
            "name the experiment that your program logs to, or let it log its first trace",
        )
    if found.lifecycle_stage != "active":
        raise Broken(
            f"programs.{program}.experiment = {experiment!r}: was deleted in MLflow",
            f"restore it (`mlflow experiments restore -x {found.experiment_id}`), or name another one",
        )


def _require_own(settings: Settings) -> None:
    """Refuse programs under whose name another deployment works in the same MLflow: their first run would fail."""
    from mlflow import MlflowClient

    from telefine_assets.programs.registry import AnothersError, Owner, require_own

    client = MlflowClient(tracking_uri=settings.mlflow.tracking_uri)
    owner = Owner(settings.deployment, settings.mlflow.artifacts, bool(settings.lm.api_base))
    shared = [settings.deployment] if settings.mlflow.run_per == "dagster_run" else []
    try:
        require_own(client, owner, [f"telefine/{name}" for name in (*shared, *settings.programs)], settings.programs)
    except AnothersError as error:
        raise Broken(error.said, error.cure) from None


def _experiment(uri: str, name: str) -> Any:
    """MLflow's experiment of that name, or None."""
    from mlflow import MlflowClient, __version__
    from mlflow.exceptions import MlflowException

    try:
        return MlflowClient(uri).get_experiment_by_name(name)
    except MlflowException as error:
        # It says nothing that could be told apart otherwise.
        if "database schema" not in str(error):
            raise
        found = str(error).partition(". ")[0]
        raise Broken(
            f"MLflow's database has another schema than the MLflow that is installed here ({__version__}): {found}",
            "install the MLflow that wrote it or, where it is older, make a backup and run `mlflow db upgrade URI`",
        ) from None


def programs(settings: Settings) -> str:
    """Every program's code can be loaded, with its metric."""
    from telefine_assets.programs.spec import load_spec

    fields = {name: load_spec(name, program).fields for name, program in settings.programs.items()}
    return "; ".join(f"{name}: {', '.join(each.inputs)} -> {', '.join(each.outputs)}" for name, each in fields.items())


def models(settings: Settings) -> str:
    """Every language model answers one small question."""
    from dspy.utils.exceptions import LMNotConfiguredError

    asked = {"lm": settings.lm} | {f"lms.{name}": lm for name, lm in settings.lms.items()}
    for name, lm in asked.items():
        try:
            answer = _answer(lm)
        except LMNotConfiguredError:
            # DSPy says what to do about it in its own code.
            variable = f"TELEFINE_{name}__API_KEY".replace(".", "__").upper()
            raise Broken(f"{name}: {lm.model} wants a key, and there is none", f"set {variable}") from None
        if not answer.strip():
            raise Broken(f"{name}: {lm.model} gave an empty answer", f"look at {name}.model and {name}.max_tokens")
    return "; ".join(f"{name}: {lm.model} answers" for name, lm in asked.items())


def _answer(settings: LmSettings) -> str:
    from telefine_assets.lm.opening import open_lm

    # Once, and without patience: whoever looks is waiting.
    hurried = {"num_retries": 0, "timeout_seconds": min(settings.timeout_seconds, _LM_SECONDS / 2)}
    with open_lm(settings.model_copy(update=hurried)) as lm, lm.context():
        answers: list[Any] = lm.lm(messages=[{"role": "user", "content": "Say: ready"}])
        lm.check()
    return str(answers[0]["text"] if isinstance(answers[0], dict) else answers[0])


def store(settings: Settings) -> str:
    """Can be written, replaced, read, listed and cleared, and shows each at once: no stage waits for caches."""
    from telefine_assets.store.files import Files

    files, name = Files(settings.store.uri), f"{uuid.uuid4()}"
    cure = "look at the disk or the bucket behind store.uri"
    try:
        for content in (uuid.uuid4().bytes, uuid.uuid4().bytes):
            files.write(f"doctor/{name}", content)
            if files.read(f"doctor/{name}") != content or name not in files.names("doctor"):
                raise Broken("what was written is not at once what is read and listed", cure)
    finally:
        files.remove(f"doctor/{name}")
    if name in files.names("doctor"):
        raise Broken("what was removed is listed still", cure)
    return without_password(settings.store.uri)


def ledger(settings: Settings) -> str:
    """Opens at the schema of this Telefine, and refuses every change of what it holds."""
    from sqlalchemy import text

    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.guards import names_of
    from telefine_assets.ledger.schema import SCHEMA_VERSION, guards_of, metadata

    triggers = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')",
    }
    with closing(Ledger(settings.ledger.url)) as opened:
        kind = opened.dialect.name
        with opened.reading() as connection:
            found = {*connection.scalars(text(triggers[kind]))}
        pages = f", {require_whole(opened.file)}" if opened.file else ""
    open_to_change = [each.name for each in metadata.sorted_tables if not names_of(guards_of(each), kind) <= found]
    if open_to_change:
        raise Broken(
            f"could be changed unseen, since triggers are missing: {', '.join(open_to_change)}",
            "find out who removed them, and restore the ledger from a backup that verifies",
        )
    return f"schema {SCHEMA_VERSION}, append-only{pages}"


def signer(settings: Settings) -> str:
    """The key is there, can be opened, and is good in the deployment's own log."""
    from telefine_assets.attestation.signers import LocalKeySigner
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.resources.signing import SignerResource

    resource, key = SignerResource.of(settings.signer, settings.deployment), settings.signer.private_key
    # A resource learns its key from the environment only when a run starts.
    local = LocalKeySigner(key.get_secret_value()) if settings.signer.kind == "environment" and key else None
    found = local or resource.signer()
    found.prepare()
    address = found.address
    with closing(Ledger(settings.ledger.url)) as opened:
        state = resource.trust(opened).state()
    if not state.size:
        return f"{address}; the log is empty and will begin with it"
    if address not in state.good:
        raise Broken(
            f"{address} is not good in the log; good are: {', '.join(state.good) or 'none'}",
            "sign with a key that is, or let one that is admit it (`telefine attest admit --help`)",
        )
    if settings.signer.attesters and address not in settings.signer.attesters:
        raise Broken(f"{address} is not in signer.attesters", "add it there, or sign with one that is")
    return f"{address} is good in the log"


def clock(settings: Settings) -> str:
    """Agrees with the servers that are asked over HTTP."""
    import httpx

    skews = {}
    for url in _servers(settings):
        try:
            date = httpx.get(url, timeout=5, trust_env=False).headers.get("date")
        except httpx.HTTPError:
            continue
        if date is not None:
            skews[without_password(url)] = abs(time.time() - parsedate_to_datetime(date).timestamp())
    if not skews:
        raise Skipped("no server over HTTP says what time it is")
    url, worst = max(skews.items(), key=lambda each: each[1])
    if worst > _MOST_SKEW_SECONDS:
        raise Broken(f"{worst:.0f} seconds from that of {url}", "let NTP set the clock: days and signatures rest on it")
    return f"within {worst:.0f} seconds of {url}"


def _servers(settings: Settings) -> Iterator[str]:
    for url in (settings.mlflow.tracking_uri, settings.lm.api_base or "", settings.dagster.url):
        if url.startswith(("http://", "https://")):
            yield url


def turns(settings: Settings) -> str:
    """Who holds a turn at a model; a dead process holds none, since the system takes its locks away."""
    from filelock import FileLock, Timeout

    from telefine_assets.ledger.connection import Ledger

    with closing(Ledger(settings.ledger.url)) as opened:
        file = opened.file
    if file is None:
        raise Skipped("PostgreSQL takes turns back with the sessions that held them")
    held = []
    for path in sorted((file.parent / "turns").glob("*.lock")):
        try:
            FileLock(path, fallback_to_soft=False).acquire(blocking=False).lock.release()
        except Timeout:
            held.append(f"{path.stem} by {path.read_text(encoding='utf-8')}")
    return "; ".join(held) or "nobody holds one"


def spool(settings: Settings) -> str:
    """What was handed in comes to MLflow, and MLflow takes it."""
    from telefine_assets.control.spool_failures import kept_failure
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.spool import Spool

    with closing(Ledger(settings.ledger.url)) as opened:
        lags = Spool(opened).lags(settings.programs)
    late, now_ms = settings.api.drain_late_seconds, time.time_ns() // 10**6
    if still := [name for name, lag in lags.items() if lag.stands_still(now_ms, late)]:
        waits = ", ".join(f"{lags[name].waiting} traces of {name}" for name in still)
        reasons = [f"; {name}: {why}" for name in still if (why := kept_failure(settings.home, name))]
        raise Broken(
            f"{waits} wait, and none was written for {late} seconds{''.join(reasons)}",
            "run `telefine spool drain`, which says why; `telefine serve` and `spool drain --follow` keep at it",
        )
    # What MLflow refuses may be so for ever, and holds nothing up.
    waiting, refused = (sum(getattr(lag, name) for lag in lags.values()) for name in ("waiting", "refused"))
    refuses = f", which refuses {refused}; see `telefine spool refused`" * bool(refused)
    return f"{waiting or 'nothing'} wait{'s' * (not waiting)} for MLflow{refuses}"


def disk(settings: Settings) -> str:
    """Has room, and can be written."""
    place = next(each for each in (settings.home, *settings.home.parents) if each.exists())
    if not os.access(place, os.W_OK):
        raise Broken(
            f"{place} cannot be written: its disk is read-only, or it belongs to another user",
            "mount the disk so that it can be written, give this user the permission, or set home elsewhere",
        )
    free = shutil.disk_usage(place).free
    if free < _LEAST_FREE_BYTES:
        raise Broken(f"{free >> 20} MiB free at {settings.home}", "make room: `telefine evidence gc`, or a larger disk")
    return f"{free >> 30} GiB free at {settings.home}"


SERVICES = (
    Check("MLflow", mlflow, "start MLflow, and look at mlflow.tracking_uri and mlflow.trace_source"),
    Check("experiments", experiments, "start MLflow, and look at mlflow.tracking_uri"),
    Check("programs", programs, "look at programs.*.module and the code it names; is it on PYTHONPATH?"),
    Check("store", store, "look at store.uri, its permissions and its room"),
    Check("ledger", ledger, "look at ledger.url"),
    Check(
        "signer",
        signer,
        "look at signer.kind and what it needs: a variable (`openssl rand -hex 32` makes its key), keystore and "
        "password_file, or command",
    ),
    Check("clock", clock, "let NTP set the clock"),
    Check("turns", turns, "look at the folder turns beside the ledger"),
    Check("spool", spool, "look at ledger.url"),
    Check("disk", disk, "look at home"),
)
MODELS = Check(
    "language models", models, "look at lm.model, lm.api_base and the key in TELEFINE_LM__API_KEY", _LM_SECONDS
)
