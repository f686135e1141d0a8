"""What of a deployment is kept, and where it is.

Settings, keystores and passwords are not: a backup lies about for years, and
whoever finds one must find no secret in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from telefine_assets.keeping.databases import file_of
from telefine_assets.keeping.manifest import KeepingError
from telefine_assets.settings.addresses import without_password
from telefine_assets.store.files import Files

RECORDS, TABLES, EVIDENCE = "records", "tables", "evidence"
"""The folders of the store."""
DAGSTER_FOLDERS = ("history", "schedules", "storage")
"""What Dagster's home holds beside its settings: runs and events, schedules and sensors, logs of runs."""
PROXIED = "mlflow-artifacts:"
Item = TypeVar("Item")
Track = Callable[[Sequence[Item], str], Iterable[Item]]
"""Gives the items again, and shows how far they have come; as ``rich.progress.track`` does."""


@dataclass(frozen=True)
class Places:
    """Where a deployment keeps what it keeps.

    Attributes:
        deployment: its name.
        ledger: the ledger's URL.
        store: the store's URI.
        mlflow: MLflow's database, an SQLAlchemy URL; None leaves MLflow out.
        dagster: Dagster's home; None leaves Dagster out.
        proxied: where the MLflow server keeps what its database calls ``mlflow-artifacts:``.
        environment: of the programs that are started.
    """

    deployment: str
    ledger: str
    store: str
    mlflow: str | None
    dagster: Path | None
    proxied: str | None
    environment: Mapping[str, str]

    @cached_property
    def files(self) -> Files:
        """The store."""
        return Files(self.store)

    def databases(self) -> dict[str, str]:
        """URLs of the databases, by the name that each has in a backup.

        Raises:
            KeepingError: one can be neither copied nor put back from here.
        """
        found = {}
        for part, url in (("ledger", self.ledger), ("mlflow", self.mlflow)):
            if url is not None and url.startswith(("http://", "https://", "databricks")):
                raise KeepingError(
                    f"mlflow.tracking_uri = {without_password(url)} is a server, whose database is not seen from here: "
                    "back it up where it runs, and leave it out here with --without mlflow"
                )
            if url is not None:
                found[f"{part}/{part}.{'dump' if file_of(url) is None else 'db'}"] = url
        return found

    def dagster_files(self) -> list[Path]:
        """Files below Dagster's home, without its settings; databases first, and none of their side files.

        Raises:
            KeepingError: its settings cannot be read, or say that it keeps them elsewhere.
        """
        if self.dagster is None:
            return []
        _require_own(self.dagster / "dagster.yaml")
        found = [path for folder in DAGSTER_FOLDERS for path in (self.dagster / folder).rglob("*") if path.is_file()]
        kept = [path for path in found if not path.name.endswith((".db-wal", ".db-shm", ".db-journal", ".part"))]
        return sorted(kept, key=lambda path: (path.suffix != ".db", path))

    def artifacts(self) -> dict[str, str]:
        """URIs of the folders in which MLflow keeps files, by the name that each has in a backup.

        Raises:
            KeepingError: MLflow's database cannot be read, or a server keeps files nobody knows where.
        """
        if self.mlflow is None:
            return {}
        uris = sorted({self._artifact_uri(each) for each in self._uris()})
        return {f"artifacts/{number}": uri for number, uri in enumerate(uris)}

    def _uris(self) -> Iterable[str]:
        file = file_of(str(self.mlflow))
        if file is not None and not file.exists():
            return []
        engine = create_engine(str(self.mlflow))
        try:
            with engine.connect() as connection:
                return [str(each) for each in connection.scalars(text("SELECT artifact_location FROM experiments"))]
        except SQLAlchemyError as error:
            raise KeepingError(f"MLflow's database cannot be read: {' '.join(str(error.args).split())}") from error
        finally:
            engine.dispose()

    def _artifact_uri(self, uri: str) -> str:
        if not uri.startswith(PROXIED):
            return uri
        if self.proxied is None:
            raise KeepingError(
                f"an MLflow server keeps {uri}: say with --mlflow-artifacts where (its --artifacts-destination), "
                "or leave MLflow out with --without mlflow"
            )
        return f"{self.proxied.rstrip('/')}/{uri.removeprefix(PROXIED).lstrip('/')}"


def _require_own(settings: Path) -> None:
    """Refuse Dagster's settings where they say that its runs and events are elsewhere, or do not say it legibly."""
    import yaml

    from telefine_assets.settings.strict_yaml import load_yaml

    try:
        values = (load_yaml(settings.read_text(encoding="utf-8")) or {}) if settings.is_file() else {}
        if not isinstance(values, dict):
            raise ValueError("it must be names with values")
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise KeepingError(
            f"{settings} cannot be read: {' '.join(str(error).split())}: mend it, or leave Dagster out here with "
            "--without dagster"
        ) from error
    if elsewhere := {"storage", "run_storage", "event_log_storage", "schedule_storage"} & {*values}:
        raise KeepingError(
            f"{settings}: {min(elsewhere)}: Dagster keeps its runs elsewhere: back them up by the tools of that "
            "database, and leave them out here with --without dagster"
        )
